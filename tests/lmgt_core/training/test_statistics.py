import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lmgt_core.training.statistics import (
    bootstrap_ci,
    iqm,
    mean,
    nested_bootstrap_ci,
    probability_of_improvement,
    smooth,
    steps_to_threshold,
    summarise,
)

samples = st.lists(st.floats(-100, 100), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7], 7.0),
        ([1, 2, 9], 4.0),  # nothing is cut below four values
        ([1, 2, 3, 100], 2.5),
        ([-50, 1, 2, 3, 100], 2.0),  # int(.25 * 5) = 1 at each end
        ([0, 0, 1, 2, 3, 4, 90, 90], 2.5),
    ],
)
def test_the_interquartile_mean_is_the_one_computed_by_hand(values: list[float], expected: float) -> None:
    assert iqm(values) == expected


@given(samples)
def test_the_interquartile_mean_is_scipys_trimmed_mean(values: list[float]) -> None:
    assert iqm(values) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-12, abs=1e-12)


def test_one_wild_seed_moves_the_mean_but_not_the_interquartile_mean() -> None:
    assert mean([1, 1, 1, 1, 1001]) == 201
    assert iqm([1, 1, 1, 1, 1001]) == 1


@pytest.mark.parametrize("bad", [[], [1.0, float("nan")], [float("inf")], [[1.0], [2.0, 3.0]], [[]]])
def test_missing_or_non_finite_values_are_errors(bad: list) -> None:
    with pytest.raises(ValueError):
        mean(bad)
    with pytest.raises(ValueError):
        iqm(bad)


def test_a_non_finite_value_in_a_stratum_is_an_error() -> None:
    with pytest.raises(ValueError, match="value 1 is not finite"):
        bootstrap_ci([[1.0, 2.0], [1.0, float("nan")]])
    with pytest.raises(ValueError):
        summarise([0.0, float("nan")])


def test_a_single_value_has_no_interval() -> None:
    assert bootstrap_ci([3.0]) is None
    assert bootstrap_ci([[1.0, 2.0], [3.0]]) is None
    assert summarise([3.0]) == {"mean": 3.0, "iqm": 3.0, "ci95": None, "n": 1}


def test_the_interval_of_two_values_is_that_of_the_four_equally_likely_resamples() -> None:
    # Means of the resamples of {0, 1}: 0 (1/4), 1/2 (1/2), 1 (1/4), so the 2.5 % and 97.5 % points are 0 and 1,
    # and the 30 % and 70 % points both lie in the middle half.
    assert bootstrap_ci([0.0, 1.0], "mean") == (0.0, 1.0)
    assert bootstrap_ci([0.0, 1.0], "mean", confidence=0.4) == (0.5, 0.5)


def test_the_interval_of_three_values_is_that_of_all_27_resamples() -> None:
    # Of the 27 means of {0, 1, 5}, 1 is 0, the next 3 are 1/3; 23 lie below 11/3, which 3 reach: 10 % and 90 % points.
    assert bootstrap_ci([0.0, 1.0, 5.0], "mean", confidence=0.8) == pytest.approx((1 / 3, 11 / 3))


SIMULATED = 2000  # data sets; the standard error of a coverage of .95 is then .005


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
def test_the_interval_covers_the_truth_in_95_percent_of_simulated_data(statistic: str) -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(SIMULATED):
        low, high = bootstrap_ci(rng.normal(2.0, 1.0, 40), statistic, rng, n=400)
        covered += low <= 2.0 <= high
    assert 0.93 <= covered / SIMULATED <= 0.97


def test_the_stratified_interval_covers_the_truth_in_95_percent_of_simulated_data() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(SIMULATED):
        strata = [rng.normal(0.0, 1.0, 25), rng.normal(4.0, 2.0, 25)]  # two tasks, whose pooled mean is 2
        low, high = bootstrap_ci(strata, "mean", rng, n=400)
        covered += low <= 2.0 <= high
    assert 0.93 <= covered / SIMULATED <= 0.97


def test_the_nested_interval_covers_the_truth_in_95_percent_of_simulated_data() -> None:
    rng = np.random.default_rng(3)
    covered, simulated = 0, 400
    for _ in range(simulated):
        seeds = rng.normal(2.0, 1.0, 40)
        low, high = nested_bootstrap_ci([rng.normal(mean_of_seed, 1.0, 5) for mean_of_seed in seeds], rng, n=300)
        covered += low <= 2.0 <= high
    assert 0.93 <= covered / simulated <= 0.97


def test_few_seeds_give_intervals_that_are_too_narrow_as_the_docstring_warns() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(SIMULATED):
        low, high = bootstrap_ci(rng.normal(2.0, 1.0, 5), "mean", rng, n=200)
        covered += low <= 2.0 <= high
    assert 0.79 <= covered / SIMULATED <= 0.88


def test_strata_are_resampled_separately() -> None:
    # Each stratum is constant, so only mixing the strata could make the pooled mean move.
    assert bootstrap_ci([[0.0] * 4, [10.0] * 4], "mean") == (5.0, 5.0)
    low, high = bootstrap_ci([0.0] * 4 + [10.0] * 4, "mean")
    assert low < 4 and high > 6


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(0).normal(size=9)
    assert bootstrap_ci(values, rng=7) == bootstrap_ci(values, rng=np.random.default_rng(7))
    assert bootstrap_ci(values, rng=7) != bootstrap_ci(values, rng=8)


def test_a_function_of_the_last_axis_can_be_the_statistic() -> None:
    assert bootstrap_ci([1.0, 1.0, 4.0], lambda x: x.max(axis=-1)) == (1.0, 4.0)
    with pytest.raises(ValueError, match="there are: mean, iqm"):
        bootstrap_ci([1.0, 2.0], "median")


@settings(max_examples=40)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=12))
def test_an_interval_is_ordered_and_lies_within_the_data(values: list[float]) -> None:
    low, high = bootstrap_ci(values, n=200)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_the_probability_of_improvement_counts_wins_and_half_the_ties() -> None:
    # 1 beats nothing and ties with 1; 3 beats 1 and 2 and ties with 3: (.5 + 2.5) / 6.
    assert probability_of_improvement([1, 3], [1, 2, 3]).probability == 0.5
    assert probability_of_improvement([2, 3], [0, 1]).as_dict() == {"probability": 1.0, "ci95": [1.0, 1.0]}


@given(samples, samples)
def test_the_probability_of_improvement_is_the_mann_whitney_statistic(x: list[float], y: list[float]) -> None:
    expected = stats.mannwhitneyu(x, y).statistic / (len(x) * len(y))
    assert probability_of_improvement(x, y, n=10).probability == pytest.approx(expected)


@given(samples, samples)
def test_improvement_over_each_other_sums_to_one(x: list[float], y: list[float]) -> None:
    there, back = probability_of_improvement(x, y, n=10), probability_of_improvement(y, x, n=10)
    assert there.probability + back.probability == pytest.approx(1)


def test_the_probability_of_improvement_is_the_exact_one_of_normal_runs() -> None:
    # X - Y is normal with mean .5 and variance 2, so P(X > Y) = Phi(.5 / sqrt 2).
    exact = stats.norm.cdf(0.5 / np.sqrt(2))
    rng = np.random.default_rng(5)
    found, covered, simulated = [], 0, 1000
    for _ in range(simulated):
        got = probability_of_improvement(rng.normal(0.5, 1.0, 40), rng.normal(0.0, 1.0, 40), rng, n=300)
        found.append(got.probability)
        covered += got.ci95[0] <= exact <= got.ci95[1]
    assert np.mean(found) == pytest.approx(exact, abs=0.007)  # three standard errors
    assert 0.93 <= covered / simulated <= 0.97


def test_improvement_by_or_over_a_single_run_has_no_interval() -> None:
    assert probability_of_improvement([2.0], [1.0, 0.0]).ci95 is None
    assert probability_of_improvement([2.0, 3.0], [1.0]).ci95 is None


def test_the_interval_of_the_improvement_matches_drawing_the_pairs_directly() -> None:
    x, y = [1.0, 2.0, 5.0, 6.0], [0.0, 3.0, 4.0]
    rng = np.random.default_rng(3)
    direct = [
        np.mean(np.subtract.outer(rng.choice(x, 4), rng.choice(y, 3)) > 0)  # no ties between these
        for _ in range(4000)
    ]
    got = probability_of_improvement(x, y, n=4000).ci95
    assert got == pytest.approx(np.percentile(direct, [2.5, 97.5]), abs=0.05)


def test_steps_to_a_threshold_is_the_first_step_that_reaches_it() -> None:
    assert steps_to_threshold([10, 20, 30, 40], [0.1, 0.5, 0.4, 0.9], 0.5) == 20.0
    assert steps_to_threshold([10, 20, 30, 40], [0.1, 0.2, 0.4, 0.4], 0.5) is None


def test_smoothing_asks_for_a_full_window() -> None:
    # Means of two: .45, .55, .65; the lone .9 at step 10 does not count.
    assert steps_to_threshold([10, 20, 30, 40], [0.9, 0.0, 1.1, 0.2], 0.5, window=2) == 30.0
    assert steps_to_threshold([10], [0.9], 0.5, window=2) is None
    assert smooth([1, 2, 6], 2).tolist() == [1.5, 4.0]
    assert smooth([1], 2).tolist() == []


def test_steps_that_decrease_or_do_not_match_are_errors() -> None:
    with pytest.raises(ValueError, match="must not decrease"):
        steps_to_threshold([2, 1], [0, 1], 0.5)
    with pytest.raises(ValueError, match="2 steps do not go with 1 values"):
        steps_to_threshold([1, 2], [0], 0.5)


def test_a_summary_pools_its_strata() -> None:
    summary = summarise([[0.0, 0.0], [1.0, 1.0]])
    assert summary == {"mean": 0.5, "iqm": 0.5, "ci95": [0.5, 0.5], "n": 4}


def test_the_nested_interval_sees_seeds_that_differ_more_than_their_episodes() -> None:
    # Each seed's episodes agree, so only redrawing seeds can move the mean: it is 0, 1/2 or 1, as of two single values.
    assert nested_bootstrap_ci([[0.0] * 50, [1.0] * 50]) == (0.0, 1.0)
    low, high = nested_bootstrap_ci([[0.0, 1.0] * 50, [0.0, 1.0] * 50])
    assert 0.35 < low < 0.5 < high < 0.65  # about .5 +- 2 * sqrt(.25 / 200)


def test_the_nested_interval_weighs_groups_by_their_size() -> None:
    # Drawn evenly, {10, 0 0 0} has the pooled mean 10 / 4; drawn twice, one group alone has 10 or 0.
    assert nested_bootstrap_ci([[10.0], [0.0, 0.0, 0.0]], confidence=0.4) == (2.5, 2.5)
    assert nested_bootstrap_ci([[10.0], [0.0, 0.0, 0.0]]) == (0.0, 10.0)


def test_the_nested_interval_of_one_group_is_the_plain_one() -> None:
    values = np.random.default_rng(0).normal(size=30)
    assert nested_bootstrap_ci([values], n=8000) == pytest.approx(bootstrap_ci(values, "mean", n=8000), abs=0.03)
    assert nested_bootstrap_ci([[1.0]]) is None
    with pytest.raises(ValueError):
        nested_bootstrap_ci([[1.0, 2.0], []])
