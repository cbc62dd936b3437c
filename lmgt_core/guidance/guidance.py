"""The one way from a decision to its shift: domain -> prompt -> judge, cache, calibration, gate -> rule."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from lmgt_core.audit.audit import Audit, Probe, fewer_probes
from lmgt_core.audit.demands import parse_demands
from lmgt_core.audit.fragility import Flips, Question, fragility, reads
from lmgt_core.audit.gate import SelectiveGate, audit_judge
from lmgt_core.audit.label_calibration import (
    ACTION,
    CalibratedJudge,
    LabelCalibration,
    Method,
    calibrate,
    split_calibration,
    training_half,
)
from lmgt_core.audit.play_rates import PlayRates
from lmgt_core.audit.unseen import unseen
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.errors import UserError
from lmgt_core.guidance.background import BackgroundShifts
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.domain import Domain, LendsPlayRates, LendsTruth
from lmgt_core.guidance.return_alarm import ShiftLedger
from lmgt_core.guidance.shift_source import RewardShifter, ShiftSource
from lmgt_core.guidance.watch import Truth, Watch
from lmgt_core.judges.cascade import CascadeJudge, handed_on
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import Judge, JudgeKind, ask, ask_all, seeded
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, RememberedTemplate
from lmgt_core.judging.registry import NONE, make_judge
from lmgt_core.judging.uncaptioned import CaptionedOnly
from lmgt_core.rules.cards import Seam
from lmgt_core.rules.make import ADVISED, make_rule
from lmgt_core.terminal.progress import progress

SEED = 20_409  # of audits: every judge and strategy answers the same questions, and is split into the same halves
FEW = 1000  # questions that are asked before training, however slow the judge
PATIENCE = 60.0  # seconds that more of them may take, at the rate of the audit
BATCH = 64  # questions between two steps of the progress bar
Labelled = tuple[list[Probe], np.random.Generator]
SMALL = 40  # labelled questions below which a silent gate may only mean that there are too few


def _print(line: str) -> None:
    print(line, flush=True)


@dataclass(frozen=True)
class Guidance:
    """A judge in a domain, ready to be audited and then to shift rewards; the same thing for every app.

    `judge` is the judge as it is named, without calibration, cache and gate; None for --judge none. `audit` is {} until
    `audited` was called, then what run folders keep: `headline`, `thresholds`, `gated`, `silent` and all figures.
    """

    domain: Domain
    config: JudgeConfig
    template: RememberedTemplate
    judge: Judge | None
    method: Method | None
    cache: Path | None
    seams: Collection[Seam] = (Seam.REWARD,)
    audit: Mapping[str, Any] = field(default_factory=dict)
    calibration: LabelCalibration | None = None

    @classmethod
    def of(
        cls,
        domain: Domain,
        config: JudgeConfig,
        cache: Path | None,
        *,
        seams: Collection[Seam] = (Seam.REWARD,),
        judge: Judge | None = None,
    ) -> "Guidance":
        """The guidance that `config` names, not audited; nothing is asked or written.

        `cache` is the file of judgments, None for none; `seams` are those that the learner serves; `judge` is the one
        named by `config.judge` where it is there already. UserError for a judge, strategy, rule or scale that cannot be
        had.
        """
        make_rule(config.rule, config.scale, 1, seams=seams)
        parse_demands(config.min_precision)
        _check_watch(config)
        if config.judge_ahead and config.rule in ADVISED:
            raise UserError(f"--judge-ahead: an agent under --rule {config.rule} acts on judgments, so it has to wait")
        template = RememberedTemplate(domain.template(config.strategy))
        if config.judge.strip() == NONE:
            return cls(domain, config, template, None, None, cache, seams)
        plain, method = split_calibration(config.judge)
        made = make_judge(plain, domain.context()) if judge is None else judge
        if made is None:
            raise UserError(f"--judge {config.judge}: gives no judge; use none")
        guidance = cls(domain, config, template, made, method, cache, seams)
        if guidance.watched and guidance.truth() is None:
            raise UserError(f"--watch {config.watch:g}: {domain.name} has no expert to compare the judge with")
        return guidance

    @property
    def kind(self) -> str:
        """What tables call the judge: language model, oracle (privileged), trained on labels, ..."""
        if self.judge is None:
            return "no judge"
        return (CalibratedJudge(self.judge, self.calibration) if self.calibration else self.judge).kind.value

    @property
    def gated(self) -> bool:
        """Whether a gate is in force; baselines, which know nothing by design, are never gated."""
        return self.config.gate and self.judge is not None and self.judge.kind is not JudgeKind.BASELINE

    @property
    def watched(self) -> bool:
        """Whether the judge is compared with the truth while training; baselines never are."""
        return self.config.watch > 0 and self.judge is not None and self.judge.kind is not JudgeKind.BASELINE

    def truth(self) -> Truth | None:
        """The domain's truth about decisions: its own, else its expert's; None where there is neither."""
        if isinstance(self.domain, LendsTruth):
            return self.domain.known_truth()
        expert = self.domain.context().oracle
        return None if expert is None else _expert_truth(expert)

    @property
    def headline(self) -> str:
        """A run's first lines: what the judge is, and what its audit found."""
        if self.judge is None:
            return "no judge: the agent learns from the world's own reward"
        unaudited = f"is NOT audited ({self.audit.get('reason')}): it always speaks, right or wrong"
        found = str(self.audit.get("headline") or unaudited).removeprefix(f"judge {self.audit.get('judge')} ")
        line = f"judge {self.config.judge} [{self.kind}] {found}"
        if unanswered := self.audit.get("unanswered"):
            line += f"\n{unanswered} of {self.audit['n']} questions went unanswered; mostly: {self.audit['reason']}"
        if self.audit.get("silent") and self.audit["n"] < SMALL:
            line += f"\nonly {self.audit['n']} questions are labelled here, too few for a gate; --no-gate lets it speak"
        if self.watched:
            line += f"\nwatched against the true labels of {self.config.watch:.0%} of decisions: privileged"
        return line

    def audited(self, audit: Mapping[str, Any] | None = None) -> "Guidance":
        """The same guidance with its judge's audit: the given one (of a run folder), or a new one.

        UserError where the judge answered none of the questions, with the commonest reason: training with a judge that
        is not there would look like training with one that is silent. UserError where a gate is asked for and no
        question is labelled.
        """
        if self.judge is None:
            return replace(self, audit={"audited": False, "reason": "no judge"})
        if audit is not None:
            calibration = LabelCalibration(**audit["calibration"]) if audit.get("calibration") else None
            judge: Judge = self.judge
            if isinstance(judge, CascadeJudge) and audit.get("first_speaks_from"):
                judge = judge.speaking_from({Verdict(v): t for v, t in audit["first_speaks_from"].items()})
            return replace(self, judge=judge, audit=audit, calibration=calibration)
        measured = self.measured()
        if measured is None:
            return replace(self, audit={"audited": False, "reason": "no question is labelled"})
        found = measured.audit.as_dict() | {"audited": True, "gate": self.config.gate}
        found |= {"headline": measured.audit.headline} | _unanswered(self.config.judge, measured.answers)
        if measured.calibration is not None:
            found["calibration"] = asdict(measured.calibration)
        judge = measured.judge
        if isinstance(judge, CascadeJudge) and judge.speaks_from is not None:
            found["first_speaks_from"] = {verdict.value: t for verdict, t in judge.speaks_from.items()}
        return replace(self, judge=judge, audit=found, calibration=measured.calibration)

    def labelled(self) -> Labelled:
        """The labelled questions of an audit, and the audit's generator as drawing them has left it."""
        rng = np.random.default_rng(SEED)
        return list(self.domain.probes(self.template.render, rng)), rng

    def measured(
        self, advance: Callable[[int], object] | None = None, labelled: Labelled | None = None
    ) -> "Measured | None":
        """A new audit with every question and answer; None where no question is labelled.

        `advance` is told how many questions were answered in each batch (default: a progress bar of its own);
        `labelled` is what the method of that name gave, where it was called already.
        """
        probes, rng = self.labelled() if labelled is None else labelled
        if not probes and self.gated:
            raise UserError(f"--judge {self.config.judge}: no question is labelled here; --no-gate lets it speak")
        if not probes:
            return None
        answers: list[Judgment] = []
        bar = progress("audit questions", len(probes)) if advance is None else nullcontext(None)
        with bar as own:
            tick = own.advance if own is not None else advance
            assert tick is not None
            routed, rates = self._routed(probes, rng, tick), self.play_rates()
            with routed._asked() as asked:
                probes = unseen(asked, probes)
                judge = self._calibrated(asked, probes, rng)
                calibration = judge.calibration if isinstance(judge, CalibratedJudge) else None
                audit = audit_judge(
                    _Recorder(judge, answers),
                    probes,
                    self.config.min_precision,
                    rng,
                    gated=self.gated,
                    play_rates=rates,
                    progress=tick,
                )
        if isinstance(routed.judge, CascadeJudge):
            audit = replace(audit, handed_on=handed_on(answers))
        assert routed.judge is not None
        return Measured(audit, calibration, unseen(judge, probes), answers, routed.judge)

    def flips(self, measured: "Measured", n: int, advance: Callable[[int], object] = lambda asked: None) -> list[Flips]:
        """How often verdicts flip when about `n` of the audit's questions are asked in other forms."""
        if not reads(measured.judge):
            return []
        descriptions: dict[str, Description] = {}

        def render(description: Description) -> Prompt:
            prompt = self.template.render(description)
            descriptions[prompt.digest] = description
            return prompt

        self.domain.probes(render, np.random.default_rng(SEED))
        said = {p.prompt.digest: a for p, a in zip(measured.probes, measured.answers, strict=True)}
        some = fewer_probes(measured.probes, n, np.random.default_rng(SEED))
        questions = [
            Question(probe.prompt, descriptions[probe.prompt.digest], said[probe.prompt.digest])
            for probe in some
            if probe.prompt.digest in descriptions
        ]
        guidance = replace(self, judge=measured.judge)
        with guidance._asked() as asked:
            judge = CalibratedJudge(asked, measured.calibration) if measured.calibration else asked
            return fragility(judge, questions, self.template, advance)

    def ask_ahead(self) -> int:
        """Has everything judged that a training may ask, where that is little or quick; how many questions there were.

        Not through a shift source: a rule's running mean and the statistics must not see these.
        """
        if self.judge is None or not self.judge.cacheable or self.cache is None or self.audit.get("silent"):
            return 0
        rate = float(self.audit.get("seconds_per_judgment", PATIENCE))
        most = max(FEW, int(PATIENCE / max(rate, 1e-6)))
        everything = self.domain.questions()
        listed = [] if everything is None else list(islice(everything, most + 1))
        if not listed or len(listed) > most:
            return 0
        prompts = [self.template.render(description) for description in listed]
        with self._asked() as asked, progress("questions asked ahead", len(prompts)) as bar:
            ask_all(asked, prompts, bar.advance, BATCH)
        return len(prompts)

    def shifts(
        self, seed: int, steps: int, horizon: int | None = None, say: Callable[[str], object] = _print
    ) -> ShiftSource | None:
        """The shifts of one training of `steps` decisions, None without a judge; close it when the training is over.

        What draws lots draws other lots in another seed. The say of a judge that fades is gone at `horizon` decisions
        (default: that of the rule). `say` is told of every turn of a watched judge. To be used in the thread that asked
        for it.
        """
        if self.judge is None:
            return None
        rule = make_rule(self.config.rule, self.config.scale, steps, horizon=horizon, seams=self.seams)

        def in_step() -> RewardShifter:
            silent = bool(self.audit.get("silent"))
            kept = self._open(seed)
            judge: Judge = CalibratedJudge(kept, self.calibration) if self.calibration else kept
            judge = CaptionedOnly(judge)
            if self.gated and "thresholds" in self.audit:
                judge = SelectiveGate(judge, {Verdict(v): t for v, t in self.audit["thresholds"].items()})
            close = kept.close if isinstance(kept, JudgeCache) else lambda: None
            describe = self.domain.describer(silent)
            watch = self._watch(seed, say)
            ledger = None if self.config.rule in ADVISED else ShiftLedger(steps)
            return RewardShifter(
                None, self.template, judge, rule, describe=describe, watch=watch, ledger=ledger, close=close
            )

        return BackgroundShifts(in_step) if self.config.judge_ahead else in_step()

    def answer(self, prompt: Prompt) -> tuple[Judgment, Judge]:
        """The judge's answer to one question, and the judge as it was asked: calibrated, without a gate."""
        with self.calibrated() as judge:
            (judgment,) = ask(judge, [prompt])
        return judgment, judge

    @contextmanager
    def calibrated(self, seed: int = 0) -> Iterator[Judge]:
        """The judge behind its cache, calibrated as its name asks, without a gate; closed at the end of the block.

        What draws lots draws other lots in another seed. Of labels, a calibration sees only those on which an audit
        does not set its gate.
        """
        with self._asked(seed) as asked:
            learns = self.method is not None and self.method != "contextual"
            probes, rng = self.labelled() if learns else ([], np.random.default_rng(SEED))
            yield self._calibrated(asked, unseen(asked, probes), rng)

    def play_rates(self) -> PlayRates | None:
        """How often labels occur in play, where the domain knows it."""
        return self.domain.play_rates() if isinstance(self.domain, LendsPlayRates) else None

    def _routed(self, probes: Sequence[Probe], rng: np.random.Generator, tick: Callable[[int], object]) -> "Guidance":
        """This guidance, a cascade's first judge fitted to half of the probes; they are then left to no gate."""
        if not isinstance(self.judge, CascadeJudge):
            return self
        half = training_half(probes, deepcopy(rng))
        if not half or len(half) == len(probes):
            return self
        with replace(self, judge=self.judge.members[0])._asked() as first:
            demanded, rates = self.config.min_precision, self.play_rates()
            return replace(self, judge=self.judge.fitted(first, half, demanded, deepcopy(rng), rates, tick))

    def _watch(self, seed: int, say: Callable[[str], object]) -> Watch | None:
        if not self.watched or (truth := self.truth()) is None:
            return None
        demands = parse_demands(self.config.min_precision, self.play_rates() is not None)
        return Watch(self.config.watch, demands, truth, seed, say=say)

    def _calibrated(self, judge: Judge, probes: Sequence[Probe], rng: np.random.Generator) -> Judge:
        """The judge with the calibration that its name asks for.

        Of labels, that sees one half of the groups; the judge knows which, and its gate is set on the others.
        """
        if self.method is None:
            return judge
        half = training_half(probes, deepcopy(rng)) if probes else []
        actions = dict.fromkeys(p.prompt.facts[ACTION] for p in probes if ACTION in p.prompt.facts)
        return calibrate(judge, self.method, self.template, half, list(actions))

    def _open(self, seed: int = 0) -> Judge:
        """The judge as a seed meets it, behind its cache where there is one; of the thread that opened it."""
        assert self.judge is not None
        judge = seeded(self.judge, seed)
        return JudgeCache(judge, self.cache) if self.cache is not None and judge.cacheable else judge

    @contextmanager
    def _asked(self, seed: int = 0) -> Iterator[Judge]:
        judge = self._open(seed)
        try:
            yield CaptionedOnly(judge)
        finally:
            if isinstance(judge, JudgeCache):
                judge.close()


@dataclass(frozen=True)
class Measured:
    """An audit, the calibration that was in force, and every question with its answer, in the same order.

    `judge` is the one that was asked, a cascade knowing where its first judge speaks.
    """

    audit: Audit
    calibration: LabelCalibration | None
    probes: Sequence[Probe]
    answers: Sequence[Judgment]
    judge: Judge


class _Recorder:
    """A judge around a judge that keeps its answers in order."""

    def __init__(self, judge: Judge, answers: list[Judgment]) -> None:
        self.judged, self.answers = judge, answers
        self.id, self.kind, self.cacheable = judge.id, judge.kind, judge.cacheable

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        answers = ask(self.judged, prompts)
        self.answers += answers
        return answers


def _check_watch(config: JudgeConfig) -> None:
    if not 0 <= config.watch <= 1:
        raise UserError(f"--watch {config.watch}: is a share of the decisions, from 0 to 1, like 0.1")
    if config.watch and config.rule in ADVISED:
        raise UserError(f"--watch: only decisions that were taken can be watched, and --rule {config.rule} asks of all")


def _expert_truth(expert: Callable[[Prompt], Verdict]) -> Truth:
    def truth(observation: Any, action: Any, outcome: Any, prompt: Prompt) -> Verdict | None:
        try:
            answer = expert(prompt)
        except LookupError:
            return None
        return None if answer is Verdict.UNREADABLE else answer

    return truth


def _unanswered(name: str, answers: Sequence[Judgment]) -> dict[str, Any]:
    """How many questions went unanswered, and the commonest reason; {} for none, UserError for all."""
    reasons = Counter(a.reason for a in answers if a.verdict is Verdict.UNREADABLE)
    if not reasons:
        return {}
    count, reason = sum(reasons.values()), reasons.most_common(1)[0][0]
    if count == len(answers):
        raise UserError(f"--judge {name}: answered none of {count} questions; the commonest reason: {reason}")
    return {"unanswered": count, "reason": reason}
