"""`lmgt housekeep watch`: a video of one episode, with the judge's verdicts as captions."""

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.config import BUILTIN, EvaluateConfig, WatchConfig
from apps.housekeep.domain import SEAMS, HousekeepDomain, fading_horizon
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_entries
from apps.housekeep.evaluate import Job, make_policy, run_settings
from apps.housekeep.knowledge.judges import knowledge
from apps.housekeep.knowledge.places import object_words, receptacle_words
from apps.housekeep.knowledge.words import skill_words
from apps.housekeep.metrics import episode_metrics
from apps.housekeep.simulator.factory import check_scenes, check_simulator, make_simulator
from apps.housekeep.simulator.protocol import Action, Frame
from apps.housekeep.skills import Kind, Skill, SkillRunner, candidates, decision_of
from apps.housekeep.task import Task
from apps.housekeep.watch.frame_captions import FrameCaptioner, make_frame_captioner
from apps.housekeep.watch.map import HomeMap
from apps.housekeep.watch.screen import STRIP, Judged, Picture, Screen, Status
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.terminal.progress import progress
from lmgt_core.training.driver import CACHE

FRAMES_A_SECOND = 10
EVERY = 3  # primitive steps a picture: an episode of 1000 steps lasts 45 seconds
HELD_PICTURES = 12  # the picture after a pick or a place stands still this long: there is a verdict to read
LAST_PICTURES = 25
ENLARGED = 2  # the view is drawn this much larger than it is rendered
FORMATS = (".mp4", ".gif", ".webp")
WEBP_QUALITY = 20  # of 100; text stays readable
WEBP_EVERY = 6  # of so many pictures a .webp shows one, ...
WEBP_MILLISECONDS = 300  # ... for so long: twice as fast as the video
NO_JUDGE = "none"


class Writer(Protocol):
    """Takes pictures of one size, one after another."""

    def append_data(self, picture: Picture) -> None: ...


def main(config: WatchConfig) -> dict[str, Any]:
    """Records the video; returns its path, the number of pictures and the episode's metrics."""
    check(config)
    captioner = make_frame_captioner(config.captioner)
    settings = {} if config.policy == "random" else run_settings(Path(config.policy))
    episode = choose(config, settings)
    check_scenes(config, [episode])
    policy = make_policy(Job(config.policy, config.seed, EvaluateConfig((config.policy,), seed=config.seed)), [episode])
    name = config.judge or settings.get("judge", NO_JUDGE)
    with tempfile.TemporaryDirectory() as scratch:
        guidance = audited_guidance(config, settings, name, episode, Path(scratch))
        shifter = shifter_of(guidance, config.seed, settings)
        with closing(make_simulator(config, (config.size, config.size))) as simulator:
            task = Task(simulator, settings.get("reward", "sparse"))
            task.reset(episode)
            screen = Screen(ENLARGED * config.size, title(config, settings, episode), label(guidance, name))
            with atomic_video(config.out) as writer, progress("steps", task.max_steps) as bar:
                recorder = Recorder(task, screen, shifter, writer, bar.advance, captioner)
                recorder.play(policy)
            metrics = episode_metrics(task)  # before the simulator is closed: it is asked for shortest paths
        if shifter is not None:
            shifter.close()
    success = metrics["object_success"]
    said = "undefined" if success is None else f"{success:.2f}"
    print(f"{config.out}: {task.steps} steps, {recorder.pictures} pictures, object success {said}", flush=True)
    return {"out": str(config.out), "pictures": recorder.pictures, "metrics": metrics}


def check(config: WatchConfig) -> None:
    """Refuses what cannot be recorded, naming the flag."""
    if config.out.suffix not in FORMATS:
        raise UserError(f"--out {config.out}: the video is one of {', '.join(FORMATS)}")
    if not config.out.absolute().parent.is_dir():
        raise UserError(f"--out {config.out}: there is no folder {config.out.parent}; make it first")
    if not 64 <= config.size <= 512:
        raise UserError(f"--size {config.size}: give 64 to 512 pixels")
    check_simulator(config)


def choose(config: WatchConfig, settings: dict[str, Any]) -> Episode:
    """The episode at position --episode of the given files, or of the run's evaluation episodes."""
    paths, select = config.episodes, None
    if not paths and settings.get("evaluate_episodes"):
        paths, select = tuple(settings["evaluate_episodes"]), settings["evaluate_select"]
    elif not paths:
        paths = tuple(settings.get("episodes", (BUILTIN,)))
        select = settings.get("evaluate_select") or settings.get("select")
    entries = load_entries(paths, select, config.strict)
    if not 0 <= config.episode < len(entries):
        raise UserError(f"--episode {config.episode}: there are {len(entries)} episodes, counted from 0")
    entry = entries[config.episode]
    if not isinstance(entry, Episode):
        raise UserError(f"--episode {config.episode}: cannot be used: {entry.reason}")
    return entry


def audited_guidance(
    config: WatchConfig, settings: dict[str, Any], name: str, episode: Episode, scratch: Path
) -> Guidance:
    """The judge called `name` as in the run, with the run's audit; a judge that is not the run's is audited now."""
    if settings and config.seed not in settings["seeds"]:
        raise UserError(f"--seed {config.seed}: {config.policy} has the seeds {', '.join(map(str, settings['seeds']))}")
    own = bool(settings) and name == settings["judge"]
    cache = (Path(config.policy) if own else scratch) / CACHE
    seams = SEAMS[settings.get("algorithm", "drrn")]
    guidance = Guidance.of(domain_of(settings, episode), judge_config(settings, name), cache, seams=seams)
    summary = Path(config.policy) / "summary.json"
    return guidance.audited(json.loads(summary.read_text())["audit"] if own and summary.is_file() else None)


def judge_config(settings: dict[str, Any], name: str) -> JudgeConfig:
    """How the run trusted its judge, with the judge called `name` asked in step."""
    kept = {f.name: settings[f.name] for f in fields(JudgeConfig) if f.name in settings}
    return JudgeConfig(**{**kept, "judge": name, "prompts": None, "documents": None, "judge_ahead": False})


def domain_of(settings: dict[str, Any], episode: Episode) -> HousekeepDomain:
    """The home of `episode`, with the labels and prompts of the run."""
    paths = {n: settings.get(n) and Path(settings[n]) for n in ("votes", "splits", "prompts", "documents")}
    labels = knowledge(paths["votes"], paths["splits"])
    vocabulary = Vocabulary.of([episode])
    return HousekeepDomain(
        labels, [episode], vocabulary, prompts=paths["prompts"], documents=paths["documents"], env=episode.scene
    )


def shifter_of(guidance: Guidance, seed: int, settings: dict[str, Any]) -> RewardShifter | None:
    """The shifts as a training of the run's length would begin with them; None without a judge."""
    steps = settings.get("steps", 1)
    horizon = fading_horizon(guidance.config.rule, steps, settings.get("horizon"))
    source = guidance.shifts(seed, steps, horizon)
    assert source is None or isinstance(source, RewardShifter)  # in step
    return source


def title(config: WatchConfig, settings: dict[str, Any], episode: Episode) -> str:
    """What is watched: the policy, and where."""
    policy = f"{config.policy}, seed {config.seed}" if settings else "random policy"
    return f"{policy}  ·  {episode.scene}, episode {episode.episode_id}"


def label(guidance: Guidance, name: str) -> str:
    """The judge's name and kind."""
    return name if guidance.judge is None else f"{name} [{guidance.kind}]"


class Recorder:
    """Plays an episode and hands a picture to `writer` at every second step and after every pick and place."""

    def __init__(
        self,
        task: Task,
        screen: Screen,
        shifter: RewardShifter | None,
        writer: Writer,
        tick: Any,
        captioner: FrameCaptioner | None = None,
    ) -> None:
        self.task, self.screen, self.writer, self.tick = task, screen, writer, tick
        self.home = HomeMap(task.simulator, screen.side, STRIP)
        self.captioner = captioner or FrameCaptioner()
        self._said: tuple[str, str] | None = None  # what is being done, and the caption when it began
        self.shifter = shifter
        self.trail: list[tuple[float, float]] = [self._place()]
        self.judged: list[Judged] = []
        self.pictures = 0
        self.doing, self.skill = "", Skill(Kind.LOOK)

    def play(self, policy: Any) -> None:
        """The whole episode."""
        runner = SkillRunner(self.task, watch=self._watch)
        self._show()
        while not self.task.over:
            skill = policy(self.task, candidates(self.task))
            if skill is None:
                break
            self.doing, self.skill = skill_words(self.task.episode, skill), skill
            self._judge(skill)
            failure = runner.run(skill).failure
            if failure:
                self.doing += f" - failed: {failure}"
            if skill.kind in (Kind.PICK, Kind.PLACE):
                self._show(HELD_PICTURES)
        self.doing = "everything is right" if self.task.terminated else "the steps are used up"
        self._show(LAST_PICTURES)

    def _judge(self, skill: Skill) -> None:
        """Asks about a pick or place before it happens, as training does."""
        decision = decision_of(self.task, skill)
        if self.shifter is None or decision is None:
            return
        shifts = self.shifter([decision], [skill])
        judgment = shifts.judgments[0]
        if judgment is not None:
            words = f"{decision.kind} {object_words(decision.object)} · {receptacle_words(decision.receptacle)}"
            self.judged.append(Judged(self.task.steps, words, judgment, float(shifts.delta[0])))

    def _watch(self, task: Task, action: Action) -> None:
        self.tick(1)
        self.trail.append(self._place())
        if task.steps % EVERY == 0:
            self._show()

    def _place(self) -> tuple[float, float]:
        x, _, z = self.task.simulator.pose.position
        return (x, z)

    def _show(self, times: int = 1) -> None:
        frame = self.task.simulator.render()
        target = self.skill.receptacle if self.skill.receptacle >= 0 else None
        picture = self.screen.compose(
            frame.rgb,
            self.home.draw(self.task, self.trail, target),
            self._status(self._caption(frame)),
            outlined(frame.semantic, self._instance()),
        )
        for _ in range(times):
            self.writer.append_data(picture)
        self.pictures += times

    def _instance(self) -> int:
        """The instance that the skill is about: an object to pick, else a receptacle, else none (0)."""
        if self.skill.kind is Kind.PICK and self.task.held != self.skill.item:
            return 1 + len(self.task.episode.receptacles) + self.skill.item
        return 1 + self.skill.receptacle

    def _caption(self, frame: Frame) -> str:
        """What the captioner says of the frame, or why it cannot; a model, which is slow, is asked once a skill."""
        if not self.captioner.privileged and self._said is not None and self._said[0] == self.doing:
            return self._said[1]
        caption = self.captioner.caption(self.task, frame)
        said = caption if isinstance(caption, str) else f"no caption: {caption.reason}"
        said = f"{self.captioner.label}: {said}"
        self._said = (self.doing, said)
        return said

    def _status(self, caption: str) -> Status:
        task = self.task
        held = "" if task.held is None else object_words(task.episode.items[task.held].category)
        success = episode_metrics(task)["object_success"]
        right = int(task.right.sum())
        return Status(
            self.doing,
            task.steps,
            task.max_steps,
            held,
            right,
            task.right_at_start,
            len(task.right),
            success,
            caption,
            tuple(self.judged),
        )


def outlined(semantic: NDArray[np.int32], instance: int) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of what the image shows of `instance`, in shares of the image; None when nothing."""
    if instance <= 0:
        return None
    rows, columns = np.nonzero(semantic == instance)
    if not len(rows):
        return None
    height, width = semantic.shape
    return (
        float(columns.min() / width),
        float(rows.min() / height),
        float((columns.max() + 1) / width),
        float((rows.max() + 1) / height),
    )


@contextmanager
def atomic_video(out: Path) -> Iterator[Writer]:
    """A writer whose video appears as `out` when the block ends well, and not at all otherwise."""
    handle, name = tempfile.mkstemp(suffix=out.suffix, prefix=f".{out.stem}.", dir=out.absolute().parent)
    os.close(handle)
    temporary = Path(name)
    writer = open_writer(temporary)
    try:
        yield writer
        writer.close()
        temporary.chmod(0o666 & ~_umask())  # mkstemp lets nobody else read it
        os.replace(temporary, out)
    except BaseException:
        with suppress(Exception):  # the encoder may be what failed
            writer.close()
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """The process's mask for new files; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def open_writer(path: Path) -> Any:
    """A writer of H.264 (.mp4, readable everywhere), of a looping .gif at half the size, or of a small .webp clip."""
    if path.suffix == ".gif":
        return GifWriter(path)
    if path.suffix == ".webp":
        return WebpWriter(path)
    import imageio.v2 as imageio

    return imageio.get_writer(
        path, fps=FRAMES_A_SECOND, codec="libx264", pixelformat="yuv420p", quality=7, macro_block_size=2
    )


class GifWriter:
    """Keeps pictures as palettes of 128 colours (a fifteenth of the memory) and writes them when it is closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pictures: list[Any] = []

    def append_data(self, picture: Picture) -> None:
        from PIL import Image

        image = Image.fromarray(picture).reduce(2)
        self._pictures.append(image.quantize(128, Image.Quantize.FASTOCTREE))

    def close(self) -> None:
        first, *rest = self._pictures
        duration = math.ceil(1000 / FRAMES_A_SECOND)
        first.save(self.path, save_all=True, append_images=rest, duration=duration, loop=0)


class WebpWriter:
    """Keeps one picture of six, at half the size, and writes a small looping clip when it is closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = 0
        self._pictures: list[Any] = []

    def append_data(self, picture: Picture) -> None:
        from PIL import Image

        if self._seen % WEBP_EVERY == 0:
            self._pictures.append(Image.fromarray(picture).reduce(2))
        self._seen += 1

    def close(self) -> None:
        first, *rest = self._pictures
        shown = {"duration": WEBP_MILLISECONDS, "loop": 0, "quality": WEBP_QUALITY, "method": 6}
        first.save(self.path, save_all=True, append_images=rest, **shown)
