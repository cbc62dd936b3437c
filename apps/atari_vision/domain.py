"""From the names of a judge and a captioner to reward shifts: the two, the judge's audit, the gate, the caches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.atari_vision.config import JudgeConfig
from apps.atari_vision.describe import FrameDescriber, LookingShifter, captions_of
from apps.atari_vision.frames import Frames, collect
from apps.atari_vision.oracle import make_expert
from apps.atari_vision.worlds import World
from captioners.cache import CaptionCache
from captioners.captioner import Captioner, CaptionerError
from captioners.memory import FrameMemory, MemoryCaptioner
from captioners.ocr import OcrCaptioner
from captioners.registry import CaptionerContext, make_captioner
from lmgt_core.audit.audit import Probe
from lmgt_core.audit.gate import SelectiveGate, audit_judge
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.errors import UserError
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import RememberedTemplate
from lmgt_core.judging.registry import NONE, JudgeContext, make_judge
from lmgt_core.judging.uncaptioned import CaptionedOnly
from lmgt_core.rules.make import make_rule

SEED = 20_409  # of audits: every judge answers the same questions
SPACING = 10  # frames of a game from one question's to the next one's: neighbours look alike
FEW_NEUTRAL = 6  # a rarer share of neutral labels than one in so many does not shrink the audit to its number


@dataclass(frozen=True)
class Judging:
    """A judge and a captioner with everything that is needed to shift rewards by them.

    `judge` is None for --judge none; `captioner` is None where the judge looks at frames. `memory` notes what was
    behind the frames that a running world shows.
    """

    world: World
    config: JudgeConfig
    template: RememberedTemplate
    judge: Judge | None
    captioner: Captioner | None
    memory: FrameMemory
    audit: dict[str, Any]
    cache: Path
    """The file of judgments."""
    captions: Path
    """The file of captions."""

    @property
    def kind(self) -> str:
        """What tables call the judge, and what is not its own about what it is shown."""
        if self.judge is None:
            return "no judge"
        captions = " on privileged captions" if self.captioner is not None and self.captioner.privileged else ""
        return f"{self.judge.kind.value}{captions}"

    def reader(self) -> Captioner | None:
        """The captioner behind its file; privileged captions are not kept: they are not made of pixels alone."""
        if self.captioner is None or self.captioner.privileged:
            return self.captioner
        try:
            return CaptionCache(self.captioner, self.captions)
        except CaptionerError as error:
            raise UserError(str(error)) from None

    def make_shifter(self, steps: int) -> LookingShifter:
        """A shifter for a training of `steps` steps, to be used in the thread that asked for it."""
        if self.judge is None:
            raise ValueError("there is no judge")
        asked: Judge = JudgeCache(self.judge, self.cache) if self.judge.cacheable else self.judge
        asked = CaptionedOnly(asked)
        if self.config.gate and "thresholds" in self.audit:
            asked = SelectiveGate(asked, {Verdict(v): t for v, t in self.audit["thresholds"].items()})
        captioner = None if self.audit.get("silent") else self.reader()  # nobody would read the captions
        describer = FrameDescriber(self.world, captioner, self.memory)
        return LookingShifter(describer, self.template, asked, make_rule(self.config.rule, self.config.scale, steps))


def make_context(world: World, memory: FrameMemory, sees_frames: bool) -> JudgeContext:
    """What judges may need to know of the world; `distilled:FILE` is a judge of frames where they are shown."""
    own: dict[str, Callable[[str], Judge]] = {"distilled": _frame_judge} if sees_frames else {}
    return JudgeContext(f"atari/{world.folder}", make_expert(world, memory), world.phrasing.digest, own)


def _frame_judge(file: str) -> Judge:
    from lmgt_core.judges.distilled_frames import load_frame_judge

    if not file:
        raise UserError("--judge distilled: needs a file, distilled:FILE (lmgt atari compare --direct distilled)")
    return load_frame_judge(Path(file))


def world_captioner(spec: str, world: World, memory: FrameMemory) -> Captioner | None:
    """The captioner called `spec`, None for `none`; UserError for what cannot be made."""
    if spec.strip() == NONE:
        return None
    know, name = world.knowledge, world.name
    own: dict[str, Callable[[], Captioner]] = {
        "ocr": lambda: OcrCaptioner(know.regions, know.compose, name),
        "objects": lambda: MemoryCaptioner(memory, lambda m: world.phrasing.words(know.facts(m)), name),
    }
    try:
        return make_captioner(spec, CaptionerContext(name, world.question, own))
    except CaptionerError as error:
        raise UserError(str(error)) from None


def seeing_judge(spec: str, world: World, memory: FrameMemory, captioned: bool) -> Judge | None:
    """The judge called `spec`, None for `none`; UserError for one that cannot read what it will be shown.

    `captioned` says that it is shown captions; otherwise frames.
    """
    judge = make_judge(spec, make_context(world, memory, not captioned))
    if judge is None:
        return None
    reads_only = judge.kind in (JudgeKind.LANGUAGE_MODEL, JudgeKind.EMBEDDING) and not spec.startswith("openai:")
    if reads_only and not captioned:
        raise UserError(f"--judge {spec}: reads text only and cannot see frames; name a --captioner, or another judge")
    return judge


def name_judging(world: World, config: JudgeConfig, judge: str, captioner: str, cache: Path, captions: Path) -> Judging:
    """The judge and the captioner of these names, not audited yet; nothing is written."""
    template = RememberedTemplate(world.template(config.strategy, config.prompts))
    memory = FrameMemory()
    if judge.strip() == NONE:
        reason = {"audited": False, "reason": "no judge"}
        return Judging(world, config, template, None, None, memory, reason, cache, captions)
    check_judge_of_captions(judge, captioner)
    named = seeing_judge(judge, world, memory, captioned=captioner.strip() != NONE)
    if named is None:
        raise UserError(f"--judge {judge}: gives no judge; use none")
    reader = world_captioner(captioner, world, memory)
    return Judging(world, config, template, named, reader, memory, {}, cache, captions)


def audited(judging: Judging, audit: dict[str, Any] | None = None) -> Judging:
    """The same with the judge's audit: the given one, or a new one."""
    if judging.judge is None:
        return judging
    if judging.config.audit_questions == 0:
        return replace(judging, audit={"audited": False, "reason": "no question was asked (--audit-questions 0)"})
    return replace(judging, audit=_audit(judging) if audit is None else audit)


def check_judge_of_captions(judge: str, captioner: str) -> None:
    """UserError for a judge distilled on frames that would be shown words."""
    name, _, file = judge.partition(":")
    if name == "distilled" and captioner.strip() != NONE and is_frame_student(Path(file)):
        raise UserError(f"--judge {judge}: looks at frames and cannot read captions; use --captioner none")


def is_frame_student(path: Path) -> bool:
    """Whether the file is a judge distilled on frames; False for any other, and for none."""
    from lmgt_core.judges.distilled_frames import load_frame_judge

    try:
        load_frame_judge(path)
    except UserError:
        return False
    return True


def headline(name: str, judging: Judging) -> str:
    """A run's first line: what the judge is, and what its audit found."""
    if judging.judge is None:
        return "no judge: the agent learns from the world's own reward"
    shown = "frames" if judging.captioner is None else f"captions of {judging.captioner.id}"
    found = judging.audit.get("headline", "NOT audited, and it speaks on everything")
    return f"judge {name} [{judging.kind}] of {shown}: {found}"


def _audit(judging: Judging) -> dict[str, Any]:
    """The audit's figures."""
    assert judging.judge is not None
    probes, judge, config = probe_set(judging), judging.judge, judging.config
    rng = np.random.default_rng(SEED)
    if not judge.cacheable:
        audit = audit_judge(CaptionedOnly(judge), probes, config.min_precision, rng, gated=config.gate)
    else:
        with JudgeCache(judge, judging.cache) as cached:
            audit = audit_judge(CaptionedOnly(cached), probes, config.min_precision, rng, gated=config.gate)
    return audit.as_dict() | {"audited": True, "gate": config.gate, "headline": audit.headline}


def probe_set(judging: Judging) -> list[Probe]:
    """Questions about frames of play, labelled by the expert on the true facts.

    As many good as bad ones, and as neutral ones where those are not rare; at most `audit_questions` in all.
    """
    found, questions = _labelled(judging.world, judging.config.audit_questions)
    used = sorted({frame for frame, _, _ in questions})
    for i in used:
        judging.memory.remember(found.images[i], found.memories[i])
    describe, reader = FrameDescriber(judging.world, None, judging.memory), judging.reader()
    said = {} if reader is None else dict(zip(used, captions_of(reader, list(found.images[used])), strict=True))
    probes = []
    for i, action, label in questions:
        told = describe.of_frame(found.images[i], action) if not said else describe.of_caption(said[i], action)
        probes.append(Probe(judging.template.render(told), label, group=f"frame {i}"))
    return probes


Question = tuple[int, int, Verdict]  # frame, action, the expert's answer


def _labelled(world: World, most: int) -> tuple[Frames, list[Question]]:
    """Frames, and at most `most` questions about them, balanced; more frames where few have anything good or bad."""
    know, spacing = world.knowledge, SPACING if world.game else 1
    frames = max(most // len(know.actions), 2)
    while True:
        found = collect(world, frames * spacing, SEED)
        every = [
            (i, action, know.expert(know.facts(found.memories[i]), action))
            for i in range(0, frames * spacing, spacing)
            for action in range(len(know.actions))
        ]
        chosen = _balanced(every, most, np.random.default_rng(SEED))
        if 2 * len(chosen) >= most or frames >= most:
            return found, chosen
        frames *= 2


def _balanced(questions: Sequence[Question], most: int, rng: np.random.Generator) -> list[Question]:
    """As many of each label as of the rarest one, drawn by `rng`, in their order; but of neutral ones as there are."""
    rows = {label: [i for i, q in enumerate(questions) if q[2] is label] for label in {q[2] for q in questions}}
    rare = len(rows.get(Verdict.NEUTRAL, ())) * FEW_NEUTRAL < len(questions)
    sides = {label: r for label, r in rows.items() if not (rare and label is Verdict.NEUTRAL)}
    few = min((len(r) for r in sides.values()), default=0) if len(sides) > 1 else 0
    each = min(few, most // max(len(rows), 1))
    drawn = [i for label in sorted(rows) for i in rng.choice(rows[label], min(each, len(rows[label])), replace=False)]
    return [questions[i] for i in sorted(drawn)]
