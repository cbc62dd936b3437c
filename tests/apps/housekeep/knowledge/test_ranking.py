import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.housekeep.knowledge.ranking import average_precisions, rank, within_receptacle_auc


def ap(relevant, scores):
    """The average precision of one query; None where nothing defines it."""
    found = average_precisions(np.array(relevant, bool)[:, None], np.array(scores, float)[:, None])
    return found.item() if len(found) else None


def test_average_precision_by_hand():
    assert ap([1, 0, 1, 0], [4, 3, 2, 1]) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert ap([0, 1], [2, 1]) == pytest.approx(1 / 2)
    assert ap([1, 1, 0], [3, 2, 1]) == 1.0


def test_equal_scores_are_one_threshold():
    assert ap([1, 0], [1, 1]) == pytest.approx(1 / 2)
    assert ap([0, 1], [1, 1]) == pytest.approx(1 / 2)
    assert ap([1, 0, 1, 0], [2, 1, 1, 1]) == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 4)


def test_without_anything_relevant_there_is_no_average_precision():
    assert ap([0, 0], [1, 2]) is None


def test_queries_without_anything_relevant_are_left_out():
    relevant, scores = np.array([[1, 0, 0], [0, 0, 1]], bool), np.array([[2.0, 2, 2], [1, 1, 1]])
    np.testing.assert_allclose(average_precisions(relevant, scores), [1, 1 / 2])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=12), st.randoms())
def test_average_precision_does_not_depend_on_the_order_given(items, random):
    value = ap(*zip(*items, strict=True))
    shuffled = list(items)
    random.shuffle(shuffled)
    assert ap(*zip(*shuffled, strict=True)) == (None if value is None else pytest.approx(value))


# Two rooms of two receptacles, three objects; the last one belongs nowhere.
PLACES = ("a|x", "a|y", "b|x", "b|y")
CORRECT = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 1, 0]], bool)
SCORES = np.array([[0.9, 0.3, 9.0], [0.1, 0.2, 9.0], [0.8, 0.4, 9.0], [0.2, 0.1, 9.0]])


def test_the_numbers_of_a_small_table_by_hand():
    ranking = rank(CORRECT, SCORES, PLACES)
    # object 0 in room a: right one first, 1; in room b: right one second, 1/2. object 1 in room b: all right, 1.
    assert ranking.orr_map == pytest.approx((1 + 1 / 2 + 1) / 3)
    # object 0: both rooms are right, 1. object 1: rooms score .3 and .4, and b is right, 1.
    assert ranking.or_map == pytest.approx(1.0)
    # right: .9, .4, .2, .1; wrong: .3, .1, .2, .8. Pairs won: 4, 3, 1.5, .5 of 16.
    assert ranking.pooled_auc == pytest.approx(9 / 16)
    assert ranking.n == 2


def test_objects_that_belong_nowhere_change_nothing():
    assert rank(CORRECT, SCORES, PLACES) == rank(CORRECT[:, :2], SCORES[:, :2], PLACES)


def test_without_a_right_place_nothing_is_defined():
    ranking = rank(np.zeros((4, 2), bool), np.ones((4, 2)), PLACES)
    assert ranking.orr_map is ranking.or_map is ranking.pooled_auc is ranking.within_receptacle_auc is None
    assert ranking.n == 0


def test_popularity_does_not_help_within_a_receptacle():
    rng = np.random.default_rng(0)
    correct = rng.random((20, 30)) < np.linspace(0.1, 0.9, 20)[:, None]
    popularity = np.repeat(correct.mean(axis=1)[:, None], 30, axis=1)
    assert within_receptacle_auc(correct, popularity) == pytest.approx(0.5)


def test_a_receptacle_weighs_as_its_rarer_answer():
    correct = np.array([[1, 0, 0, 0], [1, 1, 0, 0]], bool)
    scores = np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 1.0]])  # areas 1 and 0, weights 1 and 2
    assert within_receptacle_auc(correct, scores) == pytest.approx(1 / 3)
