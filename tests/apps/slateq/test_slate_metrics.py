"""Metrics of what slates show: values by hand, and what holds for all slates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apps.slateq.baselines import Myopic
from apps.slateq.config import WorldConfig
from apps.slateq.session_metrics import interest_gains, play
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Observation
from apps.slateq.slate_metrics import SLATE_METRICS, ShownTally, intra_list_diversity, ndcg, novelty

SECOND = 1 / np.log2(3)  # what the second place of a slate counts: .63093


def test_ndcg_compares_a_slate_with_the_best_in_the_best_order() -> None:
    gains = np.tile([1.0, 0.5, 0.0, 0.25], (4, 1))
    slates = np.array([[0, 1], [1, 0], [3, 2], [2, 3]])
    best = 1 + 0.5 * SECOND
    expected = [1, (0.5 + SECOND) / best, 0.25 / best, 0.25 * SECOND / best]
    np.testing.assert_allclose(ndcg(gains, slates), expected)
    assert ndcg(gains, slates)[1] == pytest.approx(0.8597, abs=1e-4)


def test_where_no_candidate_gains_anything_ndcg_says_nothing() -> None:
    assert np.isnan(ndcg(np.zeros((1, 3)), np.array([[0, 1]]))).all()
    assert np.isnan(ndcg(np.full((1, 3), np.nan), np.array([[0, 1]]))).all()


@given(
    arrays(np.float64, (5, 6), elements=st.floats(0, 1)),
    st.integers(1, 6).flatmap(lambda k: st.permutations(range(6)).map(lambda order: order[:k])),
)
def test_ndcg_lies_between_0_and_1_which_the_best_slate_has(gains: np.ndarray, slate: list[int]) -> None:
    found = ndcg(gains, np.tile(slate, (5, 1)))
    known = np.isfinite(found)
    assert ((found[known] >= 0) & (found[known] <= 1 + 1e-12)).all()
    best = np.argsort(-gains, axis=1)[:, : len(slate)]
    np.testing.assert_allclose(ndcg(gains, best)[known], 1)


def test_diversity_counts_pairs_of_different_topics() -> None:
    np.testing.assert_allclose(intra_list_diversity(np.array([[1, 1, 1], [1, 1, 2], [1, 2, 3]])), [0, 2 / 3, 1])
    assert np.isnan(intra_list_diversity(np.array([[4]]))).all()


def test_novelty_is_the_surprise_of_a_topic_after_what_was_shown() -> None:
    topics = np.array([[0, 1]])
    assert novelty(topics, np.zeros((1, 4))).tolist() == [2.0]  # one in four
    assert novelty(topics, np.array([[3.0, 0.0, 1.0, 0.0]])).tolist() == [2.0]  # 4 of 8 (1 bit), 1 of 8 (3 bits)
    assert novelty(np.array([[0, 0]]), np.array([[3.0, 0.0, 1.0, 0.0]])).tolist() == [1.0]


def test_a_session_is_measured_while_its_user_is_served() -> None:
    tally = ShownTally(users=2, topics=4)
    gains = np.array([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    tally.add(np.array([True, True]), np.array([[0, 1], [2, 2]]), gains, np.array([[0, 1], [0, 1]]))
    tally.add(np.array([True, False]), np.array([[0, 0], [1, 3]]), gains, np.array([[1, 0], [0, 1]]))
    found = tally.values(np.array([1.0, 2.0]))
    assert list(found) == list(SLATE_METRICS)
    np.testing.assert_allclose(found["click_through_rate"], [1 / 4, 1])  # of four documents, and of two
    np.testing.assert_allclose(found["ndcg"], [(1 + 0.8597186) / 2, np.nan], rtol=1e-6)
    np.testing.assert_allclose(found["catalogue_coverage"], [2 / 4, 1 / 4])
    np.testing.assert_allclose(found["intra_list_diversity"], [1 / 2, 0])
    np.testing.assert_allclose(found["novelty"], [(2 + np.log2(3)) / 2, 2])  # then 2 of 6, twice


def test_gains_are_interests_from_0_to_1_and_unknown_where_those_are_hidden() -> None:
    topics = np.array([[2, 0]])
    seen = Observation(np.array([[-1.0, 0.0, 1.0]], np.float32), np.zeros((1, 2, 3), np.float32), topics, np.zeros(1))
    assert interest_gains(seen).tolist() == [[1.0, 0.0]]
    hidden = Observation(np.zeros((1, 0), np.float32), np.zeros((1, 2, 1), np.float32), topics, np.zeros(1))
    assert np.isnan(interest_gains(hidden)).all()


def test_the_myopic_policy_serves_the_slates_of_the_highest_interest() -> None:
    simulator = make_simulator(WorldConfig(candidates=6, slate=3, budget=20.0), users=20)
    found = play(simulator, Myopic(simulator, "top-k"), 0).values
    np.testing.assert_allclose(found["ndcg"], 1)
    np.testing.assert_allclose(found["click_through_rate"], found["click_rate"] / 3)
