"""What is asked in an audit, and what it found out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt

Thresholds = Mapping[Verdict, float | None]  # the confidence from which on a verdict counts; None: never


@dataclass(frozen=True)
class Probe:
    """A question with its true answer: good, neutral or bad; a group never lies on both sides of the split."""

    prompt: Prompt
    label: Verdict
    group: str


def balance_probes(probes: Sequence[Probe], rng: np.random.Generator) -> list[Probe]:
    """As many probes of each label as there are of the rarest one, drawn by `rng`, in their order."""
    rows = {label: [i for i, p in enumerate(probes) if p.label is label] for label in {p.label for p in probes}}
    fewest = min((len(r) for r in rows.values()), default=0)
    drawn = (rng.choice(rows[label], fewest, replace=False).tolist() for label in sorted(rows))
    return [probes[i] for i in sorted(i for some in drawn for i in some)]


def fewer_probes(probes: Sequence[Probe], n: int, rng: np.random.Generator) -> list[Probe]:
    """About `n` of the probes, drawn at random, with the labels in the same shares; all where there are no more."""
    if n >= len(probes):
        return list(probes)
    chosen: list[int] = []
    for label in dict.fromkeys(p.label for p in probes):
        rows = [i for i, p in enumerate(probes) if p.label is label]
        chosen += rng.permutation(rows)[: max(1, round(n * len(rows) / len(probes)))].tolist()
    return [probes[i] for i in sorted(chosen)]


@dataclass(frozen=True)
class HeldOut:
    """What gated judges did on probes that did not choose their thresholds: each tenth, behind the other nine's gate.

    `n`: the probes, without those that the judge was fitted to; `coverage`: share of them on which it spoke;
    `precision`: share of those on which it was right, with its 95 % interval, and for each verdict with their number;
    None where it did not speak.
    """

    n: int
    coverage: float
    precision: float | None
    precision_ci95: tuple[float, float] | None
    by_verdict: Mapping[str, Mapping[str, float | int | None]]


@dataclass(frozen=True)
class Audit:
    """What was measured of a judge on labelled probes, before it trained anything.

    Shares are of the `n` probes, except that accuracy, precision, bias and AUC leave unreadable and abstained answers
    out: those have rates of their own. `baseline` is the accuracy of always giving the most frequent label, with no
    model. `bias` is, for each value of each categorical fact, the mean label given minus the mean true label.
    `thresholds` are confidences, None where the judge abstains. `gated` says whether the gate is in force, `silent`
    whether it lets nothing through. `held_out_ok` is False where a verdict's held-out precision is under what was
    demanded, None where held-out probes cannot tell. `min_precision` is one number, or one for each verdict.

    `delta` is how often a verdict's promise may fail, over the draw of probes; `promises` says for each verdict what
    was demanded, what that means on probes mixed as these are, and the answers that were tested. `brier`,
    `calibration_curve` and the rates of true answers are explained in `reliability`. `handed_on` is the share of probes
    that went on to a cascade's second judge; None for other judges. `groups` counts the probes' groups: those of one
    group (of one state or object) are not taken for independent.
    """

    judge: str
    kind: str
    n: int
    answered: int
    accuracy: float | None
    baseline: float
    auc: float | None
    auc_ci95: tuple[float, float] | None
    precision: Mapping[str, Mapping[str, float | int | None]]
    bias: Mapping[str, Mapping[str, float | int]]
    abstention_rate: float
    unreadable_rate: float
    seconds_per_judgment: float
    min_precision: float | Mapping[str, float]
    thresholds: Thresholds
    held_out: HeldOut
    held_out_ok: bool | None
    gated: bool
    silent: bool
    delta: float
    promises: Mapping[str, Mapping[str, float | int | None]]
    brier: float | None
    calibration_curve: Sequence[Mapping[str, float | int]]
    true_positive_rate: float | None
    true_negative_rate: float | None
    handed_on: float | None = None
    groups: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, as plain JSON values."""
        fields = asdict(self)
        fields["thresholds"] = {verdict.value: threshold for verdict, threshold in self.thresholds.items()}
        return fields

    @property
    def headline(self) -> str:
        """One line for the beginning of a run: whether the judge speaks, where, and how that was checked."""
        on = "" if self.handed_on is None else f"; {_percent(self.handed_on)} of questions went on to the second judge"
        return f"{self._found}{on}"

    @property
    def _found(self) -> str:
        if not self.gated:
            why = " (baselines never are)" if self.kind == JudgeKind.BASELINE else ""
            right = f"accuracy {_percent(self.accuracy)}"
            return f"judge {self.judge} is NOT gated{why}: it speaks on everything ({right})"
        sure = f"at {_percent(1 - self.delta)} certainty for each verdict"
        if self.silent:
            wanted = f"no confidence has a precision of {self._demanded} {sure}"
            right = f"right on {_percent(self.accuracy)} of {self.n} probes{self._few}"
            return f"judge {self.judge} is SILENT: {wanted} ({right}); training goes on without shifts"
        spoken = ", ".join(f"{v.value} from {t:.3f}" for v, t in self.thresholds.items() if t is not None)
        checked = (
            f"held-out precision {_percent(self.held_out.precision)} at coverage {_percent(self.held_out.coverage)}"
        )
        warning = "" if self.held_out_ok else "; WARNING: held-out probes do not confirm the gate"
        if self.baseline >= self._least:
            share = _percent(self.baseline)
            warning += f"; WARNING: {share} of the probes have one label, so always giving it would pass the gate"
        if self.only_blames:
            warning += "; WARNING: it only blames: an agent may avoid what is judged instead of learning it"
        return f"judge {self.judge} speaks on {spoken} ({self._demanded} {sure}); {checked}{warning}"

    @property
    def only_blames(self) -> bool:
        """Whether the gate lets BAD through alone; what that can do to an agent: docs/results/gate-trainings.md."""
        return [v for v, threshold in self.thresholds.items() if threshold is not None] == [Verdict.BAD]

    @property
    def _few(self) -> str:
        """What is said where so few probes differ that nobody could have passed."""
        demand = self.min_precision if isinstance(self.min_precision, float) else min(self.min_precision.values())
        least = math.ceil(math.log(self.delta) / math.log(demand)) if 0 < demand < 1 else 2
        if self.groups is None or self.groups >= least:
            return ""
        return f" in {self.groups} groups (states, objects): even a judge without errors needs {least} for each verdict"

    @property
    def _demanded(self) -> str:
        if isinstance(self.min_precision, float):
            return f"at least {self.min_precision:g}"
        return "at least " + ", ".join(f"{demand:g} for {verdict}" for verdict, demand in self.min_precision.items())

    @property
    def _least(self) -> float:
        """The least that is demanded, on these probes, of a verdict that is let through."""
        asked = [self.promises[v.value]["demanded_on_probes"] for v, t in self.thresholds.items() if t is not None]
        return min((float(demand) for demand in asked if demand is not None), default=1.0)


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.0f} %"
