"""One measurement of a judge, without any training: how right, how sure and how fast it is, and what it costs."""

import time
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.control.study.judges import Remembered, make_cell_judge, make_guidance
from lmgt_core.audit.audit import Probe
from lmgt_core.audit.precision import auc
from lmgt_core.errors import UserError
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.registry import NONE
from lmgt_core.rules.shift import speaks
from lmgt_core.study.app import Result, Settings


def measure(settings: Settings, seed: int) -> Result:
    """The judge on some of the labelled questions, drawn by `seed`, and its agreement with the reference."""
    s: Any = settings
    guidance = make_guidance(settings, seed)
    judge = guidance.judge
    if not isinstance(judge, Remembered):
        raise UserError(f"judge {NONE}: there is nobody to measure; name a judge")
    rng = np.random.default_rng([seed, 13])  # not of the judge: every judge and strategy gets the same questions
    probes = guidance.domain.probes(guidance.template.render, rng)
    drawn = [probes[i] for i in sorted(rng.permutation(len(probes))[: s["questions"]])]
    judge.judge([drawn[0].prompt])  # loads what is loaded late, and is no part of the time
    warm = Remembered(judge.judged)
    begun = time.perf_counter()
    answers = warm.judge([p.prompt for p in drawn])
    seconds = (time.perf_counter() - begun) / len(drawn)
    return {
        **quality(drawn, answers),
        **_likeness(settings, guidance, drawn, answers, seed),
        "tokens": warm.tokens / len(drawn),
        "per_question_seconds": seconds,
    }


@cache
def _known(reference: str, env: str, strategy: str, seed: int) -> dict[str, Judgment]:
    """What a reference has said in this process: several judges are compared with it on the same questions."""
    return {}


def quality(probes: list[Probe], answers: list[Judgment]) -> dict[str, float | None]:
    """Accuracy among readable answers, AUC, Brier score, and shares of unreadable answers and of those that say good.

    The Brier score is the mean squared error of P(good) / (P(good) + P(bad)) where the truth is good or bad: 0.25 is a
    coin's, 0 an oracle's (Brier 1950).
    """
    readable = [(p.label, a) for p, a in zip(probes, answers, strict=True) if speaks(a)]
    decided = [(label is Verdict.GOOD, a) for label, a in readable if label is not Verdict.NEUTRAL]
    good = np.array([g for g, _ in decided], dtype=bool)
    scores = np.array([a.expected_label for _, a in decided])
    return {
        "accuracy": float(np.mean([label is a.verdict for label, a in readable])) if readable else None,
        "auc": auc(scores, good) if decided else None,
        "brier": float(np.mean((sureness([a for _, a in decided]) - good) ** 2)) if decided else None,
        "unreadable": 1 - len(readable) / len(probes),
        "says_good": float(np.mean([a.verdict is Verdict.GOOD for _, a in readable])) if readable else None,
    }


def sureness(answers: list[Judgment]) -> NDArray[np.float64]:
    """[answer] P(good) among good and bad; 1, 0 or a half where a judge gives no probabilities."""
    pairs = [(a.probabilities[0], a.probabilities[2]) if a.probabilities else (a.label, -a.label) for a in answers]
    both = np.clip(np.array(pairs, dtype=np.float64).reshape(-1, 2), 0, None)
    total = both.sum(axis=1)
    return np.where(total > 0, both[:, 0] / np.where(total > 0, total, 1), 0.5)


def _likeness(
    settings: Settings, guidance: Guidance, probes: list[Probe], answers: list[Judgment], seed: int
) -> dict[str, float | None]:
    """How like the reference's the answers are: equal verdicts, and the mean difference of P(good) - P(bad)."""
    if not settings["reference"]:
        return {"agreement": None, "difference": None}
    named = {**settings, "judge": settings["reference"]}
    reference = make_cell_judge(named, guidance.template.template, seed)
    assert reference is not None  # the settings were checked
    known = _known(str(settings["reference"]), str(settings["env"]), str(settings["strategy"]), seed)
    others = Remembered(reference.judged, known).judge([p.prompt for p in probes])
    pairs = list(zip(answers, others, strict=True))
    return {
        "agreement": float(np.mean([a.verdict is b.verdict for a, b in pairs])),
        "difference": float(np.mean([abs(a.expected_label - b.expected_label) for a, b in pairs])),
    }
