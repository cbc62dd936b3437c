"""A judge is audited before it trains anything, and then speaks only where it was seen to be precise.

The gate is selective: on one half of the labelled probes it finds, for each verdict, the lowest confidence from which
on the precision has a lower bound of at least `min_precision`; below it, or without one, the judge abstains. Twenty
thresholds are tried for each verdict, so the bound of the one chosen is a little optimistic: with 400 probes a side and
a precision of exactly .75 at every confidence, a verdict passed a demand of .75 in 17 % of 60 trials; at .70, in 3 %.
Therefore the other half of the probes, which had no say, reports precision and coverage, and `held_out_ok` says whether
the halves agree.

A precision holds for the mix of labels that it was measured on: where nine probes in ten are bad, whoever always says
bad is right nine times in ten. So the probes have to be mixed as the decisions will be, or evenly (`balance_probes`).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lmgt_core.audit.audit import Audit, HeldOut, Probe, Thresholds, balance_probes
from lmgt_core.audit.precision import (
    Answers,
    Bound,
    auc,
    auc_interval,
    group_weights,
    precision_bounds,
    precision_interval,
)
from lmgt_core.errors import UserError
from lmgt_core.judging.judge import Judge, JudgeKind, ask
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.rules.shift import speaks

__all__ = [
    "Audit",
    "HeldOut",
    "Probe",
    "SelectiveGate",
    "Thresholds",
    "audit_judge",
    "balance_probes",
    "find_thresholds",
]

LABELS: Mapping[Verdict, int] = {Verdict.GOOD: 1, Verdict.NEUTRAL: 0, Verdict.BAD: -1}
MIN_PRECISION = 0.75
MIN_PROBES = 20  # answers in a region before it may be trusted
CANDIDATES = 20  # thresholds tried for each verdict
TOLERANCE = 1e-6  # of confidences: a model's last digits change with the batch
FACT_VALUES = 12  # facts with more values than this are no categories to report a bias for
BATCH = 64  # questions between two steps of the progress bar, and what a killed audit asks again


class SelectiveGate:
    """A judge around a judge that abstains below each verdict's threshold, and where there is none.

    It goes around the cache, not into it: the cache keeps what the judge said. A gate without any threshold does not
    ask the judge at all.
    """

    def __init__(self, judge: Judge, thresholds: Thresholds) -> None:
        self.judged = judge
        self.thresholds = {v: thresholds.get(v) for v in LABELS}
        self.silent = all(t is None for t in self.thresholds.values())

    @property
    def id(self) -> str:
        limits = (f"{v.value}{'=never' if t is None else f'>={t:.9g}'}" for v, t in self.thresholds.items())
        return f"gate({self.judged.id}; {', '.join(limits)})"

    @property
    def kind(self) -> JudgeKind:
        return self.judged.kind

    @property
    def cacheable(self) -> bool:
        return self.judged.cacheable

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The judge's answers, those outside its regions silenced with the reason."""
        if self.silent:
            return [Judgment(Verdict.NEUTRAL).abstain("the gate is silent: the judge was not asked")] * len(prompts)
        return [self._admit(j) for j in ask(self.judged, prompts)]

    def _admit(self, judgment: Judgment) -> Judgment:
        if not speaks(judgment):
            return judgment
        threshold = self.thresholds[judgment.verdict]
        if threshold is None:
            return judgment.abstain(f"the gate is silent on {judgment.verdict.value}")
        if judgment.confidence < threshold - TOLERANCE:
            limit = f"{threshold:.3f}, the gate's for {judgment.verdict.value}"
            return judgment.abstain(f"confidence {judgment.confidence:.3f} is under {limit}")
        return judgment


def audit_judge(
    judge: Judge,
    probes: Sequence[Probe],
    min_precision: float = MIN_PRECISION,
    rng: np.random.Generator | None = None,
    *,
    gated: bool = True,
    bound: Bound = "both",
    min_probes: int = MIN_PROBES,
    progress: Callable[[int], object] = lambda asked: None,
) -> Audit:
    """What `judge` is worth on `probes`, and the thresholds that a `SelectiveGate` needs.

    `rng` (default: a generator seeded with 0) splits the groups into halves and draws bootstrap samples; `gated` only
    records whether the gate will be in force; `progress` is told how many probes were asked in each batch.
    """
    if not 0 < min_precision < 1:
        raise UserError(f"--min-precision {min_precision}: a precision to demand lies between 0 and 1, like 0.75")
    if not probes or any(p.label not in LABELS for p in probes):
        raise ValueError("an audit needs probes labelled good, neutral or bad; without labels a run is unaudited")
    rng = rng or np.random.default_rng(0)
    start = time.perf_counter()
    judgments = _ask_all(judge, [p.prompt for p in probes], progress)
    seconds = max(time.perf_counter() - start, sum(j.cost.seconds for j in judgments)) / len(probes)
    spoken, answers = _answers(probes, judgments)
    calibrates = split_groups([p.group for p in probes], rng)
    thresholds = find_thresholds(answers.where(calibrates[spoken]), min_precision, rng, bound, min_probes)
    held_out = _held_out(answers.where(~calibrates[spoken]), int((~calibrates).sum()), thresholds, rng)
    unreadable = sum(j.verdict is Verdict.UNREADABLE for j in judgments)
    sides = answers.truth != 0
    side_score, side_good, side_group = answers.score[sides], answers.truth[sides] > 0, answers.group[sides]
    _, label_counts = np.unique([p.label for p in probes], return_counts=True)
    return Audit(
        judge=judge.id,
        kind=judge.kind.value,
        n=len(probes),
        answered=len(answers),
        accuracy=_share(answers),
        baseline=float(label_counts.max() / len(probes)),
        auc=auc(side_score, side_good),
        auc_ci95=auc_interval(side_score, side_good, side_group, rng),
        precision=_by_verdict(answers),
        bias=_bias([p for p, s in zip(probes, spoken, strict=True) if s], answers),
        abstention_rate=(len(probes) - len(answers) - unreadable) / len(probes),
        unreadable_rate=unreadable / len(probes),
        seconds_per_judgment=seconds,
        min_precision=min_precision,
        thresholds=thresholds,
        held_out=held_out,
        held_out_ok=_confirms(held_out, min_precision),
        gated=gated,
        silent=gated and all(t is None for t in thresholds.values()),
    )


def split_groups(groups: Sequence[str], rng: np.random.Generator) -> NDArray[np.bool_]:
    """[probe] whether it calibrates the gate: about half of the probes, whole groups, drawn by `rng`."""
    names, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(names))
    before = np.zeros(len(names), dtype=np.int64)
    before[order] = np.cumsum(sizes[order]) - sizes[order]
    chosen = before * 2 < len(groups)
    return np.asarray(chosen[index])


def find_thresholds(
    answers: Answers,
    min_precision: float,
    rng: np.random.Generator,
    bound: Bound = "both",
    min_probes: int = MIN_PROBES,
) -> Thresholds:
    """For each verdict the lowest confidence from which on its precision is surely `min_precision`, or None."""
    names, group = np.unique(answers.group, return_inverse=True)
    weights = group_weights(max(len(names), 1), rng)
    answers = Answers(answers.said, answers.truth, answers.confidence, answers.score, group)
    return {
        verdict: _threshold(answers.where(answers.said == label), min_precision, weights, bound, min_probes)
        for verdict, label in LABELS.items()
    }


def _threshold(
    answers: Answers, min_precision: float, weights: NDArray[np.float64], bound: Bound, min_probes: int
) -> float | None:
    if len(answers) < min_probes:
        return None
    levels = np.quantile(answers.confidence, np.linspace(0, 1, CANDIDATES, endpoint=False), method="lower")
    candidates = np.unique(levels)
    counts, lower = precision_bounds(answers, candidates, weights, bound)
    trusted = candidates[(counts >= min_probes) & (lower >= min_precision)]
    return float(trusted[0]) if len(trusted) else None


def _ask_all(judge: Judge, prompts: Sequence[Prompt], progress: Callable[[int], object]) -> list[Judgment]:
    judgments: list[Judgment] = []
    for start in range(0, len(prompts), BATCH):
        batch = prompts[start : start + BATCH]
        judgments += ask(judge, batch)
        progress(len(batch))
    return judgments


def _answers(probes: Sequence[Probe], judgments: Sequence[Judgment]) -> tuple[NDArray[np.bool_], Answers]:
    """[probe] which ones were answered, and those answers."""
    spoken = np.array([speaks(j) for j in judgments], dtype=bool)
    _, group = np.unique([p.group for p in probes], return_inverse=True)
    heard = [(p, j) for p, j in zip(probes, judgments, strict=True) if speaks(j)]
    return spoken, Answers(
        said=np.array([LABELS[j.verdict] for _, j in heard], dtype=np.int64),
        truth=np.array([LABELS[p.label] for p, _ in heard], dtype=np.int64),
        confidence=np.array([j.confidence for _, j in heard], dtype=np.float64),
        score=np.array([j.expected_label for _, j in heard], dtype=np.float64),
        group=group[spoken],
    )


def _held_out(answers: Answers, n: int, thresholds: Thresholds, rng: np.random.Generator) -> HeldOut:
    """What is left of the held-out answers under the gate."""
    limit = {LABELS[v]: np.inf if t is None else t - TOLERANCE for v, t in thresholds.items()}
    admitted = answers.where(answers.confidence >= np.array([limit[s] for s in answers.said.tolist()]))
    coverage = len(admitted) / n if n else 0.0
    return HeldOut(n, coverage, _share(admitted), precision_interval(admitted, rng), _by_verdict(admitted))


def _confirms(held_out: HeldOut, min_precision: float) -> bool | None:
    seen = [v["precision"] for v in held_out.by_verdict.values() if v["precision"] is not None]
    return all(p >= min_precision for p in seen) if seen else None


def _share(answers: Answers) -> float | None:
    return float(answers.right.mean()) if len(answers) else None


def _by_verdict(answers: Answers) -> dict[str, dict[str, float | int | None]]:
    """Number and precision of each verdict."""
    of = {v: answers.where(answers.said == label) for v, label in LABELS.items()}
    return {v.value: {"n": len(a), "precision": _share(a)} for v, a in of.items()}


def _bias(probes: Sequence[Probe], answers: Answers) -> dict[str, dict[str, float | int]]:
    """For each `fact=value` of facts with few values: n, mean label given, mean true label, and the difference."""
    values: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, probe in enumerate(probes):
        for fact, value in probe.prompt.facts.items():
            values[fact][value].append(row)
    biases = {}
    for fact, rows in sorted(values.items()):
        if 2 <= len(rows) <= FACT_VALUES:
            for value, where in sorted(rows.items()):
                given, true = float(answers.said[where].mean()), float(answers.truth[where].mean())
                biases[f"{fact}={value}"] = {"n": len(where), "given": given, "true": true, "bias": given - true}
    return biases
