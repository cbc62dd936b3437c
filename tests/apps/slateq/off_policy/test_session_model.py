"""A model of whole sessions fitted to a log: it finds when users stop, gives the log back, or says it cannot."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from apps.slateq.logs.reader import mixed
from apps.slateq.logs.schema import NOTHING, Slates
from apps.slateq.off_policy.distributions import PlackettLuce
from apps.slateq.off_policy.figure import sessions_figure
from apps.slateq.off_policy.policies import EvaluatedPolicy
from apps.slateq.off_policy.served_sessions import served_sessions
from apps.slateq.off_policy.session_model import Outcomes, SessionModel, fit_sessions

ITEMS, PLACES, STEPS = 5, 2, 60
NEEDED = ("scores.a", "scores.b")


def stops(slates: Any, clicks: Any, worth: Any) -> Any:
    """P(the session ends): slates tire, clicks tire more, and what was worth clicking refreshes."""
    return 1 / (1 + np.exp(4.0 - 0.3 * slates - 0.2 * clicks + 0.5 * worth))


def log_of(sessions: int, leaning: float, seed: int = 0, moody: bool = False) -> tuple[Slates, np.ndarray]:
    """Sessions of users who click by a logit of -.5 + score a, earn 2 + b by a click on worth b, and end by `stops`.

    Slates are drawn by the softmax of `leaning` times b. Also [B] the true probability of the end. `moody`: every
    other session ends at once after a slate without a click, which no sum over the session says.
    """
    rng, pieces = np.random.default_rng(seed), []
    on, clicks, total = np.arange(sessions), np.zeros(sessions), np.zeros(sessions)
    for step in range(STEPS):
        count = len(on)
        a, b = rng.normal(size=(2, count, ITEMS))
        slate = PlackettLuce(leaning * b, PLACES).draw(rng.random((count, ITEMS + 1)))
        weights = np.c_[np.exp(-0.5 + np.take_along_axis(a, slate, axis=1)), np.ones(count)]
        bounds = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
        place = (rng.random((count, 1)) > bounds[:, :-1]).sum(axis=1)
        some = place < PLACES
        worth = np.where(some, b[np.arange(count), slate[np.arange(count), np.minimum(place, PLACES - 1)]], 0.0)
        clicks[on] += some
        total[on] += worth
        end = np.asarray(stops(step + 1, clicks[on], total[on]))
        if moody:
            end[(on % 2 == 1) & ~some] = 1.0
        reward = np.where(some, 2 + worth, 0.0)
        pieces.append((on, np.full(count, step), a, b, slate, np.where(some, place, NOTHING), reward, end))
        on = on[rng.random(count) >= end]
    session, step, a, b, slate, click, reward, end = (np.concatenate(part) for part in zip(*pieces, strict=True))
    order = np.argsort(session, kind="stable")
    log = Slates(
        key=mixed(session.astype(np.uint64))[order],
        step=step[order],
        candidates=np.full(len(step), ITEMS),
        slate=slate[order],
        propensity=np.full(len(step), np.nan),  # nothing here weighs
        click=click[order],
        reward=reward[order],
        more={"scores.a": a[order], "scores.b": b[order]},
    )
    return log, end[order]


def leaning_to_worth(leaning: float) -> EvaluatedPolicy:
    return EvaluatedPolicy(f"b{leaning:g}", NEEDED, lambda rows: PlackettLuce(leaning * rows.more["scores.b"], PLACES))


@pytest.fixture(scope="module")
def fitted() -> tuple[Slates, np.ndarray, SessionModel]:
    """A log of slates that do not lean, the true ends, and the model of its sessions."""
    rows, ends = log_of(1500, 0.0)
    return rows, ends, fit_sessions(rows)


def sums_of(rows: Slates, model: SessionModel) -> np.ndarray:
    """The sums of each row, from the log by hand."""
    out = []
    for begin, end in zip(rows.begins, np.r_[rows.begins[1:], len(rows)], strict=True):
        total = np.zeros(3 + model.inputs.item.shape[2])
        for row in range(begin, end):
            some = rows.click[row] != NOTHING
            item = model.inputs.item[row, rows.slate[row, rows.click[row]]] if some else 0.0
            total = total + np.r_[1.0, float(some), rows.reward[row], np.zeros(len(total) - 3) + item]
            out.append(total)
    return np.array(out)


def test_the_model_finds_when_users_stop(fitted: tuple[Slates, np.ndarray, SessionModel]) -> None:
    rows, ends, model = fitted
    half = (rows.key >> np.uint64(63)).astype(int)
    predicted = model.stops(sums_of(rows, model), half)
    assert np.abs(predicted - ends).mean() < 0.025
    assert abs(model.off[0]) < 0.05


def test_served_the_slates_of_the_log_it_gives_the_log_back(fitted: tuple[Slates, np.ndarray, SessionModel]) -> None:
    rows, _, model = fitted
    seen, simulated = Outcomes.logged(rows), model.simulate(rows.slate, (0,))
    assert simulated.slates.mean() == pytest.approx(seen.slates.mean(), rel=0.05)
    assert simulated.slates.std() == pytest.approx(seen.slates.std(), rel=0.1)
    assert (simulated.clicks / simulated.slates).mean() == pytest.approx((seen.clicks / seen.slates).mean(), abs=0.02)
    assert simulated.reward.mean() == pytest.approx(seen.reward.mean(), rel=0.05)


def test_a_policy_that_keeps_users_longer_earns_in_the_model_what_it_earns_in_truth() -> None:
    """So much longer that a session of the log says nothing of it by weights."""
    rows, _ = log_of(400, 0.0)
    served = served_sessions(rows, [leaning_to_worth(0.0), leaning_to_worth(2.0)], refits=20, seed=0)
    for leaning in (0.0, 2.0):
        truth, _ = log_of(5000, leaning, seed=9)
        (estimate,), earned = served.estimates[f"b{leaning:g}"], Outcomes.logged(truth).reward.mean()
        low, high = estimate.ci95 or (0.0, 0.0)
        assert low < earned < high and (high - low) / earned < 0.3
    assert earned > 1.3 * Outcomes.logged(rows).reward.mean()
    assert served.estimates["b0"][0].warning == ""
    assert b"<svg" in sessions_figure(served.logged, served.simulated)
    for row in served.rows:
        low, high = row["range95"]
        assert low <= row["seen"] <= high


def test_held_out_sessions_speak_against_a_model_that_is_wrong() -> None:
    rows, _ = log_of(1000, 0.0, moody=True)
    ((estimate,),) = served_sessions(rows, [leaning_to_worth(0.0)], refits=20, seed=0).estimates.values()
    assert "off by" in estimate.warning or "in the model" in estimate.warning


def test_sessions_that_outlast_every_logged_one_are_warned_of() -> None:
    rows, _ = log_of(200, -2.0)
    ((estimate,),) = served_sessions(rows, [leaning_to_worth(4.0)], refits=20, seed=0).estimates.values()
    assert "outlast" in estimate.warning


def test_equal_seeds_give_equal_estimates_and_resamples_that_policies_share() -> None:
    rows, _ = log_of(100, 0.0)
    one, again = (served_sessions(rows, [leaning_to_worth(1.0)], refits=20, seed=3).estimates["b1"] for _ in range(2))
    np.testing.assert_array_equal(one[0].resampled, again[0].resampled)
    other = served_sessions(rows, [leaning_to_worth(1.0)], refits=20, seed=4).estimates["b1"]
    assert one[0].value != other[0].value


def test_no_session_is_simulated_from_its_own_end() -> None:
    """What one half did changes the simulated ends of the other half alone."""
    rows, _ = log_of(400, 0.0)
    half = rows.key >> np.uint64(63) == 0
    model = fit_sessions(rows)
    changed = fit_sessions(replace(rows, reward=np.where(half, rows.reward, rows.reward + 5)))
    np.testing.assert_allclose(changed.users.reward[0][1:], model.users.reward[0][1:])
    assert not np.allclose(changed.users.reward[1], model.users.reward[1])
