"""Rendered tables and Atari games as domains: judged by a caption of the frame, or by the frame itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from apps.atari_vision.describe import FrameDescriber, captions_of
from apps.atari_vision.one_image import OneImage
from apps.atari_vision.oracle import make_expert
from apps.atari_vision.pictures import read_picture
from apps.atari_vision.questions import labelled
from apps.atari_vision.worlds import World, world
from captioners.cache import CaptionCache
from captioners.captioner import Captioner
from captioners.memory import FrameMemory, MemoryCaptioner
from captioners.ocr import OcrCaptioner
from captioners.registry import CaptionerContext, make_captioner
from lmgt_core.audit.audit import Probe
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.domain import Render
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.judging.registry import NONE, JudgeContext

AUDIT_QUESTIONS = 600


@dataclass(frozen=True, eq=False)
class AtariDomain:
    """One world's frames, read by `captioner`, or shown to the judge where that is None.

    `memory` notes what was behind the frames that are shown; the captioner `objects` has to be made with the same one.
    """

    world: World
    captioner: Captioner | None = None
    memory: FrameMemory = field(default_factory=FrameMemory)
    captions: Path | None = None
    """The file that keeps captions, None for none."""
    audit_questions: int = AUDIT_QUESTIONS
    prompts: Path | None = None
    documents: Path | None = None

    @property
    def name(self) -> str:
        return f"atari/{self.world.folder}"

    def context(self) -> JudgeContext:
        """The world's expert; `distilled:FILE` is a judge of frames where they are shown."""
        sees = self.captioner is None
        own: dict[str, Callable[[str], Judge]] = {"distilled": _frame_judge} if sees else {}
        expert = make_expert(self.world, self.memory)
        return JudgeContext(self.name, expert, self.world.phrasing.digest, own, pictures=sees)

    def describer(self, silent: bool = False) -> FrameDescriber:
        """A describer with the file of captions open in this thread; it captions nothing where it is `silent`."""
        return FrameDescriber(self.world, None if silent else self._reader(), self.memory)

    def template(self, strategy: str) -> PromptTemplate:
        return self.world.template(strategy, self.prompts, self.documents)

    def probes(self, render: Render, rng: np.random.Generator) -> list[Probe]:
        """At most `audit_questions` questions about frames of play, labelled by the expert on the true facts.

        They are drawn by a generator of their own, and nothing by `rng`.
        """
        if self.audit_questions == 0:
            return []
        asked = labelled(self.world.name, self.audit_questions)
        for i, image in asked.images.items():
            self.memory.remember(image, asked.memories[i])
        describe, frames = self.describer(), asked.images
        reader = describe.captioner
        said = {} if reader is None else dict(zip(frames, captions_of(reader, list(frames.values())), strict=True))
        probes = []
        for i, action, label in asked.questions:
            told = describe.of_caption(said[i], action) if said else describe.of_frame(frames[i], action)
            probes.append(Probe(render(told), label, group=f"frame {i}"))
        return probes

    def questions(self) -> None:
        """Frames cannot be listed."""
        return None

    def read(self, state: str, action: str) -> Description:
        """`state` is the file of a picture; UserError for any other, and where the captioner needs a running game."""
        image, number = read_picture(Path(state)), self.world.action(action)
        describe = self.describer()
        if describe.captioner is None:
            return describe.of_frame(image, number)
        if isinstance(describe.captioner, MemoryCaptioner):
            raise UserError("captioner objects: reads a running game's memory, and a file has none; take another")
        return describe.of_caption(describe.captioner.caption(image[None])[0], number)

    def _reader(self) -> Captioner | None:
        """The captioner behind its file; privileged captions are not kept: they are not made of pixels alone."""
        if self.captioner is None or self.captioner.privileged or self.captions is None:
            return self.captioner
        return CaptionCache(self.captioner, self.captions)


@dataclass(frozen=True)
class FrameGuidance(Guidance):
    """Guidance that says in a judge's kind when it was shown privileged captions."""

    @property
    def kind(self) -> str:
        captioner = self.domain.captioner if isinstance(self.domain, AtariDomain) else None
        privileged = self.judge is not None and captioner is not None and captioner.privileged
        return f"{super().kind}{' on privileged captions' if privileged else ''}"


def guided(domain: AtariDomain, config: JudgeConfig, cache: Path | None, judge: Judge | None = None) -> FrameGuidance:
    """The config's judge in the domain, not audited; `judge` where it is there already.

    UserError for a judge that cannot read what it will be shown.
    """
    name, _, file = config.judge.partition(":")
    if judge is None and name == "distilled" and domain.captioner is not None and is_frame_student(Path(file)):
        raise UserError(f"--judge {config.judge}: looks at frames and cannot read captions; use --captioner none")
    made = FrameGuidance.of(domain, config, cache, judge=judge)
    assert isinstance(made, FrameGuidance)
    return made


def make_domain(env: str, prompts: Path | None = None, documents: Path | None = None) -> AtariDomain:
    """The domain of a world, or of a world and the captioner whose words are judged, like Blackjack-cards:ocr."""
    name, _, captioner = env.partition(":")
    made, memory = world(name), FrameMemory()
    reader = world_captioner(captioner or NONE, made, memory)
    return AtariDomain(made, reader, memory, prompts=prompts, documents=documents)


def world_captioner(spec: str, world: World, memory: FrameMemory) -> Captioner | None:
    """The captioner called `spec`, None for `none`; UserError for what cannot be made."""
    if spec.strip() == NONE:
        return None
    know, name = world.knowledge, world.name
    own: dict[str, Callable[[], Captioner]] = {
        "ocr": lambda: OcrCaptioner(know.regions, know.compose, name),
        "objects": lambda: MemoryCaptioner(memory, lambda m: world.phrasing.words(know.facts(m)), name),
    }
    return make_captioner(spec, CaptionerContext(name, world.question, own))


def _frame_judge(file: str) -> Judge:
    from lmgt_core.judges.distilled_frames import load_frame_judge

    if not file:
        raise UserError("--judge distilled: needs a file, distilled:FILE (lmgt atari compare --direct distilled)")
    return OneImage(load_frame_judge(Path(file)))


def is_frame_student(path: Path) -> bool:
    """Whether the file is a judge distilled on frames; False for any other, and for none."""
    from lmgt_core.judges.distilled_frames import load_frame_judge

    try:
        load_frame_judge(path)
    except UserError:
        return False
    return True
