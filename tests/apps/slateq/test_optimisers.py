"""Slate values, slate optimisers and targets: golden values worked out by hand, and the optimum against brute force."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.slateq.decomposition import advantages, choice_probabilities, slate_value
from apps.slateq.optimisers import OPTIMISERS, greedy, optimal, optimal_by_linear_program, optimiser, top_k
from apps.slateq.targets import n_step, q_value, sarsa_value, td_target
from lmgt_core.errors import UserError

# Items a, b, c, d and no click. Scores times values: 12, 3.5, 3.25, 12.8.
SCORES = np.array([[4.0, 0.5, 0.5, 8.0, 1.0]])
VALUES = np.array([[3.0, 7.0, 6.5, 1.6, 0.0]])
VALUED_NO_CLICK = np.array([[3.0, 7.0, 6.5, 1.6, 2.0]])  # advantages 1, 5, 4.5, -.4
A, B, C, D = range(4)


def test_the_choice_is_proportional_to_the_scores() -> None:
    probabilities = choice_probabilities(SCORES, np.array([[A, D]]))
    np.testing.assert_allclose(probabilities, [[4 / 13, 8 / 13, 1 / 13]])


def test_a_slate_is_worth_what_its_choices_are() -> None:
    assert slate_value(SCORES, VALUES, np.array([[A, B]])) == pytest.approx([15.5 / 5.5])  # (4*3 + .5*7) / (4 + .5 + 1)
    assert slate_value(SCORES, VALUED_NO_CLICK, np.array([[A, B]])) == pytest.approx(
        [17.5 / 5.5]
    )  # and 1*2 of no click


def test_a_slate_that_nobody_can_choose_from_is_worth_nothing() -> None:
    assert slate_value(np.zeros((1, 3)), np.ones((1, 3)), np.array([[0]])) == pytest.approx([0.0])


def test_top_k_ranks_by_score_times_value() -> None:
    assert top_k(SCORES, VALUES, 2).tolist() == [[D, A]]  # 12.8, 12
    assert top_k(SCORES, VALUED_NO_CLICK, 2).tolist() == [[A, B]]  # 4, 2.5


def test_greedy_adds_what_helps_the_slate_most() -> None:
    # First 12/5, 3.5/1.5, 3.25/1.5, 12.8/9: a. Then 15.5/5.5, 15.25/5.5, 24.8/13: b.
    assert greedy(SCORES, VALUES, 2).tolist() == [[A, B]]
    # First 4/5, 2.5/1.5, 2.25/1.5: b. Then 6.5/5.5, 4.75/2: c.
    assert greedy(SCORES, VALUED_NO_CLICK, 2).tolist() == [[B, C]]


def test_the_optimal_slate_beats_both() -> None:
    assert optimal(SCORES, VALUES, 2).tolist() == [[B, C]]
    worth = [slate_value(SCORES, VALUES, f(SCORES, VALUES, 2))[0] for f in (top_k, greedy, optimal)]
    assert worth == pytest.approx([24.8 / 13, 15.5 / 5.5, 6.75 / 2])


def test_equal_items_go_in_the_order_of_the_candidates() -> None:
    for optimise in OPTIMISERS.values():
        assert optimise(np.ones((1, 5)), np.array([[1.0, 1.0, 1.0, 1.0, 0.0]]), 3).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_tensors_get_the_slates_that_arrays_get(name: str) -> None:
    import tensorflow as tf

    rng = np.random.default_rng(5)
    scores, values = rng.random((200, 11)).astype(np.float32), rng.normal(0, 9, (200, 11)).round().astype(np.float32)
    found = tf.function(lambda s, v: OPTIMISERS[name](s, v, 3))(tf.constant(scores), tf.constant(values))
    assert found.dtype == tf.int64
    assert (found.numpy() == OPTIMISERS[name](scores, values, 3)).all()


def test_a_sarsa_target_values_the_slate_that_was_served_next() -> None:
    value = sarsa_value(SCORES, VALUES, np.array([[A, D]]))
    assert td_target(np.array([4.0]), np.array([0.5]), value) == pytest.approx([4 + 0.5 * 24.8 / 13])


@pytest.mark.parametrize(("name", "worth"), [("top-k", 24.8 / 13), ("greedy", 15.5 / 5.5), ("optimal", 3.375)])
def test_a_q_target_values_the_slate_that_would_be_served_next(name: str, worth: float) -> None:
    value = q_value(SCORES, VALUES, OPTIMISERS[name], 2)
    assert td_target(np.array([4.0]), np.array([0.9]), value) == pytest.approx([4 + 0.9 * worth])


def test_a_double_q_target_chooses_by_one_network_and_values_by_the_other() -> None:
    assert q_value(SCORES, VALUES, optimal, 2, choose_by=np.array([[9.0, 0.0, 0.0, 9.0, 0.0]])) == pytest.approx(
        [24.8 / 13]
    )


def test_nothing_is_added_after_the_end_of_a_session() -> None:
    assert td_target(np.array([4.0]), np.array([0.0]), np.array([np.nan])) == pytest.approx([4.0])


def test_several_steps_are_discounted_up_to_the_end_of_the_session() -> None:
    total, discount = n_step(np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]), np.array([[0.5, 0.5, 0.5], [0.5, 0.0, 0.5]]))
    assert total.tolist() == [3.0, 2.0]  # 1 + 2/2 + 4/4; 1 + 2/2
    assert discount.tolist() == [0.125, 0.0]


def by_brute_force(scores: np.ndarray, values: np.ndarray, k: int) -> np.ndarray:
    """[B] the best value of any slate."""
    slates = [np.full((len(scores), k), slate) for slate in combinations(range(scores.shape[1] - 1), k)]
    return np.max([slate_value(scores, values, slate) for slate in slates], axis=0)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.data(), st.booleans())
def test_the_optimal_slate_is_the_best_of_all(items: int, data: st.DataObject, valued: bool) -> None:
    k = data.draw(st.integers(1, items))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    scores = np.column_stack([rng.exponential(size=(8, items)), rng.uniform(0.01, 3, size=8)])
    values = np.column_stack([rng.normal(1, 5, size=(8, items)), rng.normal(0, 5, size=8) * valued])
    best = by_brute_force(scores, values, k)
    np.testing.assert_allclose(slate_value(scores, values, optimal(scores, values, k)), best, atol=1e-9)
    program = optimal_by_linear_program(scores, values, k)
    np.testing.assert_allclose(slate_value(scores, values, program), best, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 8), st.data())
def test_a_constant_on_every_value_changes_no_slate(items: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, items))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    scores, values = rng.exponential(size=(5, items + 1)), rng.integers(-8, 9, size=(5, items + 1)) / 4
    for optimise in OPTIMISERS.values():
        assert optimise(scores, values, k).tolist() == optimise(scores, values + 16.0, k).tolist()
    assert (advantages(values + 16.0) == advantages(values)).all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_slate_has_different_items(name: str) -> None:
    rng = np.random.default_rng(0)
    scores, values = rng.exponential(size=(50, 21)), rng.normal(size=(50, 21))
    slates = OPTIMISERS[name](scores, values, 4)
    assert slates.shape == (50, 4) and slates.dtype == np.int64
    assert all(len(set(slate)) == 4 for slate in slates.tolist())


def test_tensors_give_what_arrays_give() -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(1)
    scores, values = (rng.exponential(size=(40, 13)).astype(np.float32) for _ in range(2))
    for optimise in OPTIMISERS.values():
        graph = tf.function(lambda s, v, f=optimise: f(s, v, 3))
        slates = optimise(scores, values, 3)
        assert graph(scores, values).numpy().tolist() == slates.tolist()
        in_graph = tf.function(lambda s, v, f=optimise: q_value(s, v, f, 3))(scores, values)
        np.testing.assert_allclose(in_graph.numpy(), slate_value(scores, values, slates), rtol=1e-5)


def test_an_unknown_optimiser_is_named_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"annealing.*top-k, greedy, optimal"):
        optimiser("annealing")
