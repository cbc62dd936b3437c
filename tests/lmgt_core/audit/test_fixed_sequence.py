"""The search for thresholds: which tests are made, by hand, and the promise on judges exactly at the border."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from lmgt_core.audit.fixed_sequence import passed_ranks, start_ranks
from lmgt_core.audit.precision import Answers
from lmgt_core.audit.thresholds import find_evidence, find_thresholds
from lmgt_core.judging.judgment import Verdict

GOOD = Verdict.GOOD
TRIALS = 600
Rng = np.random.Generator


@pytest.mark.parametrize(
    ("n", "ranks"), [(9, [9]), (11, [11]), (19, [11, 19]), (26, [13, 26]), (41, [21, 41]), (300, [38, 75, 150, 300])]
)
def test_tests_begin_at_all_answers_and_at_halves_that_could_pass(n: int, ranks: list[int]) -> None:
    assert start_ranks(np.arange(1, n + 1), 0.75, 0.1) == ranks


def passed(p_values: list[float], starts: list[int], ends: list[int] | None = None) -> list[int]:
    marked = np.isin(np.arange(1, len(p_values) + 1), ends or range(1, len(p_values) + 1))
    return passed_ranks(np.array(p_values), marked, starts, 0.1)


def test_testing_stops_at_the_first_failure() -> None:
    assert passed([0.9, 0.01, 0.01, 0.2, 0.0], [2]) == [2, 3]
    assert passed([0.0, 0.0, 0.2, 0.0, 0.0], [3]) == []  # nothing before a start counts, and nothing after a failure


def test_a_run_that_reaches_the_next_start_spends_both_shares() -> None:
    assert passed([0.04, 0.04, 0.09, 0.09], [1, 3]) == [1, 2, 3, 4]  # .05, .05, .1, .1
    assert passed([0.06, 0.04, 0.09, 0.09], [1, 3]) == []  # the first share is lost
    assert passed([0.06, 0.04, 0.04, 0.05], [1, 3]) == [3, 4]


def test_only_the_last_of_equal_confidences_is_a_threshold() -> None:
    assert passed([0.0, 0.09, 0.0, 0.0], [1], ends=[1, 4]) == [1, 4]
    assert passed([0.0, 0.5, 0.0, 0.0], [2], ends=[1, 4]) == []  # a start is tested even where it is no end


def test_what_is_reported_is_what_was_tested() -> None:
    right = [True] * 45 + [False] * 5
    some = Answers(
        np.ones(50, np.int64), np.where(right, 1, -1), np.full(50, 0.9), np.ones(50), np.arange(50, dtype=np.int64)
    )
    found = find_evidence(some, 0.75, np.random.default_rng(0))[GOOD]
    assert (found.threshold, found.independent, found.admitted, found.right) == (0.9, 50, 50, 45)
    assert found.p_value == pytest.approx(binom.sf(44, 50, 0.75))
    assert find_evidence(some, {}, np.random.default_rng(0))[GOOD].threshold is None


def test_a_threshold_has_no_tested_answer_within_the_gate_s_tolerance_below_it() -> None:
    confidence = np.append(np.full(30, 0.9), np.full(30, 0.9 - 5e-7))
    truth = np.append(np.ones(30), np.tile([1, -1], 15)).astype(np.int64)
    some = Answers(np.ones(60, np.int64), truth, confidence, np.ones(60), np.arange(60))
    assert find_thresholds(some, 0.75, np.random.default_rng(0))[GOOD] is None


def answers(confidence: np.ndarray, chance: np.ndarray, rng: Rng, group: np.ndarray | None = None) -> Answers:
    """All said good, right with the given chances."""
    n = len(confidence)
    truth = np.where(rng.random(n) < chance, 1, -1)
    return Answers(np.ones(n, np.int64), truth, confidence, np.ones(n), np.arange(n) if group is None else group)


def at_the_border(rng: Rng) -> tuple[Answers, Callable[[float], float]]:
    confidence = rng.random(200)
    return answers(confidence, np.full(200, 0.749), rng), lambda t: 0.749


def discrete(rng: Rng) -> tuple[Answers, Callable[[float], float]]:
    level = rng.integers(0, 3, 200)
    return answers(
        0.7 + level / 10, np.array([0.60, 0.74, 0.90])[level], rng
    ), lambda t: 0.9 if t > 0.85 else 0.82 if t > 0.75 else 0.7467


def not_monotone(rng: Rng) -> tuple[Answers, Callable[[float], float]]:
    """The most confident tenth is mostly wrong, the next best, the rest no good."""
    c = rng.random(200)
    chance = np.where(c > 0.9, 0.45, np.where(c > 0.5, 0.82, 0.7))

    def precision(t: float) -> float:
        over = np.linspace(t, 1, 4001)
        return float(np.where(over > 0.9, 0.45, np.where(over > 0.5, 0.82, 0.7)).mean())

    return answers(c, chance, rng), precision


def two_actions(rng: Rng) -> tuple[Answers, Callable[[float], float]]:
    """A hundred states with one good and one bad action each: good is said of both, of one or of none."""
    right = rng.random(200) < 0.749
    truth = np.tile([1, -1], 100)
    said = np.where(right, truth, -truth)
    return Answers(said, truth, rng.random(200), np.ones(200), np.repeat(np.arange(100), 2)), lambda t: 0.749


def grouped(rng: Rng) -> tuple[Answers, Callable[[float], float]]:
    """Forty objects with ten answers each; of a quarter of the objects the judge knows nothing."""
    known = rng.random(40) < 0.748
    group = np.repeat(np.arange(40), 10)
    return answers(rng.random(400), known[group].astype(float), rng, group), lambda t: 0.748


@pytest.mark.parametrize("family", [at_the_border, discrete, not_monotone, two_actions, grouped])
def test_the_promise_is_broken_in_at_most_delta_of_the_trials(
    family: Callable[[Rng], tuple[Answers, Callable[[float], float]]],
) -> None:
    broken = 0
    for seed in range(TRIALS):
        rng = np.random.default_rng(seed)
        some, precision = family(rng)
        threshold = find_thresholds(some, 0.75, rng)[GOOD]
        broken += threshold is not None and precision(threshold) < 0.75
    assert broken <= binom.ppf(0.999, TRIALS, 0.1)
    assert broken > 0  # the family is hard enough to break a promise at all


def test_parts_of_too_few_groups_are_no_starts() -> None:
    groups = np.repeat(np.arange(1, 17), 10)  # the first k of 160 answers are of k / 10 groups
    assert start_ranks(groups, 0.75, 0.1) == [101, 160]  # .75 ** 8 > .1 / 4; eleven groups could pass at half of .1
    assert start_ranks(np.repeat(np.arange(1, 41), 4), 0.75, 0.1) == [80, 160]
