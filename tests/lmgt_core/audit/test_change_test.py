"""The test of a precision while it is used: a fair game at the border, and quick where a judge has changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.audit.change_test import ALTERNATIVES, ChangeTest

DEMAND = 0.75
ANSWERS = st.lists(st.booleans(), max_size=60)


def after(answers: list[bool], demand: float = DEMAND, better: bool = False) -> ChangeTest:
    test = ChangeTest(demand, better)
    for right in answers:
        test.add(right)
    return test


def answers_until_alarm(answers: list[bool], delta: float = 0.1) -> int | None:
    """The number of the answer at which the evidence reaches 1 / delta."""
    test = ChangeTest(DEMAND)
    return next((n for n, right in enumerate(answers, 1) if test.add(right) >= 1 / delta), None)


def test_two_answers_by_hand() -> None:
    """A half is staked on the first answer, a sixth on the second, and a third is kept."""
    one = np.array([(1 - 0.75 * a) / 0.25 for a in ALTERNATIVES])  # a wrong answer's ratios
    two = np.array(ALTERNATIVES)  # a right answer's: .75 a / .75
    expected = np.mean((1 / 2 * one + 1 / 6) * two) + 1 / 3
    assert after([False, True]).evidence == pytest.approx(expected)
    assert after([]).evidence == 1


@given(ANSWERS, st.floats(0.05, 0.95), st.booleans())
def test_at_the_border_no_answer_has_an_expected_gain_and_none_a_loss(
    answers: list[bool], demand: float, better: bool
) -> None:
    before = after(answers, demand, better).evidence
    right, wrong = (after([*answers, last], demand, better).evidence for last in (True, False))
    assert demand * right + (1 - demand) * wrong == pytest.approx(before, rel=1e-9)


@given(ANSWERS, st.floats(0.05, 0.95))
def test_a_wrong_answer_speaks_against_a_precision_and_a_right_one_for_it(answers: list[bool], demand: float) -> None:
    assert after([*answers, False], demand).evidence > after([*answers, True], demand).evidence
    assert after([*answers, True], demand, True).evidence > after([*answers, False], demand, True).evidence


@given(ANSWERS, ANSWERS)
def test_a_test_taken_up_where_it_was_left_is_the_same(before: list[bool], later: list[bool]) -> None:
    left = after(before)
    taken_up = ChangeTest(DEMAND, n=left.n, stakes=left.stakes)
    for right in later:
        taken_up.add(right)
    assert taken_up.evidence == after([*before, *later]).evidence


@pytest.mark.parametrize(("right_before", "most"), [(0, 10), (100, 15), (1000, 18)])
def test_a_judge_that_is_suddenly_always_wrong_is_found_within_a_few_answers(right_before: int, most: int) -> None:
    """However long it was right: bets that began long ago do not stand in the way of later ones."""
    found = answers_until_alarm([True] * right_before + [False] * 50)
    assert found is not None and right_before < found <= right_before + most


def test_a_judge_at_the_border_is_accused_in_a_tenth_of_long_runs_at_most() -> None:
    rng = np.random.default_rng(0)
    accused = sum(answers_until_alarm((rng.random(1000) < DEMAND).tolist()) is not None for _ in range(400))
    assert accused <= 0.1 * 400
