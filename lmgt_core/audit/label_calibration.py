"""Taking a judge's habits out of its probabilities: what it would say of nothing, or gets wrong on average.

A calibrated judge's probabilities are p_v^slope * exp(offset_v), scaled to sum to 1:

- contextual (Zhao et al. 2021, arXiv 2102.09690): offset_v = -log P(v | the same question about nothing), slope 1;
- per-action: the same with a question about nothing for each action, where a prompt's facts name it;
- learned: slope and offsets, for each action, fitted to the training half of an audit's probes.

The first two need no labels. The third may make an inverted judge silent, never turn it around: a judge that is wrong
about the task is not badly calibrated. The option `?calibration=...` in a judge's name asks for one of them.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lmgt_core.audit.audit import Probe
from lmgt_core.audit.gate import split_groups
from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import MENU, likeliest
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import Judge, JudgeKind, ask
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeSpec, parse_spec
from lmgt_core.rules.shift import speaks

Method = Literal["contextual", "per-action", "learned"]
METHODS: tuple[Method, ...] = ("contextual", "per-action", "learned")
NOTHING = ("N/A", "[MASK]", "")  # Zhao et al.'s content-free inputs; their probabilities are averaged
ACTION = "action"  # the fact that names a prompt's action
KIND = "kind"  # or, where there is no action, its kind of decision
SMALLEST = 1e-9  # a probability of 0 has no logarithm
PENALTY = 0.01  # on a learned slope's distance from 1 and on offsets, a question: few probes move little
DECIMALS = 6  # of what is fitted: below it lies the noise of linear algebra on different machines
FEWEST = 20  # probes that a fit needs

Offsets = tuple[float, float, float]  # of good, neutral, bad


class Renders(Protocol):
    """A prompt template."""

    @property
    def conditional(self) -> bool: ...

    def render(self, description: Description) -> Prompt: ...


@dataclass(frozen=True)
class LabelCalibration:
    """What is done to a judge's probabilities; `actions` overrides the offsets by the name of the action."""

    method: Method
    slope: float = 1.0
    offsets: Offsets = (0.0, 0.0, 0.0)
    actions: Mapping[str, Offsets] = field(default_factory=dict)

    def __call__(self, judgment: Judgment, action: str = "") -> Judgment:
        """`judgment` with calibrated probabilities and the verdict that goes with them.

        What has no probabilities, or is unreadable, stays as it is; a verdict that was not offered (probability 0)
        stays impossible.
        """
        if judgment.probabilities is None or judgment.verdict is Verdict.UNREADABLE:
            return judgment
        p = np.asarray(judgment.probabilities, np.float64)
        offered = p > 0
        logits = self.slope * np.log(np.maximum(p, SMALLEST)) + np.asarray(self.actions.get(action, self.offsets))
        weight = np.where(offered, np.exp(logits - logits[offered].max()), 0.0)
        good, neutral, bad = (weight / weight.sum()).tolist()
        probabilities = (good, neutral, bad)
        return replace(judgment, verdict=likeliest(probabilities), probabilities=probabilities)

    @property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of all its numbers."""
        content = json.dumps([self.method, self.slope, self.offsets, sorted(self.actions.items())])
        return hashlib.sha256(content.encode()).hexdigest()[:12]


class CalibratedJudge:
    """A judge around a judge whose probabilities are calibrated.

    `fitted_to` holds the digests of the questions whose labels the calibration learned from; no audit may use them to
    set a gate.
    """

    def __init__(self, judge: Judge, calibration: LabelCalibration, fitted_to: frozenset[str] = frozenset()) -> None:
        self.judged = judge
        self.calibration = calibration
        self.fitted_to = fitted_to

    @property
    def id(self) -> str:
        return f"{self.judged.id}:{self.calibration.method}={self.calibration.digest}"

    @property
    def kind(self) -> JudgeKind:
        """A judge whose numbers were fitted to labels is shown as trained on labels."""
        return JudgeKind.TRAINED if self.calibration.method == "learned" else self.judged.kind

    @property
    def cacheable(self) -> bool:
        return self.judged.cacheable

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The judge's answers, calibrated."""
        answers = ask(self.judged, prompts)
        return [self.calibration(a, action_of(p)) for p, a in zip(prompts, answers, strict=True)]


def action_of(prompt: Prompt) -> str:
    """The prompt's action, or its kind of decision, by name; "" where its facts tell neither."""
    return prompt.facts.get(ACTION) or prompt.facts.get(KIND, "")


def content_free(template: Renders, action: str | None = None) -> list[Prompt]:
    """The template's question about nothing, in a few wordings; about `action` in no state where one is given."""
    return [template.render(Description(nothing, nothing if action is None else action)) for nothing in NOTHING]


def contextual(judge: Judge, template: Renders, actions: Sequence[str] = ()) -> LabelCalibration:
    """The calibration by questions about nothing, one set for each of `actions` (their facts' names) if there are any.

    UserError where the judge gives no probabilities.
    """
    offsets = _offsets_of_nothing(judge, content_free(template))
    own = {action: _offsets_of_nothing(judge, content_free(template, action)) for action in dict.fromkeys(actions)}
    return LabelCalibration("per-action" if own else "contextual", offsets=offsets, actions=own)


def _offsets_of_nothing(judge: Judge, prompts: Sequence[Prompt]) -> Offsets:
    known = [j.probabilities for j in ask(judge, prompts) if j.probabilities is not None]
    if not known:
        raise UserError(f"judge {judge.id} gives no probabilities; it cannot be calibrated")
    good, neutral, bad = (-np.log(np.maximum(np.mean(known, axis=0), SMALLEST))).round(DECIMALS).tolist()
    return good, neutral, bad


def learned(judge: Judge, probes: Sequence[Probe]) -> LabelCalibration:
    """The calibration fitted to `probes`, which must not be those that judge it: see `training_half`.

    The most probable slope (0 or more) and offsets, multinomial logistic regression on the log-probabilities, pulled
    towards no change by PENALTY. UserError for too few answers with probabilities.
    """
    answered = [
        (j.probabilities, probe)
        for probe, j in zip(probes, ask(judge, [p.prompt for p in probes]), strict=True)
        if j.probabilities is not None and speaks(j)
    ]
    if len(answered) < FEWEST:
        raise UserError(f"judge {judge.id}: {len(answered)} answers with probabilities; a calibration takes {FEWEST}")
    names = sorted({action_of(probe.prompt) for _, probe in answered})
    group = np.array([names.index(action_of(probe.prompt)) for _, probe in answered])
    p = np.array([q for q, _ in answered], np.float64)
    truth = np.array([MENU.index(probe.label) for _, probe in answered])
    slope, shared, own = _fit(np.log(np.maximum(p, SMALLEST)), p > 0, truth, group, len(names))
    actions = {name: _triple(shared + own[i]) for i, name in enumerate(names)} if len(names) > 1 else {}
    return LabelCalibration("learned", round(slope, DECIMALS), _triple(shared), actions)


def _fit(
    logs: NDArray[np.float64],
    offered: NDArray[np.bool_],
    truth: NDArray[np.int64],
    group: NDArray[np.int64],
    groups: int,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Slope, shared offsets [3] and each group's own [group, 3], from log-probabilities [question, 3]."""
    from scipy.optimize import minimize

    right = np.eye(len(MENU))[truth]

    def loss(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, shared, own = v[0], v[1:4], v[4:].reshape(groups, 3)
        logits = np.where(offered, slope * logs + shared + own[group], -1e9)
        logits -= logits.max(1, keepdims=True)
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        chance = np.maximum(p[np.arange(len(truth)), truth], SMALLEST)
        pull = np.where(offered, p - right, 0.0) / len(truth)
        by_group = np.zeros((groups, 3))
        np.add.at(by_group, group, pull)
        penalty = PENALTY * ((slope - 1) ** 2 + shared @ shared + (own * own).sum())
        gradient = [[(pull * logs).sum() + 2 * PENALTY * (slope - 1)], pull.sum(0) + 2 * PENALTY * shared]
        return -np.log(chance).mean() + penalty, np.concatenate([*gradient, (by_group + 2 * PENALTY * own).ravel()])

    start = np.concatenate([[1.0], np.zeros(3 + 3 * groups)])
    bounds = [(0.0, None)] + [(None, None)] * (3 + 3 * groups)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(found[0]), found[1:4], found[4:].reshape(groups, 3)


def _triple(offsets: NDArray[np.float64]) -> Offsets:
    good, neutral, bad = offsets.round(DECIMALS).tolist()
    return good, neutral, bad


def training_half(probes: Sequence[Probe], rng: np.random.Generator) -> list[Probe]:
    """A half of the probes, whole groups, drawn by `rng`: to learn from.

    `audit_judge` sets the gate of a judge from `calibrate(judge, "learned", ...)` on the other half, and reports on it.
    """
    chosen = split_groups([p.group for p in probes], rng)
    return [probe for probe, mine in zip(probes, chosen.tolist(), strict=True) if mine]


def split_calibration(spec: str) -> tuple[str, Method | None]:
    """A judge's name without its option `calibration`, and what that asked for; UserError for an unknown method."""
    parsed = parse_spec(spec)
    asked = parsed.options.get("calibration")
    if asked is None:
        return spec, None
    rest = {name: value for name, value in parsed.options.items() if name != "calibration"}
    for method in METHODS:
        if asked == method:
            return str(JudgeSpec(parsed.provider, parsed.argument, rest)), method
    raise UserError(f"--judge {spec}: calibration={asked} is none of {', '.join(METHODS)}")


def calibrate(
    judge: Judge,
    method: Method,
    template: Renders,
    probes: Sequence[Probe] = (),
    actions: Sequence[str] = (),
) -> CalibratedJudge:
    """`judge` calibrated by `method`; best around a cache, so that what is asked here is asked once.

    `template` asks about nothing, `actions` are those of per-action calibration, `probes` what `learned` learns from:
    a training half, never all that an audit has, since its gate is set on the others. UserError where the method lacks
    what it needs.
    """
    if method == "learned":
        if not probes:
            raise UserError("calibration=learned: there are no labelled probes here; use calibration=contextual")
        return CalibratedJudge(judge, learned(judge, probes), frozenset(p.prompt.digest for p in probes))
    if template.conditional:
        raise UserError(
            f"calibration={method}: an answer of this template is good for one kind of decision and bad for another, "
            "and a question about nothing has no kind; use calibration=learned"
        )
    if method == "per-action" and not actions:
        raise UserError("calibration=per-action: the actions have no names here; use calibration=contextual")
    return CalibratedJudge(judge, contextual(judge, template, actions if method == "per-action" else ()))
