"""What an arm is worth: caption correctness, accuracy, AUC, and where its mistakes come from.

accuracy = 1 - lost in the caption - lost in the judging + gained by luck, question by question: a mistake of a perfect
reader of the same caption was made by the captioner; of what that reader still gets right, the judge may lose some; and
where the reader is wrong the judge may be right by luck.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from lmgt_core.audit.precision import Answers as Scored
from lmgt_core.audit.precision import auc, auc_interval, precision_interval
from lmgt_core.compare.arms import Answers, Shown
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.rules.shift import speaks
from lmgt_core.training.statistics import Interval, bootstrap_ci

LABELS = {Verdict.GOOD: 1, Verdict.NEUTRAL: 0, Verdict.BAD: -1}


@dataclass(frozen=True)
class Measured:
    """Shares in [0, 1] of all questions: one without a readable answer counts as wrong, and scores 0 for the AUC.

    `answered`: share with a readable answer. `caption_exact`: of the pictures; None for a direct arm. The three parts
    of the decomposition are None where nothing but the judge's answer is known.
    """

    caption_exact: float | None
    answered: float
    judgment_accuracy: float
    accuracy_ci95: Interval | None
    auc: float | None
    auc_ci95: Interval | None
    lost_in_caption: float | None
    lost_in_judging: float | None
    gained_by_luck: float | None

    def as_dict(self) -> dict[str, float | Interval | None]:
        """The fields by name."""
        return asdict(self)


def measure(answers: Answers, shown: Sequence[Shown], rng: np.random.Generator) -> Measured:
    """The figures of one arm; intervals are 95 % bootstraps over pictures, whose questions are not independent."""
    right = correct(answers.judgments, shown)
    truth = np.array([LABELS[label] for s in shown for label in s.labels])
    said = [judgment for row in answers.judgments for judgment in row]
    score = np.array([j.expected_label for j in said])
    picture = np.repeat(np.arange(len(shown)), [len(s.actions) for s in shown])
    sides = truth != 0
    spoken = np.array([speaks(j) for j in said])
    scored = Scored(np.where(right, truth, 99), truth, np.ones(len(truth)), score, picture)
    caption = judging = luck = None
    if answers.ideal is not None:
        ideal = correct(answers.ideal, shown)
        caption, judging = float((~ideal).mean()), float((ideal & ~right).mean())
        luck = float((~ideal & right).mean())
    return Measured(
        None if answers.exact is None else float(answers.exact.mean()),
        float(spoken.mean()),
        float(right.mean()),
        precision_interval(scored, rng),
        auc(score[sides], truth[sides] > 0),
        auc_interval(score[sides], truth[sides] > 0, picture[sides], rng),
        caption,
        judging,
        luck,
    )


def correct(judgments: Sequence[Sequence[Judgment]], shown: Sequence[Shown]) -> NDArray[np.bool_]:
    """[question] whether a readable answer is the true verdict."""
    return np.array(
        [
            speaks(judgment) and judgment.verdict is label
            for row, s in zip(judgments, shown, strict=True)
            for judgment, label in zip(row, s.labels, strict=True)
        ]
    )


def agreement(arms: Sequence[Answers]) -> list[dict[str, float | str]]:
    """For every arm the share of questions on which each other one gave the same verdict."""
    verdicts = [[j.verdict for row in a.judgments for j in row] for a in arms]
    return [
        {"arm": one.arm.name}
        | {
            other.arm.name: float(np.mean([x is y for x, y in zip(verdicts[i], verdicts[k], strict=True)]))
            for k, other in enumerate(arms)
        }
        for i, one in enumerate(arms)
    ]


def row(name: str, frames: int, answers: Answers | None, measured: Measured | None, returns: Sequence[float],
        missing: str = "") -> dict[str, object]:  # fmt: skip
    """One line of the table: the columns that `--json` promises, then the rest; None for what was not measured."""
    interval = bootstrap_ci(list(returns), "mean") if len(returns) > 1 else None
    m, a = measured, answers
    return {
        "arm": name,
        "frames": frames,
        "caption_exact": m and m.caption_exact,
        "judgment_accuracy": m and m.judgment_accuracy,
        "auc": m and m.auc,
        "auc_ci95": m and m.auc_ci95,
        "seconds_per_judgment": a and a.seconds,
        "return_mean": float(np.mean(returns)) if returns else None,
        "return_ci95": interval,
        "missing": missing,
        "about": a.arm.about if a else "",
        "answered": m and m.answered,
        "accuracy_ci95": m and m.accuracy_ci95,
        "lost_in_caption": m and m.lost_in_caption,
        "lost_in_judging": m and m.lost_in_judging,
        "gained_by_luck": m and m.gained_by_luck,
        "tokens_per_judgment": a and a.tokens,
        "memory_mb": a and a.memory_mb,
    }
