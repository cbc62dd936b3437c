"""Whether a judge's probabilities mean what they say: Brier score, calibration curve, and rates of true answers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lmgt_core.audit.precision import Answers
from lmgt_core.judging.judgment import VERDICTS, Judgment, Verdict

BINS = 10  # of the calibration curve, equally wide


def brier_score(judgments: Sequence[Judgment], truths: Sequence[Verdict]) -> float | None:
    """The mean over answers of the sum over labels of (probability - 1 if true else 0) squared (Brier 1950).

    0 is best, 2 worst; 2/3 is what a third for each label gets. None where no answer has probabilities.
    """
    squares = [
        sum((p - (label is truth)) ** 2 for label, p in zip(VERDICTS, judgment.probabilities, strict=True))
        for judgment, truth in zip(judgments, truths, strict=True)
        if judgment.probabilities is not None
    ]
    return float(np.mean(squares)) if squares else None


def calibration_curve(answers: Answers, bins: int = BINS) -> list[dict[str, Any]]:
    """For each bin of confidence that has answers: their number, mean confidence, share of right ones, as JSON values.

    A judge is calibrated where the share of right answers equals the mean confidence.
    """
    bin_of = np.clip((answers.confidence * bins).astype(np.int64), 0, bins - 1)
    rows = []
    for index in np.unique(bin_of).tolist():
        here = answers.where(bin_of == index)
        rows.append({"n": len(here), "confidence": float(here.confidence.mean()), "right": float(here.right.mean())})
    return rows


def rate_of_true(answers: Answers, label: int) -> float | None:
    """The share of answered probes with this label to which the judge gave it; None without any.

    For good (+1) it is the true-positive rate, for bad (-1) the true-negative rate.
    """
    of_label = answers.where(answers.truth == label)
    return float(of_label.right.mean()) if len(of_label) else None
