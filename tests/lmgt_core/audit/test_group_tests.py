"""Tests of the means of groups: by hand, and their promise where answers of a group fail together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from lmgt_core.audit.group_tests import CAUTION, counts_by_rank, p_values_of_groups
from lmgt_core.audit.precision import Answers
from lmgt_core.audit.thresholds import find_evidence, find_thresholds
from lmgt_core.judging.judgment import Verdict


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_counts_grow_with_the_rank() -> None:
    counts, right = counts_by_rank(np.array([7, 3, 7]), np.array([True, False, False]))
    assert counts.tolist() == [[0, 1, 1], [1, 1, 2]]  # group 3, then group 7
    assert right.tolist() == [[0, 0, 0], [1, 1, 1]]


def test_two_groups_by_hand() -> None:
    p = p_values_of_groups(np.array([[2], [2]]), np.array([[2], [1]]), 0.5)
    mean, around, whole = 0.5, 0.5, 0.5 * 0.5 * 2**2  # excesses are 1 and 0
    assert p[0] == pytest.approx(min(1, CAUTION * t.sf(mean / np.sqrt((around + whole) / 1 / 2), 1)))
    assert p_values_of_groups(np.array([[2]]), np.array([[2]]), 0.5)[0] == 1  # one group proves nothing
    assert p_values_of_groups(np.array([[0], [0]]), np.array([[0], [0]]), 0.5)[0] == 1


@given(st.integers(2, 30), st.integers(1, 50), st.floats(0.5, 0.95))
def test_no_errors_prove_no_more_than_that_many_groups_can(groups: int, each: int, demand: float) -> None:
    all_right = np.full((groups, 1), each)
    assert p_values_of_groups(all_right, all_right, demand)[0] >= demand**groups


def p_of_shares(shares: list[float], each: int = 20) -> float:
    right = np.array([[round(share * each)] for share in shares])
    return float(p_values_of_groups(np.full(right.shape, each), right, 0.75)[0])


def test_more_groups_and_higher_shares_prove_more() -> None:
    assert p_of_shares([0.9] * 40) < p_of_shares([0.9] * 20) < p_of_shares([0.8] * 20) < 1


def test_groups_all_at_the_demand_prove_nothing() -> None:
    assert p_of_shares([0.75] * 30) == 1


def grouped(precision: float, each: int, seed: int) -> Answers:
    """Forty groups, of each of which all answers are right, or all are wrong."""
    group = np.repeat(np.arange(40), each)
    known = rng(seed).random(40) < precision
    n = len(group)
    return Answers(np.ones(n, np.int64), np.where(known[group], 1, -1), np.full(n, 0.9), np.ones(n), group)


def test_many_answers_of_few_groups_count_as_the_groups() -> None:
    passes = [find_thresholds(grouped(0.749, 25, seed), 0.75, rng(seed))[Verdict.GOOD] for seed in range(300)]
    assert sum(one is not None for one in passes) <= 45  # the binomial's 99.9 % at .1
    found = find_evidence(grouped(1.0, 25, 0), 0.75, rng())[Verdict.GOOD]
    assert (found.threshold, found.independent, found.admitted) == (0.9, 40, 1000)


def test_so_few_groups_that_none_of_them_may_err_prove_nothing() -> None:
    some = grouped(1.0, 25, 0)
    assert find_thresholds(some.where(some.group < 8), 0.75, rng())[Verdict.GOOD] is None  # .75 ** 8 > .1
    assert find_thresholds(some.where(some.group < 10), 0.75, rng())[Verdict.GOOD] == 0.9
