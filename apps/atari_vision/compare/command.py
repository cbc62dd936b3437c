"""`lmgt atari compare`: captions of frames beside the frames themselves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.atari_vision.compare.returns import BASELINE, learned_policy, return_rows, trained_returns, training
from apps.atari_vision.config import CompareConfig, TrainConfig
from apps.atari_vision.describe import FrameDescriber, captions_of
from apps.atari_vision.domain import AtariDomain, guided, world_captioner
from apps.atari_vision.frames import TEST, Frames, collect
from apps.atari_vision.one_image import OneImage, one_image
from apps.atari_vision.train import TRAINING
from apps.atari_vision.worlds import World, world
from captioners.cache import CaptionCache
from captioners.captioner import Captioner, CaptionerError, CaptionFailure, Image
from captioners.memory import FrameMemory
from captioners.registry import NAMES
from lmgt_core.compare.arms import CAPTION, DIRECT, Answers, Arm, Shown, answer
from lmgt_core.compare.measure import agreement, measure, row
from lmgt_core.compare.page import write_figures, write_page
from lmgt_core.errors import UserError, check_least
from lmgt_core.files import write_atomic
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import READERS, make_judge
from lmgt_core.judging.uncaptioned import CaptionedOnly
from lmgt_core.terminal.tables import print_table, write_rows
from lmgt_core.training.config import check_training
from lmgt_core.training.driver import CACHE

FEWEST = 20  # frames that are asked about, and that teach


class Comparison:
    """One world's frames, and the making of arms for them."""

    def __init__(self, config: CompareConfig) -> None:
        self.config = config
        self.world = world(config.env)
        self.memory = FrameMemory()
        self.template = self.world.template()
        self.captions = config.captions or config.out / "captions.sqlite"
        self.captioners: dict[str, Captioner] = {}  # by arm
        self.caches: dict[str, CaptionCache] = {}
        self.taught = self._remembered(collect(self.world, config.train_frames, config.seed + 1))
        self.asked = self._collected(None)
        own = {"distilled": self._distilled}
        context = AtariDomain(self.world, None, self.memory).context()
        self.judges = replace(context, make=own, seed=config.seed, pictures=False)
        self.text_judge = self._judge(config.text_judge)
        self.reader = self._judge("oracle")

    def played_by(self, learned: Callable[[Any], int]) -> None:
        """Collects the frames that are asked about once more; a trained agent plays a part of them."""
        self.asked = self._collected(learned)

    def _collected(self, learned: Callable[[Any], int] | None) -> Frames:
        """The frames that are asked about, fewer than is wanted where play shows no more."""
        config, wanted = self.config, TEST if self.config.held_out else None
        return self._remembered(
            collect(self.world, config.frames, config.seed, self.taught.digests, learned, FEWEST, wanted)
        )

    def _remembered(self, frames: Frames) -> Frames:
        for image, memory in zip(frames.images, frames.memories, strict=True):
            self.memory.remember(image, memory)
        return frames

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
            self.captioners[name] = self._captioner(spec)
            captioner = self._cached(name, self.captioners[name])
        except CaptionerError as error:
            return Arm(name, CAPTION, missing=str(error))
        describe = FrameDescriber(self.world, captioner, self.memory)
        said: list[Any] = []
        reasons: dict[int, str] = {}

        def read(images: Sequence[Image]) -> list[str]:
            said[:] = captions_of(captioner, images)
            reasons.update({i: c.reason for i, c in enumerate(said) if isinstance(c, CaptionFailure)})
            return ["" if isinstance(c, CaptionFailure) else c for c in said]

        def render(picture: int, caption: str, action: int) -> Prompt:
            return self.template.render(describe.of_caption(said[picture], action))

        labels = " (on labels)" if getattr(self.captioners[name], "on_labels", False) else ""
        what = " (privileged)" if captioner.privileged else labels
        about = f"{spec}{what}, judged by {self.config.text_judge}"
        judge = CaptionedOnly(self.text_judge)
        return Arm(name, CAPTION, about, judge=judge, read=read, render=render, reasons=reasons)

    def guidance(self, arm: Arm, config: TrainConfig) -> Guidance:
        """The arm's judge and captioner for a training, so that no model is loaded twice."""
        judge = self.text_judge if arm.kind == CAPTION else arm.judge
        domain = AtariDomain(self.world, self.captioners.get(arm.name), self.memory, self.captions, audit_questions=0)
        return guided(domain, config, self.config.out / CACHE, judge)

    def from_file(self, arm: str) -> str:
        """How many of an arm's captions were in the file already, for its `about`; "" where none."""
        cache = self.caches.get(arm)
        if cache is None or not cache.hits:
            return ""
        return f"; {cache.hits} captions were in {self.captions}, so its seconds are too few"

    def direct_arm(self, spec: str) -> Arm:
        """The arm whose judge sees the frames; missing where the judge cannot be made."""
        name = f"direct:{spec}"
        try:
            judge = self._judge(spec)
        except UserError as error:
            return Arm(name, DIRECT, missing=str(error))
        if judge.kind in READERS and not spec.startswith("openai:"):
            raise UserError(f"--direct {spec}: reads text only and cannot see frames; name an image-text model")
        describe = FrameDescriber(self.world, None, self.memory)

        def render(picture: int, caption: str, action: int) -> Prompt:
            return self.template.render(describe.of_frame(self.asked.images[picture], action))

        return Arm(name, DIRECT, f"{judge.kind.value}", judge=judge, render=render)

    def _captioner(self, spec: str) -> Captioner:
        if spec == "trained":
            taught: Captioner = train_on(self.world, self.taught, self.config.epochs, self.config.seed, self.config.out)
            return taught
        made = world_captioner(spec, self.world, self.memory)
        assert made is not None  # `none` is no name of an arm
        return made

    def _cached(self, arm: str, captioner: Captioner) -> Captioner:
        """The captioner behind the file of captions; a privileged one as it is."""
        if captioner.privileged:
            return captioner
        self.caches[arm] = cache = CaptionCache(captioner, self.captions)
        return cache

    def _judge(self, spec: str) -> Judge:
        judge = make_judge(spec, self.judges)
        if judge is None:
            raise UserError(f"--text-judge {spec}: there is nobody to ask; name a judge")
        return judge

    def _distilled(self, file: str) -> Judge:
        from lmgt_core.distill.frames import FrameSettings, distill_frames
        from lmgt_core.judges.distilled_frames import FrameJudge, load_frame_judge, save_frame_student

        if file:
            return OneImage(load_frame_judge(Path(file)))
        describe = FrameDescriber(self.world, None, self.memory)
        prompts = [
            one_image(self.template.render(describe.of_frame(image, action)))
            for image in self.taught.images
            for action in range(len(self.world.knowledge.actions))
        ]
        settings = FrameSettings(epochs=self.config.epochs)
        made = distill_frames(self._judge(self.config.teacher), prompts, np.random.default_rng(0), settings)
        save_frame_student(made.student, self.config.out / "distilled.npz")
        return OneImage(FrameJudge(made.student))


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
    """Asks every arm, trains with each where it is wanted, writes report.html and rows.json, and returns the rows."""
    captions, direct = check(config)
    comparison = Comparison(config)
    arms = [*map(comparison.caption_arm, captions), *map(comparison.direct_arm, direct)]
    baseline = trained_returns(training(config, BASELINE, "none", "none")) if config.train_steps else []
    if (learned := learned_policy(config)) is not None:
        comparison.played_by(learned)
    if (found := len(comparison.asked.images)) < config.frames:
        print(f"--frames {config.frames}: play of {config.env} showed only {found} new frames, which are asked about")
    shown = comparison.shown()
    # All are asked before any is trained with: play shows frames that look like these with another memory behind them.
    heard = {arm.name: answer(arm, shown, comparison.reader) for arm in arms if not arm.missing}
    rows = []
    for arm, spec in zip(arms, (*captions, *direct), strict=True):
        if arm.missing:
            rows.append(row(arm.name, 0, None, None, [], arm.missing))
            continue
        answers, returns = heard[arm.name], []
        if config.train_steps:
            judge, captioner = (config.text_judge, spec) if arm.kind == CAPTION else (spec, "none")
            trained_as = training(config, arm.name, judge, captioner)
            returns = trained_returns(trained_as, comparison.guidance(arm, trained_as))
        measured = measure(answers, shown, np.random.default_rng(config.seed))
        rows.append(row(arm.name, len(shown), answers, measured, returns))
        rows[-1]["about"] = f"{rows[-1]['about']}{comparison.from_file(arm.name)}"
    if config.train_steps:
        rows.append(row(BASELINE, 0, None, None, baseline))
    tell(config, shown, list(heard.values()), [arm for arm in arms if arm.missing], rows)
    return rows


def check(config: CompareConfig) -> tuple[list[str], list[str]]:
    """The captioners and the direct judges that are named; UserError for a mistake in the config."""
    captions, direct = ([s.strip() for s in names.split(",") if s.strip()] for names in (config.caption, config.direct))
    for spec in captions:
        if spec.partition(":")[0].partition("?")[0] not in {*NAMES, "hf"}:
            raise UserError(f"--caption {spec}: no such captioner; choose one of {', '.join(NAMES)}")
    check_least(FEWEST, {"frames": config.frames, "train-frames": config.train_frames})
    if config.out.exists():
        raise UserError(f"--out {config.out}: is there already; name a new folder")
    if config.train_steps:
        baseline = training(config, BASELINE, "none", "none")
        check_training(baseline, TRAINING.least_steps)
        TRAINING.check(baseline)
        TRAINING.guidance(baseline)
    return captions, direct


def tell(
    config: CompareConfig, shown: Sequence[Shown], heard: Sequence[Answers], missing: Sequence[Arm],
    rows: Sequence[dict[str, Any]],
) -> None:  # fmt: skip
    """Writes report.html and rows.json, and prints the tables."""
    title = f"{config.env}: {len(shown)} frames, every action in each"
    for path in (config.out / "rows.json", *([config.json] if config.json else [])):
        write_rows(path, rows)
    write_page(config.out / "report.html", title, shown, heard, missing, rows, return_rows(rows))
    for path in write_figures(config.figures, rows) if config.figures else ():
        print(path)
    print_table(rows, title=title, columns=COLUMNS)
    if len(heard) > 1:
        print_table(agreement(heard), title="share of equal verdicts")
    if config.train_steps:
        about = f"{config.algorithm}, {config.train_steps:,} decisions, seeds {config.seeds}: last evaluation, no shift"
        print_table(return_rows(rows), title=about)
    for arm in missing:
        print(f"missing arm {arm.name}: {arm.missing}")
    print(f"{config.out / 'report.html'}  the frames side by side, worst first")


COLUMNS = ("arm", "about", "caption_exact", "answered", "judgment_accuracy", "auc", "auc_ci95", "lost_in_caption",
           "lost_in_judging", "seconds_per_judgment")  # fmt: skip
