"""A judge is audited before it trains anything, and then speaks only where it was seen to be precise.

The gate is selective: for each verdict it finds the lowest confidence from which on the precision is at least what was
demanded, with probability 1 - delta after the search (`thresholds`); below it, or without one, the judge abstains. All
probes take part in the search, but for those that the judge was fitted to (`unseen`): the promise needs no second half,
and half as many probes would cost coverage. What is reported beside it, `held_out`, is therefore cross-fitted: each
tenth of the groups is put to a gate whose thresholds the other nine tenths chose.

A precision holds for the mix of labels that it was measured on: where nine probes in ten are bad, whoever always says
bad is right nine times in ten. So the probes have to be mixed evenly (`balance_probes`), and the mix that an agent
meets is a matter of `play_rates`.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lmgt_core.audit.audit import Audit, HeldOut, Probe, Thresholds, balance_probes
from lmgt_core.audit.demands import AUTO, Demands, parse_demands
from lmgt_core.audit.play_rates import Confusion, PlayRates, confusion, demands_on_probes
from lmgt_core.audit.precision import Answers, auc, auc_interval, precision_interval
from lmgt_core.audit.reliability import brier_score, calibration_curve, rate_of_true
from lmgt_core.audit.thresholds import DELTA, LABELS, MIN_PROBES, TOLERANCE, find_evidence, find_thresholds
from lmgt_core.audit.unseen import unseen
from lmgt_core.judging.judge import Judge, JudgeKind, ask, ask_all
from lmgt_core.judging.judgment import VERDICTS, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.rules.shift import speaks

__all__ = [
    "Audit",
    "HeldOut",
    "PlayRates",
    "Probe",
    "SelectiveGate",
    "Thresholds",
    "audit_judge",
    "balance_probes",
    "find_thresholds",
]

FOLDS = 10  # of the cross-fitted report
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
    min_precision: float | str | Mapping[Verdict, float] = AUTO,
    rng: np.random.Generator | None = None,
    *,
    gated: bool = True,
    delta: float = DELTA,
    min_probes: int = MIN_PROBES,
    play_rates: PlayRates | None = None,
    progress: Callable[[int], object] = lambda asked: None,
) -> Audit:
    """What `judge` is worth on `probes`, and the thresholds that a `SelectiveGate` needs.

    `min_precision` is demanded of every verdict, or of each its own (see `parse_demands`); it holds for each with
    probability 1 - `delta`, in play if `play_rates` are given, and else on decisions mixed as the probes are. `rng`
    (default: a generator seeded with 0) draws orders, folds and bootstrap samples. Probes to whose labels the judge was
    fitted are left out, and not asked (`unseen`). `gated` only records whether the gate will be in force; `progress` is
    told how many probes were asked in each batch.
    """
    demands = parse_demands(min_precision, play_rates is not None)
    if not 0 < delta < 1:
        raise ValueError(f"delta {delta}: the probability that a promise fails lies between 0 and 1")
    if not probes or any(p.label not in LABELS for p in probes):
        raise ValueError("an audit needs probes labelled good, neutral or bad; without labels a run is unaudited")
    rng = rng or np.random.default_rng(0)
    if not (probes := unseen(judge, probes)):
        raise ValueError("the judge was fitted to all probes, so none can audit it")
    start = time.perf_counter()
    judgments = ask_all(judge, [p.prompt for p in probes], progress, BATCH)
    seconds = max(time.perf_counter() - start, sum(j.cost.seconds for j in judgments)) / len(probes)
    spoken, answers = _answers(probes, judgments)
    _, label_counts = np.unique([p.label for p in probes], return_counts=True)
    shares = {v: float(np.mean([p.label is v for p in probes])) for v in VERDICTS}
    heard = _confusion(probes, judgments, rng)
    on_probes, spend = demands_on_probes(demands, play_rates, shares, heard, delta)
    evidence = find_evidence(answers, on_probes, rng, spend, min_probes)
    thresholds = {verdict: one.threshold for verdict, one in evidence.items()}
    held_out = _held_out(answers, len(probes), thresholds, on_probes, spend, min_probes, rng)
    unreadable = sum(j.verdict is Verdict.UNREADABLE for j in judgments)
    sides = answers.truth != 0
    side_score, side_good, side_group = answers.score[sides], answers.truth[sides] > 0, answers.group[sides]
    heard_rows = np.flatnonzero(spoken).tolist()
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
        min_precision=_one_or_each(demands),
        thresholds=thresholds,
        held_out=held_out,
        held_out_ok=_confirms(held_out, demands),
        gated=gated,
        silent=gated and all(t is None for t in thresholds.values()),
        delta=delta,
        promises={
            v.value: {"demanded": demands.get(v), "demanded_on_probes": on_probes.get(v), **one.as_dict()}
            for v, one in evidence.items()
        },
        brier=brier_score([judgments[i] for i in heard_rows], [probes[i].label for i in heard_rows]),
        calibration_curve=calibration_curve(answers),
        true_positive_rate=rate_of_true(answers, LABELS[Verdict.GOOD]),
        true_negative_rate=rate_of_true(answers, LABELS[Verdict.BAD]),
        groups=len({probe.group for probe in probes}),
    )


def split_groups(groups: Sequence[str], rng: np.random.Generator) -> NDArray[np.bool_]:
    """[probe] whether it lies in the first half: about half of the probes, whole groups, drawn by `rng`."""
    names, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(names))
    before = np.zeros(len(names), dtype=np.int64)
    before[order] = np.cumsum(sizes[order]) - sizes[order]
    chosen = before * 2 < len(groups)
    return np.asarray(chosen[index])


def _confusion(probes: Sequence[Probe], judgments: Sequence[Judgment], rng: np.random.Generator) -> Confusion:
    """What was said to each label, counted on one probe of each group and label."""
    chosen: dict[tuple[str, Verdict], int] = {}
    for row in rng.permutation(len(probes)).tolist():
        chosen.setdefault((probes[row].group, probes[row].label), row)
    rows = list(chosen.values())
    said = np.array([judgments[i].verdict.value if speaks(judgments[i]) else "" for i in rows], dtype=str)
    return confusion(said, np.array([probes[i].label.value for i in rows], dtype=str))


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


def _held_out(
    answers: Answers,
    n: int,
    thresholds: Thresholds,
    demands: Demands,
    delta: float,
    min_probes: int,
    rng: np.random.Generator,
) -> HeldOut:
    """What gates whose thresholds the other folds chose let through of each fold; only verdicts that have `thresholds`.

    Each fold's own answers have no say in its gate, so its precision is not flattered by the search.
    """
    names, group = np.unique(answers.group, return_inverse=True)
    fold = rng.permutation(np.arange(len(names)) % FOLDS)[group] if len(names) else np.zeros(0, np.int64)
    limit = np.full(len(answers), np.inf)
    for index in range(FOLDS):
        found = find_thresholds(answers.where(fold != index), demands, rng, delta, min_probes)
        for verdict, threshold in found.items():
            if threshold is not None and thresholds[verdict] is not None:
                limit[(fold == index) & (answers.said == LABELS[verdict])] = threshold - TOLERANCE
    admitted = answers.where(answers.confidence >= limit)
    coverage = len(admitted) / n if n else 0.0
    return HeldOut(n, coverage, _share(admitted), precision_interval(admitted, rng), _by_verdict(admitted))


def _confirms(held_out: HeldOut, demands: Demands) -> bool | None:
    """Whether no verdict's held-out precision is under what was demanded of it; None where none was let through."""
    seen = [(demands[Verdict(v)], row["precision"]) for v, row in held_out.by_verdict.items() if row["n"]]
    return all(p is not None and p >= demand for demand, p in seen) if seen else None


def _one_or_each(demands: Demands) -> float | dict[str, float]:
    """One number where all verdicts have the same demand, else one for each that has one."""
    different = set(demands.values())
    if len(different) == 1 and len(demands) == len(VERDICTS):
        return different.pop()
    return {verdict.value: demand for verdict, demand in demands.items()}


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
