"""Bets on the means of groups: by hand, and their promise where answers of a group fail together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.audit.group_bets import gains_by_rank, p_values_of_groups, ranks_of_groups
from lmgt_core.audit.precision import Answers
from lmgt_core.audit.thresholds import find_evidence, find_thresholds
from lmgt_core.judging.judgment import Verdict


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_gains_grow_with_the_rank() -> None:
    group, right = np.array([7, 3, 7]), np.array([True, False, False])
    met, gains = gains_by_rank(group, right, np.array([4, 2, 4]), 0.75)
    assert met.tolist() == [[False, True, True], [True, True, True]]  # group 3, then group 7
    assert gains.tolist() == [[0, -0.375, -0.375], [0.0625, 0.0625, 0.0625 - 0.1875]]
    assert ranks_of_groups(met, [1, 2]) == [1, 3]


def test_one_group_wins_its_stake() -> None:
    p = p_values_of_groups(np.array([[True]]), np.array([[0.25]]), 0.75, 0.05, rng())
    assert p[0] == pytest.approx(1 / (1 + 0.95 / 0.75 * 0.25))  # all that may be staked, at a gain of .25
    nobody = p_values_of_groups(np.array([[False]]), np.array([[0.0]]), 0.75, 0.05, rng())
    assert nobody[0] == pytest.approx(1)


def p_of_shares(shares: list[float], seed: int) -> float:
    gains = np.array([[share - 0.75] for share in shares])
    return float(p_values_of_groups(np.full(gains.shape, True), gains, 0.75, 0.05, rng(seed))[0])


@given(st.integers(0, 1000))
def test_groups_that_differ_little_prove_more(seed: int) -> None:
    assert p_of_shares([0.8, 0.9] * 20, seed) < p_of_shares([0.7, 1.0] * 20, seed) < p_of_shares([0.75, 0.8] * 5, seed)


def test_groups_all_at_the_demand_prove_nothing() -> None:
    assert p_of_shares([0.75] * 30, 0) == pytest.approx(1)


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
