"""The arms of a comparison on Housekeep's frames: captions that a text judge reads, and judges that see the frame."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from apps.housekeep.compare.frames import collect
from apps.housekeep.compare.trained import distil_on_views, train_home_captioner
from apps.housekeep.compare.views import View
from apps.housekeep.compare.words import HomeWords
from apps.housekeep.config import CompareConfig
from apps.housekeep.describe import describe
from apps.housekeep.domain import PROMPTS
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.knowledge.judges import knowledge, make_context
from apps.housekeep.simulator.factory import make_simulator
from apps.housekeep.watch.frame_captions import OBJECTS, WORLD, question
from captioners.captioner import Caption, Captioner, CaptionerError, CaptionFailure, Image
from captioners.registry import CaptionerContext, make_captioner, parse_captioner
from lmgt_core.compare.arms import CAPTION, DIRECT, Arm, peak_mb
from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic
from lmgt_core.judges.distilled_frames import ACTION, FrameJudge, load_frame_judge, save_frame_student
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import Judge, JudgeKind, ask
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.judging.registry import make_judge, parse_spec
from lmgt_core.judging.uncaptioned import UNCAPTIONED, CaptionedOnly
from lmgt_core.terminal.progress import progress

UNSAID = "unsaid"  # the fact that holds why the caption does not say what is asked about
ALL = 10_000  # things in view
BATCH = 32  # frames a captioner is given at once
TRAINED = "trained"
DISTILLED = "distilled"
SEEING = (JudgeKind.VISION_LANGUAGE_MODEL, JudgeKind.BASELINE)
READERS_OF_FACTS = (JudgeKind.ORACLE, JudgeKind.EMBEDDING, JudgeKind.TRAINED)


class SaidOnly:
    """A judge of facts that is not asked where the caption does not state them: then nothing can be judged."""

    def __init__(self, judge: Judge) -> None:
        self.judged = judge
        self.id, self.kind, self.cacheable = judge.id, judge.kind, judge.cacheable

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The judge's answers; UNREADABLE with the reason where the caption leaves the question open."""
        said = [i for i, prompt in enumerate(prompts) if UNSAID not in prompt.facts]
        answers = dict(zip(said, ask(self.judged, [prompts[i] for i in said]), strict=True))
        return [
            answers[i] if i in answers else Judgment(Verdict.UNREADABLE, reason=prompt.facts[UNSAID])
            for i, prompt in enumerate(prompts)
        ]


class Arms:
    """Makes the arms for the views of some episodes; what has to learn first learns from those of others.

    `files` are what was trained: name -> writer to a path, for whoever knows that the command will succeed. `grown` are
    the MB by which the process's peak grew while an arm's model was loaded or trained.
    """

    def __init__(
        self, config: CompareConfig, asked: Sequence[Episode], taught: Sequence[Episode], direct: Sequence[str]
    ) -> None:
        self.config = config
        self.files: dict[str, Callable[[Path], None]] = {}
        self.grown: dict[str, float] = {}
        self._taught_episodes = taught
        self.words = HomeWords([*asked, *taught])
        self.template = PromptTemplate.load(PROMPTS / "zero-shot.txt")
        self.context = make_context(knowledge(config.votes, config.splits), [*asked, *taught], config.seed)
        self.text_judge = self.judge(config.text_judge, "--text-judge")
        self.teacher = self.judge(config.teacher, "--teacher")
        self.ideal = self._reader(self.judge("oracle", ""))
        self._seers = {spec: self._seer(spec) for spec in direct}  # now: what is refused has not been played for
        self._simulator = make_simulator(config, (config.size, config.size))
        with progress("frames to ask about", config.frames) as bar:
            rng = np.random.default_rng(config.seed)
            self.views = collect(self._simulator, asked, self.words, config.frames, rng, tick=bar.advance)

    def close(self) -> None:
        """Ends the simulator."""
        self._simulator.close()

    @cached_property
    def taught(self) -> list[View]:
        """Views to learn from; none of them is asked about."""
        rng, known = np.random.default_rng(self.config.seed + 1), {view.digest for view in self.views}
        count = self.config.train_frames
        with progress("frames to learn from", count) as bar:
            return collect(self._simulator, self._taught_episodes, self.words, count, rng, known, bar.advance)

    @contextmanager
    def _weighed(self, arm: str) -> Iterator[None]:
        """Counts for `arm` by how much the process's peak grows meanwhile."""
        before = peak_mb()
        try:
            yield
        finally:
            self.grown[arm] = self.grown.get(arm, 0.0) + peak_mb() - before

    def judge(self, spec: str, flag: str) -> Judge:
        """The judge called `spec`; UserError for `none`, and for what cannot be had."""
        judge = make_judge(spec, self.context)
        if judge is None:
            raise UserError(f"{flag} {spec}: gives no judge; name another")
        return judge

    def caption_arm(self, spec: str) -> Arm:
        """The arm that judges captions of `spec`; missing where its captioner cannot be made."""
        name = f"caption:{spec}"
        try:
            with self._weighed(name):
                speak, what = self._speaker(spec)
        except CaptionerError as error:
            return Arm(name, CAPTION, missing=str(error))
        said: list[Caption] = []
        reasons: dict[int, str] = {}

        def read(images: Sequence[Image]) -> list[str]:
            said[:] = speak(images)
            reasons.update({i: c.reason for i, c in enumerate(said) if isinstance(c, CaptionFailure)})
            return [self._shown(c, view) for c, view in zip(said, self.views, strict=True)]

        def render(picture: int, caption: str, action: int) -> Prompt:
            return self.captioned(self.views[picture], said[picture], action)

        about = f"{spec}{what}, judged by {self.config.text_judge} [{self.text_judge.kind.value}]"
        return Arm(name, CAPTION, about, "", self._reader(self.text_judge), read, render, reasons)

    def direct_arm(self, spec: str) -> Arm:
        """The arm whose judge sees the frames; missing where the judge cannot be made."""
        name, seer = f"direct:{spec}", self._seers[spec]
        if isinstance(seer, UserError):
            return Arm(name, DIRECT, missing=str(seer))
        with self._weighed(name):
            judge = seer or self._distilled()

        def render(picture: int, caption: str, action: int) -> Prompt:
            return pictured(self.template, self.views[picture], action)

        return Arm(name, DIRECT, judge.kind.value, judge=judge, render=render)

    def captioned(self, view: View, caption: Caption, number: int) -> Prompt:
        """Question `number` about a view under `caption`, with the facts that the caption states of it."""
        question = view.questions[number]
        if isinstance(caption, CaptionFailure):
            return self.template.render(Description(view.hand, question.words, facts={UNCAPTIONED: caption.reason}))
        found = self.words.decision(
            question.decision.kind, question.thing, question.furniture, self.words.read(caption)
        )  # fmt: skip
        facts = {UNSAID: found} if isinstance(found, str) else dict(describe(found).facts)
        return self.template.render(Description(self._shown(caption, view), question.words, facts=facts))

    @staticmethod
    def _shown(caption: Caption, view: View) -> str:
        """The caption with the words about the hand, which no camera sees; "" where there is none."""
        return f"{caption} {view.hand}" if isinstance(caption, str) else ""

    @staticmethod
    def _reader(judge: Judge) -> Judge:
        return CaptionedOnly(SaidOnly(judge) if judge.kind in READERS_OF_FACTS else judge)

    def _speaker(self, spec: str) -> tuple[Callable[[Sequence[Image]], list[Caption]], str]:
        """What captions the views' frames, and what of it is privileged or trained."""
        if _is(spec, OBJECTS):
            limit = object_limit(spec)
            return partial(self._semantic, limit), " (privileged: reads the semantic sensor)"
        captioner = self._trained() if spec == TRAINED else self._named(spec)

        def speak(images: Sequence[Image]) -> list[Caption]:
            parts = [np.stack(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
            return [caption for part in parts for caption in captioner.caption(part)]

        return speak, " (trained on labels)" if _is(spec, TRAINED) else ""

    def _named(self, spec: str) -> Captioner:
        return make_captioner(spec, CaptionerContext(WORLD, question()))

    def _trained(self) -> Captioner:
        rng = np.random.default_rng(self.config.seed)
        captioner = train_home_captioner(self.taught, self.config.epochs, rng)
        self.files["captioner.npz"] = lambda path: write_atomic(path, captioner.content)
        return captioner

    def _semantic(self, limit: int, images: Sequence[Image]) -> list[Caption]:
        return [view.words(limit) for view in self.views]

    def _seer(self, spec: str) -> Judge | UserError | None:
        """The judge `spec` of frames, why it cannot be had, or None for one that has to be distilled first."""
        file = parse_spec(spec).argument
        if spec == DISTILLED:
            return None
        try:
            with self._weighed(f"direct:{spec}"):
                judge = load_frame_judge(Path(file)) if _is(spec, DISTILLED) else self.judge(spec, "--direct")
        except UserError as error:
            return error
        taught = _is(spec, "hf") and judge.kind is JudgeKind.TRAINED  # a LLaVA of ours
        if not (judge.kind in SEEING or taught or _is(spec, DISTILLED) or _is(spec, "openai")):
            raise UserError(f"--direct {spec}: reads words only and cannot see frames; name an image-text model")
        return judge

    def _distilled(self) -> Judge:
        rng = np.random.default_rng(self.config.seed)
        render = partial(pictured, self.template)
        student = distil_on_views(self.teacher, self.taught, render, self.config.epochs, rng)
        self.files["distilled.npz"] = lambda path: save_frame_student(student, path)
        return FrameJudge(student)


def pictured(template: PromptTemplate, view: View, number: int) -> Prompt:
    """Question `number` about a view with the frame itself."""
    words = view.questions[number].words
    state = f"The picture shows what the robot sees. {view.hand}"
    return template.render(Description(state, words, (view.frame.rgb,), {ACTION: words}))


def object_limit(spec: str) -> int:
    """How many things `objects?limit=N` names, the largest; without a limit all that are in view."""
    _, argument, options = parse_captioner(spec)
    limit = options.get("limit", str(ALL))
    if argument or set(options) - {"limit"} or not limit.isascii() or not limit.isdigit() or int(limit) < 1:
        raise UserError(f"--caption {spec}: objects takes nothing but a limit, like objects?limit=6")
    return int(limit)


def _is(spec: str, provider: str) -> bool:
    return spec.partition(":")[0].partition("?")[0] == provider
