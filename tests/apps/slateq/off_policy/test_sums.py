"""What is kept of a log: the same however it is cut into batches, and resamples that are drawn by sessions."""

import numpy as np
import pytest

from apps.slateq.logs.reader import mixed
from apps.slateq.logs.schema import Slates
from apps.slateq.off_policy.distributions import Mixture
from apps.slateq.off_policy.estimates import Estimate, difference, estimates_of, health, interval, values_of
from apps.slateq.off_policy.estimators import Models, ratios_of, session_terms, slate_terms
from apps.slateq.off_policy.sums import Sums, poisson_weights
from apps.slateq.snapshot import from_bytes, to_bytes


def test_resamples_count_a_session_as_a_poisson_variable_of_mean_one_would() -> None:
    times = poisson_weights(mixed(np.arange(4000, dtype=np.uint64)), 50, seed=3)
    drawn = times[:, 1:]
    assert (times[:, 0] == 1).all() and times.shape == (4000, 51)
    for count, chance in enumerate((0.3679, 0.3679, 0.1839, 0.0613)):
        assert (drawn == count).mean() == pytest.approx(chance, abs=0.004)
    assert abs(np.corrcoef(drawn.T) - np.eye(50)).max() < 0.09  # 5 / sqrt(4000): resamples have nothing in common
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.01


def test_a_session_is_drawn_alike_wherever_it_stands() -> None:
    keys = mixed(np.arange(100, dtype=np.uint64))
    whole = poisson_weights(keys, 30, seed=1)
    np.testing.assert_array_equal(whole[40:50], poisson_weights(keys[40:50], 30, seed=1))
    assert (whole != poisson_weights(keys, 30, seed=2)).any()


def log_of(lengths: list[int], epsilon: float = 0.5, seed: int = 0) -> Slates:
    """Sessions of these lengths, served by a mixture around the slate (0, 1) of four."""
    rng, size = np.random.default_rng(seed), sum(lengths)
    logging = Mixture(np.tile([0, 1], (size, 1)), epsilon, np.full(size, 4))
    slate = logging.draw(rng.random((size, 5)))
    prefix = logging.prefixes(slate)
    return Slates(
        key=mixed(np.repeat(np.arange(len(lengths), dtype=np.uint64), lengths)),
        step=np.concatenate([np.arange(length) for length in lengths]),
        candidates=np.full(size, 4),
        slate=slate,
        propensity=prefix[:, -1],
        click=rng.integers(-1, 2, size),
        reward=np.ones(size),
        propensities=np.c_[prefix[:, :1], prefix[:, 1:] / prefix[:, :-1]],
        marginals=logging.items(slate),
    )


def part(rows: Slates, begin: int, end: int) -> Slates:
    """Some rows."""
    whole = {name: getattr(rows, name) for name in Slates.__dataclass_fields__ if name != "more"}
    return Slates(**{name: values[begin:end] for name, values in whole.items()})


def added(sums: Sums, rows: Slates, epsilon: float, shown: tuple[int, int] = (0, 1)) -> Sums:
    """`sums` with these rows, of a mixture around `shown`."""
    policy = Mixture(np.tile(shown, (len(rows), 1)), epsilon, rows.candidates)
    ratios, begins = ratios_of(rows, policy), rows.begins
    times = poisson_weights(rows.key[begins], len(sums.sessions) - 1, 0)
    terms = slate_terms(rows, policy, ratios, Models()) | session_terms(rows, policy, ratios, Models())
    sums.add(times, np.diff(np.r_[begins, len(rows)]), terms)
    return sums


@pytest.mark.parametrize("lengths", [[3, 1, 5, 2], [1, 4, 1, 1], [6, 1, 1, 2]], ids=str)
def test_batches_make_no_difference(lengths: list[int]) -> None:
    rows, ends = log_of(lengths), np.cumsum(lengths)
    whole, cut = added(Sums(20), rows, 0.8), Sums(20)
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        cut = Sums.from_state(from_bytes(to_bytes(added(cut, part(rows, begin, end), 0.8).state_dict())))
    for name in whole.families:
        for one, other in zip(values_of(whole, name), values_of(cut, name), strict=True):
            np.testing.assert_allclose(one, other)
        assert health(whole, name) == pytest.approx(health(cut, name))
    np.testing.assert_array_equal(whole.alive, cut.alive)


def test_a_constant_reward_is_what_every_self_normalised_estimate_of_a_slate_says() -> None:
    sums = added(Sums(20), log_of([1] * 300), 0.9)
    value, resampled = values_of(sums, "ips")[1][0], values_of(sums, "ips")[1][1:]
    assert value == pytest.approx(1) and resampled == pytest.approx(np.ones(20))


def test_weights_of_a_policy_near_the_logging_one_are_worth_nearly_all_slates() -> None:
    sums = added(Sums(50), log_of([4] * 500), 0.5)
    effective, mean_weight, warning = health(sums, "ips")
    assert (effective, mean_weight, warning) == (pytest.approx(2000), pytest.approx(1), "")
    assert health(added(Sums(50), log_of([4] * 500), 0.7), "pdis")[0] < 500


def test_of_long_sessions_the_late_slates_count_though_the_early_ones_are_well_known() -> None:
    sums = added(Sums(50), log_of([40] * 3000), 0.9)
    weight, squares = sums.families["pdis"]["weight"][0, :, 0], sums.families["pdis"]["squares"][0]
    assert weight[0] ** 2 / squares[0] > 1000 and weight[-1] ** 2 / squares[-1] < 20
    effective, _, warning = health(sums, "pdis")
    assert effective < 60 and "too few" in warning


def test_support_that_is_missing_is_noticed() -> None:
    rows = log_of([2] * 2000, epsilon=0.0)  # nothing but (0, 1) was ever shown
    assert "support is missing" in health(added(Sums(50), rows, 0.6), "ips")[2]
    only_others = health(added(Sums(50), rows, 0.0, shown=(2, 3)), "ips")
    assert only_others == (0, 0, "nothing that was logged is what this policy would show")


def test_a_policy_that_the_log_hardly_shows_is_warned_of() -> None:
    sums = added(Sums(50), log_of([1] * 600, epsilon=0.1), 0.0, shown=(2, 3))
    effective, _, warning = health(sums, "ips")
    assert effective < 20 and warning.startswith("as good as")


def test_intervals_need_resamples_with_a_value() -> None:
    assert interval(np.array([1.0, *np.linspace(0, 1, 101)])) == pytest.approx((0.025, 0.975))
    assert interval(np.array([1.0, np.nan, np.nan])) is None


def test_a_difference_is_taken_resample_by_resample() -> None:
    one = Estimate("ips", "slate", np.array([1.0, 0.9, 1.1]), 500, 1.0, "")
    two = Estimate("ips", "slate", np.array([1.5, 1.4, 1.6]), 500, 1.0, "")
    found = difference(one, two)
    assert found["difference"] == pytest.approx(0.5) and found["ci95"] == pytest.approx((0.5, 0.5))


def test_every_family_has_a_plain_and_a_self_normalised_estimate() -> None:
    found = [e.estimator for e in estimates_of(added(Sums(20), log_of([2, 2]), 0.6))]
    families = ("ips", "iips", "rips", "trajectory", "pdis")
    assert found == [name for family in families for name in (family, f"sn-{family}")]
