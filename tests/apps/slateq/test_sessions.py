"""Sessions, what is measured of them, what history tells, and the policies that need no training."""

from dataclasses import replace

import numpy as np
import pytest

from apps.slateq.baselines import Policy, Popularity, Thompson, Ucb, make_baseline
from apps.slateq.config import WorldConfig
from apps.slateq.evaluation_rows import rows_of
from apps.slateq.features import Features, features
from apps.slateq.history import SCALE, SessionHistory
from apps.slateq.policies import FIXED, LEARNED, ONLINE, PAPER, is_learned, learned_names, learned_policy
from apps.slateq.session_metrics import METRICS, Tally, play
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Feedback, Observation
from apps.slateq.slate_metrics import SLATE_METRICS
from apps.slateq.snapshot import from_bytes, to_bytes
from lmgt_core.errors import UserError

SMALL = WorldConfig(candidates=5, slate=2, budget=20.0)


def feedback(
    clicked: list[int], reward: list[float], quality: list[float], topic: list[int], over: list[bool]
) -> Feedback:
    """What three users did with slates of two; 2 is no click, topic 4 none."""
    now = Observation(
        np.zeros((3, 4), np.float32), np.zeros((3, 5, 4), np.float32), np.zeros((3, 5), np.int64), np.zeros(3)
    )
    return Feedback(
        clicked=np.array(clicked),
        reward=np.array(reward, np.float32),
        quality=np.array(quality, np.float32),
        topic=np.array(topic),
        shown_quality=np.zeros((3, 2), np.float32),
        terminated=np.array(over),
        truncated=np.zeros(3, bool),
        final_observation=now,
        observation=now,
    )


FIRST = feedback([0, 2, 2], [4, 0, 0], [1.5, 0, 0], [0, 4, 4], [False, False, True])
SECOND = feedback([1, 1, 0], [2, 4, 4], [0.5, -1, 3], [1, 3, 2], [True, False, False])
THIRD = feedback([0, 0, 0], [4, 4, 4], [1, -3, 1], [0, 3, 1], [False, True, True])


def test_a_session_is_measured_to_its_end_and_no_further() -> None:
    tally = Tally(users=3, topics=4)
    for step, drift in zip((FIRST, SECOND, THIRD), ([1.0, 2.0, 3.0], [1.0, 2.0, 9.0], [9.0, 4.0, 9.0]), strict=True):
        tally.add(step, 2, np.array(drift))
    assert not tally.active.any()
    found = tally.sessions()
    np.testing.assert_allclose(found.values["return"], [6, 8, 0])
    np.testing.assert_allclose(found.values["length"], [2, 3, 1])
    np.testing.assert_allclose(found.values["click_rate"], [1, 2 / 3, 0])
    np.testing.assert_allclose(found.values["quality"], [1, -2, np.nan])
    np.testing.assert_allclose(found.values["diversity"], [2, 1, np.nan])  # topics 0 and 1; topic 3 twice; none
    assert found.alive.tolist() == [3, 2, 1]
    np.testing.assert_allclose(found.drift, [2, 1.5, 4])
    np.testing.assert_allclose(found.quality_at, [1.5, -0.25, -3])


def test_history_adds_up_a_session_and_begins_again_with_the_next() -> None:
    history = SessionHistory(3)
    history.add(FIRST)
    np.testing.assert_allclose(history.features() * SCALE, [[1, 0, 4, 6], [1, 1, 0, 0], [0, 0, 0, 0]])
    reached = history.add(SECOND)
    np.testing.assert_allclose(reached * SCALE, [[2, 0, 6, 7], [2, 1, 4, -4], [1, 0, 4, 12]])
    np.testing.assert_allclose(history.features()[0], np.zeros(4))


def test_history_tells_the_hidden_budget() -> None:
    simulator = make_simulator(replace(SMALL, budget=None), users=20)
    observation, history, rng = simulator.reset(0), SessionHistory(20), np.random.default_rng(0)
    for _ in range(25):
        now_seen = features(simulator, observation, history.features())
        now = simulator.step(make_baseline("Random", simulator, rng).serve(now_seen))
        history.add(now)
        observation = now.observation
    _, empty, watched, worth = (history.features() * SCALE).T
    budget = 200 - 0.5 * empty - watched + 0.9 / 3.4 * worth
    np.testing.assert_allclose(budget, simulator.user["budget"], rtol=1e-4)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [*FIXED, *ONLINE])
def test_a_baseline_serves_whole_sessions_and_equal_seeds_give_equal_ones(name: str) -> None:
    def run() -> dict[str, np.ndarray]:
        simulator = make_simulator(SMALL, users=30)
        return play(simulator, make_baseline(name, simulator, np.random.default_rng(1)), seed=3).values

    first, second = run(), run()
    assert set(first) == {*METRICS, *SLATE_METRICS}
    for metric in first:
        np.testing.assert_array_equal(first[metric], second[metric])
    assert (first["return"] > 0).all() and (first["length"] >= 2).all()


def seen(topics: list[list[int]], scores: list[list[float]]) -> Features:
    n = len(topics)
    topic = np.array(topics, np.int32)
    return Features(
        np.zeros((n, 4), np.float32),
        np.zeros((n, 4), np.float32),
        np.eye(4, dtype=np.float32)[topic],
        topic,
        np.array(scores, np.float32),
    )


def four_topics() -> Policy:
    simulator = make_simulator(WorldConfig(candidates=4, slate=2), users=1)
    simulator.topics, simulator.topic_quality = 4, np.array([-1.0, 3.0, 2.0, 0.0], np.float32)  # type: ignore[misc]
    return simulator  # type: ignore[return-value]


def test_the_myopic_policies_serve_what_is_clicked_most_and_the_privileged_one_what_is_best() -> None:
    asked = seen([[0, 1, 2, 3]], [[0.5, 0.1, 0.9, 0.3, 2.0]])
    for name in ("MYOP-TS", "MYOP-GS", "MYOP-OS"):
        assert make_baseline(name, four_topics(), np.random.default_rng(0)).serve(asked).tolist() == [[2, 0]]
    assert make_baseline("quality", four_topics(), np.random.default_rng(0)).serve(asked).tolist() == [[1, 2]]


@pytest.mark.parametrize("make", [Popularity, Ucb, Thompson])
def test_what_users_click_is_served_more(make: type[Policy]) -> None:
    policy = make(four_topics(), np.random.default_rng(0))  # type: ignore[call-arg]
    topics = np.tile([[0, 1], [2, 3]], (400, 1))
    policy.learn(topics, np.tile([2, 1], 400), np.tile([0.0, 4.0], 400).astype(np.float32))  # topic 3 alone is clicked
    served = policy.serve(seen([[0, 1, 2, 3]] * 50, [[1.0] * 5] * 50))
    assert (served[:, 0] == 3).all()


def test_every_name_of_the_papers_table_is_a_policy() -> None:
    assert len(PAPER) == 10
    assert all(name in FIXED or is_learned(name) for name in PAPER)
    assert all(is_learned(f"{name}-N") for name in LEARNED)
    found = learned_policy("QL-OT-GS-N")
    assert (found.learner, found.target, found.serve, found.valued_no_click) == ("q", "optimal", "greedy", True)
    assert learned_policy("SARSA-TS").learner == "sarsa"
    assert all(learned_policy(name).name == name for name in learned_names())


@pytest.mark.parametrize("name", ["QL-XT-TS", "MYOP-TS", "QL-OT-GS-M", "full-slate-N", ""])
def test_a_name_that_cannot_be_learned_is_refused_with_those_that_can(name: str) -> None:
    with pytest.raises(UserError, match=r"QL-OT-OS"):
        learned_policy(name)


def test_differences_are_paired_by_user() -> None:
    users = np.random.default_rng(0).normal(100, 50, size=400)
    first = {metric: users for metric in METRICS}
    better = {metric: users + 1 for metric in METRICS}
    rows = rows_of({"a": [first], "b": [better, better]}, {"a": "rule", "b": "learned"})
    row = next(r for r in rows if r["policy"] == "b" and r["metric"] == "return")
    assert row["n"] == 800 and row["minus_first"] == pytest.approx(1)
    assert row["minus_first_ci95"] == pytest.approx((1, 1))
    assert row["ci95"][1] - row["ci95"][0] > 4
    assert "minus_first" not in rows[0]


def test_the_interval_of_a_mean_covers_users_and_seeds() -> None:
    rng = np.random.default_rng(0)
    seeds = [{m: rng.normal(shift, 1, size=1000) for m in METRICS} for shift in (-5, 0, 5)]
    low, high = rows_of({"a": seeds}, {"a": ""})[0]["ci95"]
    assert low < -3 and high > 3  # three seeds that far apart say little


def test_users_of_whom_a_metric_says_nothing_are_not_counted() -> None:
    values = {metric: np.array([1.0, np.nan, 3.0]) for metric in METRICS}
    row = rows_of({"a": [values]}, {"a": ""})[0]
    assert (row["mean"], row["n"]) == (2.0, 2)


def test_a_snapshot_gives_back_arrays_and_big_integers() -> None:
    state = {
        "rng": np.random.default_rng(1).bit_generator.state,
        "a": [np.arange(3), {"b": np.eye(2, dtype=bool)}],
        "n": None,
    }
    found = from_bytes(to_bytes(state))
    assert found["rng"] == state["rng"] and found["n"] is None
    np.testing.assert_array_equal(found["a"][1]["b"], np.eye(2, dtype=bool))
