"""`lmgt atari compare` and `lmgt captioner train`: captions of frames beside the frames themselves."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.atari_vision.config import CaptionerTrainConfig, CompareConfig
from apps.atari_vision.describe import FrameDescriber, captions_of
from apps.atari_vision.frames import Frames, collect
from apps.atari_vision.oracle import make_expert
from apps.atari_vision.worlds import World, world
from captioners.captioner import Captioner, CaptionerError, CaptionFailure, Image
from captioners.memory import FrameMemory, MemoryCaptioner
from captioners.ocr import OcrCaptioner
from captioners.registry import NAMES, CaptionerContext, make_captioner
from lmgt_core.compare.arms import CAPTION, DIRECT, Arm, Shown, answer
from lmgt_core.compare.measure import agreement, measure, row
from lmgt_core.compare.uncaptioned import CaptionedOnly
from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic
from lmgt_core.judge import Judge, JudgeKind
from lmgt_core.prompt import Prompt
from lmgt_core.registry import JudgeContext, make_judge
from lmgt_core.tables import print_table, write_rows


class Comparison:
    """One world's frames, and the making of arms for them."""

    def __init__(self, config: CompareConfig) -> None:
        self.config = config
        self.world = world(config.env)
        self.memory = FrameMemory()
        self.template = self.world.template()
        self.taught = collect(self.world, config.train_frames, config.seed + 1)
        self.asked = collect(self.world, config.frames, config.seed, self.taught.digests)
        for frames in (self.taught, self.asked):
            for image, memory in zip(frames.images, frames.memories, strict=True):
                self.memory.remember(image, memory)
        expert = make_expert(self.world, self.memory)
        identity = self.world.phrasing.digest
        self.judges = JudgeContext(
            f"atari/{self.world.folder}", expert, identity, {"distilled": self._distilled}, config.seed
        )
        self.text_judge = self._judge(config.text_judge)
        self.reader = self._judge("oracle")

    def shown(self) -> list[Shown]:
        """The questions: every action in every frame, labelled by the expert on the true facts."""
        know = self.world.knowledge
        all_facts = [know.facts(memory) for memory in self.asked.memories]
        return [
            Shown(
                image,
                self.world.phrasing.words(facts),
                tuple(know.actions),
                tuple(know.expert(facts, action) for action in range(len(know.actions))),
            )
            for image, facts in zip(self.asked.images, all_facts, strict=True)
        ]

    def caption_arm(self, spec: str) -> Arm:
        """The arm that judges captions of `spec`; missing where its captioner cannot be made."""
        name = f"caption:{spec}"
        try:
            captioner = self._captioner(spec)
        except CaptionerError as error:
            return Arm(name, CAPTION, missing=str(error))
        describe = FrameDescriber(self.world, captioner, self.memory)
        said: list[Any] = []

        def read(images: Sequence[Image]) -> list[str]:
            said[:] = captions_of(captioner, images)
            return ["" if isinstance(c, CaptionFailure) else c for c in said]

        def render(picture: int, caption: str, action: int) -> Prompt:
            return self.template.render(describe.of_caption(said[picture], action))

        what = " (privileged)" if captioner.privileged else " (on labels)" if spec.startswith("trained") else ""
        about = f"{spec}{what}, judged by {self.config.text_judge}"
        return Arm(name, CAPTION, about, judge=CaptionedOnly(self.text_judge), read=read, render=render)

    def direct_arm(self, spec: str) -> Arm:
        """The arm whose judge sees the frames; missing where the judge cannot be made."""
        name = f"direct:{spec}"
        try:
            judge = self._judge(spec)
        except UserError as error:
            return Arm(name, DIRECT, missing=str(error))
        if judge.kind in (JudgeKind.LANGUAGE_MODEL, JudgeKind.EMBEDDING) and not spec.startswith("openai:"):
            raise UserError(f"--direct {spec}: reads text only and cannot see frames; name an image-text model")
        describe = FrameDescriber(self.world, None, self.memory)

        def render(picture: int, caption: str, action: int) -> Prompt:
            return self.template.render(describe.of_frame(self.asked.images[picture], action))

        return Arm(name, DIRECT, f"{judge.kind.value}", judge=judge, render=render)

    def _captioner(self, spec: str) -> Captioner:
        know, name = self.world.knowledge, self.world.name
        if spec == "trained":
            return train_on(self.world, self.taught, self.config.epochs, self.config.seed, self.config.out)
        make: dict[str, Callable[[], Captioner]] = {
            "ocr": lambda: OcrCaptioner(know.regions, know.compose, name),
            "objects": lambda: MemoryCaptioner(self.memory, lambda m: self.world.phrasing.words(know.facts(m)), name),
        }
        return make_captioner(spec, CaptionerContext(name, self.world.question, make))

    def _judge(self, spec: str) -> Judge:
        judge = make_judge(spec, self.judges)
        if judge is None:
            raise UserError(f"--text-judge {spec}: there is nobody to ask; name a judge")
        return judge

    def _distilled(self, file: str) -> Judge:
        from lmgt_core.distill_frames import FrameSettings, distill_frames
        from lmgt_core.judges.distilled_frames import FrameJudge, load_frame_judge, save_frame_student

        if file:
            return load_frame_judge(Path(file))
        describe = FrameDescriber(self.world, None, self.memory)
        prompts = [
            self.template.render(describe.of_frame(image, action))
            for image in self.taught.images
            for action in range(len(self.world.knowledge.actions))
        ]
        settings = FrameSettings(epochs=self.config.epochs)
        made = distill_frames(self._judge(self.config.teacher), prompts, np.random.default_rng(0), settings)
        save_frame_student(made.student, self.config.out / "distilled.npz")
        return FrameJudge(made.student)


def train_on(world: World, frames: Frames, epochs: int, seed: int, folder: Path | None) -> Any:
    """A captioner trained on `frames`, also written to `folder`, if there is one."""
    from captioners.models.training import CaptionerSettings, train_captioner

    facts = [world.knowledge.facts(memory) for memory in frames.memories]
    settings = CaptionerSettings(epochs=epochs)
    made = train_captioner(
        world.name, world.phrasing, frames.images, facts, np.random.default_rng(seed), settings
    )  # fmt: skip
    if folder is not None:
        write_atomic(folder / "captioner.npz", made.content)
    return made


def main(config: CompareConfig) -> list[dict[str, Any]]:
    """Asks every arm, prints one row each, writes rows.json, and returns the rows."""
    captions, direct = ([s.strip() for s in names.split(",") if s.strip()] for names in (config.caption, config.direct))
    for spec in captions:
        if spec.partition(":")[0].partition("?")[0] not in {*NAMES, "hf"}:
            raise UserError(f"--caption {spec}: no such captioner; choose one of {', '.join(NAMES)}")
    if min(config.frames, config.train_frames) < 20:
        raise UserError("--frames, --train-frames: give numbers of at least 20")
    if config.out.exists():
        raise UserError(f"--out {config.out}: is there already; name a new folder")
    comparison = Comparison(config)
    shown = comparison.shown()
    rows, heard = [], []
    for arm in (*map(comparison.caption_arm, captions), *map(comparison.direct_arm, direct)):
        if arm.missing:
            rows.append(row(arm.name, 0, None, None, [], arm.missing))
            continue
        heard.append(answer(arm, shown, comparison.reader))
        measured = measure(heard[-1], shown, np.random.default_rng(config.seed))
        rows.append(row(arm.name, len(shown), heard[-1], measured, []))
    for path in (config.out / "rows.json", *([config.json] if config.json else [])):
        write_rows(path, rows)
    print_table(rows, title=f"{config.env}: {len(shown)} frames, every action in each", columns=COLUMNS)
    if heard:
        print_table(agreement(heard), title="share of equal verdicts")
    for line in rows:
        if line["missing"]:
            print(f"missing arm {line['arm']}: {line['missing']}")
    return rows


COLUMNS = ("arm", "about", "caption_exact", "answered", "judgment_accuracy", "auc", "auc_ci95", "lost_in_caption",
           "lost_in_judging", "seconds_per_judgment")  # fmt: skip


def train_command(config: CaptionerTrainConfig) -> float:
    """`lmgt captioner train`: trains, writes the file, prints and returns the held-out exact match."""
    if config.out.exists():
        raise UserError(f"--out {config.out}: is there already; name a new file")
    if config.frames < 20:
        raise UserError(f"--frames {config.frames}: give a number of at least 20")
    made = world(config.env)
    captioner = train_on(made, collect(made, config.frames, config.seed), config.epochs, config.seed, None)
    write_atomic(config.out, captioner.content)
    print(f"{config.out}  {captioner.id}: {captioner.exact:.1%} of the held-out captions are right in every word")
    return float(captioner.exact)
