"""Brier score, calibration curve and rates of true answers, by hand."""

import numpy as np
import pytest

from lmgt_core.audit.precision import Answers
from lmgt_core.audit.reliability import brier_score, calibration_curve, rate_of_true
from lmgt_core.judging.judgment import Judgment, Verdict

GOOD, NEUTRAL, BAD = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD


def answers(said: list[int], truth: list[int], confidence: list[float]) -> Answers:
    n = len(said)
    return Answers(np.array(said), np.array(truth), np.array(confidence), np.zeros(n), np.arange(n))


def test_the_brier_score_sums_squares_over_labels() -> None:
    sure, thirds = Judgment(GOOD, (1.0, 0.0, 0.0)), Judgment(GOOD, (1 / 3, 1 / 3, 1 / 3))
    assert brier_score([sure], [GOOD]) == 0 and brier_score([sure], [BAD]) == 2
    assert brier_score([thirds], [BAD]) == pytest.approx(2 / 3)
    assert brier_score([sure, thirds], [GOOD, BAD]) == pytest.approx(1 / 3)
    assert brier_score([Judgment(GOOD)], [GOOD]) is None


def test_a_calibration_curve_has_a_row_for_each_bin_with_answers() -> None:
    rows = calibration_curve(answers([1, 1, 1], [1, -1, 1], [0.52, 0.58, 1.0]))
    assert rows == [
        {"n": 2, "confidence": pytest.approx(0.55), "right": 0.5},
        {"n": 1, "confidence": 1.0, "right": 1.0},
    ]
    assert calibration_curve(answers([], [], [])) == []


def test_rates_of_true_answers_are_of_the_probes_with_that_label() -> None:
    some = answers([1, 0, -1, -1], [1, 1, -1, 1], [1.0] * 4)
    assert rate_of_true(some, 1) == pytest.approx(1 / 3) and rate_of_true(some, -1) == 1.0
    assert rate_of_true(some, 0) is None
