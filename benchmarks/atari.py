"""How many frames a second the agents act and learn on, and what each captioner and judge arm adds to a decision.

    python benchmarks/atari.py                              # Pong, on the CPU and on a GPU when there is one
    python benchmarks/atari.py --env Pitfall --decisions 2000 --judges neutral oracle 'hf:MODEL?bits=8'

Three tables from one run, on whatever else this machine is doing; compare ratios, not runs.

1. Acting and learning: decisions a second of R2D2 (its desktop configuration, actors in this process) and of
   Stable-Baselines3's DQN, each without learning and with it, on each device. A decision is four frames of the game.
   Learning R2D2 is timed update by update and counted at its configured rate, so that no hour of warm-up is waited for.
2. Captioners: seconds a frame in a batch, of the game and of a table with something written, and how many times longer
   a DQN decision takes with one frame captioned in it.
3. Judges: seconds of one question put to the judge alone, and of one shift from frame to number, in which equal
   questions are asked once; and how many times longer a DQN decision takes with a shift in it.

Models that are not there are named with what they lack.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from apps.atari_vision.describe import FrameDescriber, captions_of
from apps.atari_vision.domain import AtariDomain, guided, world_captioner
from apps.atari_vision.frames import collect
from apps.atari_vision.learners.settings import recurrent_config, sb3_settings
from apps.atari_vision.oracle import make_expert
from apps.atari_vision.simulator.seen import FRAME, MEMORY
from apps.atari_vision.train import recurrent_envs
from apps.atari_vision.worlds import World, world
from captioners.memory import FrameMemory
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.terminal.tables import print_table

FRAMES = 4  # of the game, a decision
ROUNDS = 5  # medians are of so many
QUESTIONS = 20  # put to a judge without its cache
WRITTEN = "Blackjack-box"  # the world in whose frames something is written
Row = dict[str, Any]


def devices() -> list[str]:
    """cpu, and cuda when there is a GPU."""
    import torch

    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def seconds(work: Callable[[], object], count: int, device: str = "cpu") -> float:
    """Median seconds of one of `count` calls of `work`, looked at in ROUNDS equal parts, or fewer."""
    import torch

    parts = min(ROUNDS, count)
    each = count // parts
    rounds = []
    for _ in range(parts):
        start = time.perf_counter()
        for _ in range(each):
            work()
        if device == "cuda":
            torch.cuda.synchronize()
        rounds.append((time.perf_counter() - start) / each)
    return statistics.median(rounds)


def r2d2_row(made: World, device: str, decisions: int, actors: int, updates: int) -> Row:
    """R2D2's acting, its update, and both at the configured number of decisions an update."""
    from apps.atari_vision.r2d2.run import Schedule, Trainer

    config: Any = recurrent_config("r2d2", True, 10**6, ("processes=no", f"actors={actors}", f"device={device}"))
    config = replace(config, warm_up=config.capacity)  # it never learns by itself
    trainer = Trainer(partial(recurrent_envs, made.name, False, None, False), config, Schedule(1, 1, 1, 1), seed=0)
    while len(trainer.replay) < config.batch_size:
        trainer.step()
    acting = seconds(trainer.step, max(decisions // config.actors, 1), device) / config.actors
    update = partial(trainer._learn, None)
    update()  # compiles, where it compiles
    learning = seconds(update, updates, device) / config.decisions_per_update
    trainer.close()
    return _speed("R2D2", device, config.actors, acting, learning)


def dqn_row(made: World, device: str, decisions: int) -> Row:
    """DQN's acting, and its gradient steps at their configured rate."""
    learner, step = dqn(made, device)
    acting = seconds(step, decisions, device)
    each = learner.train_freq.frequency / learner.gradient_steps
    learning = seconds(lambda: learner.train(1, learner.batch_size), ROUNDS * 4, device) / each
    learner.get_env().close()
    return _speed("DQN", device, 1, acting, learning)


def dqn(made: World, device: str) -> tuple[Any, Callable[[], None]]:
    """A DQN whose replay holds something, and one decision of it: look, act, store."""
    from apps.atari_vision.learners.sb3 import make_learner

    settings = sb3_settings("dqn", True, 10**6, ("buffer_size=5000", "learning_starts=100"))
    learner: Any = make_learner(made, "dqn", settings, 0, None, None, device)
    learner.learn(200, log_interval=None)
    state = {"seen": learner._last_obs}

    def step() -> None:
        actions, _ = learner.predict(state["seen"], deterministic=True)
        seen, rewards, ended, infos = learner.env.step(actions)
        learner.replay_buffer.add(state["seen"], seen, actions, rewards, ended, infos)
        state["seen"] = seen

    return learner, step


def _speed(agent: str, device: str, copies: int, acting: float, learning: float) -> Row:
    return {
        "agent": agent,
        "device": device,
        "copies": copies,
        "acting_frames_per_second": FRAMES / acting,
        "acting_and_learning_frames_per_second": FRAMES / (acting + learning),
        "learning_share": learning / (acting + learning),
    }


def taught(made: World, folder: Path) -> dict[str, str]:
    """`trained` and `distilled` by the names of files that were taught a moment: speed does not depend on skill."""
    from apps.atari_vision.compare.command import train_on
    from lmgt_core.distill.frames import FrameSettings, distill_frames
    from lmgt_core.judges.distilled_frames import save_frame_student
    from lmgt_core.judges.oracle import OracleJudge

    frames, memory = collect(made, 40, 1), FrameMemory()
    for image, held in zip(frames.images, frames.memories, strict=True):
        memory.remember(image, held)
    train_on(made, frames, 1, 0, folder)
    describe, template = FrameDescriber(made, None, memory), made.template()
    prompts = [template.render(describe.of_frame(image, action)) for image in frames.images for action in (0, 1)]
    teacher = OracleJudge(make_expert(made, memory), made.name, "benchmark")
    student = distill_frames(teacher, prompts, np.random.default_rng(0), FrameSettings(epochs=1)).student
    save_frame_student(student, folder / "distilled.npz")
    return {"trained": f"trained:{folder / 'captioner.npz'}", "distilled": f"distilled:{folder / 'distilled.npz'}"}


def captioner_rows(made: World, names: Mapping[str, str], decision: float, frames: int) -> list[Row]:
    """Each captioner (name -> spec) on different frames of play, beside `decision` seconds of a DQN decision."""
    seen, memory = collect(made, frames, 0), FrameMemory()
    for image, held in zip(seen.images, seen.memories, strict=True):
        memory.remember(image, held)
    rows: list[Row] = []
    for name, spec in names.items():
        arm: Row = {"world": made.name, "captioner": name}
        try:
            captioner = world_captioner(spec, made, memory)
        except UserError as error:
            rows.append({**arm, "missing": str(error)})
            continue
        assert captioner is not None
        captions_of(captioner, list(seen.images[:1]))  # loads what is loaded late
        start = time.perf_counter()
        captions_of(captioner, list(seen.images[1:]))
        each = (time.perf_counter() - start) / (frames - 1)
        rows.append({**arm, "seconds_a_frame": each, "decision_times": (decision + each) / decision, "missing": ""})
    return rows


def judge_rows(made: World, names: Mapping[str, str], decision: float, frames: int, folder: Path) -> list[Row]:
    """Each judge (name -> spec) on one decision a time, from the frame and from the privileged caption."""
    rows: list[Row] = []
    seen = collect(made, frames, 0)
    observations = [{FRAME: image, MEMORY: held} for image, held in zip(seen.images, seen.memories, strict=True)]
    for name, spec in names.items():
        for captioner in ("none", "objects"):
            arm: Row = {"judge": name, "reads": "the frame" if captioner == "none" else "objects caption"}
            memory = FrameMemory()
            try:
                reader = world_captioner(captioner, made, memory)
                domain = AtariDomain(made, reader, memory, folder / "captions.sqlite")
                guidance = guided(domain, JudgeConfig(spec, gate=False), folder / "judgments.sqlite")
            except UserError as error:
                rows.append({**arm, "missing": str(error)})
                continue
            question, shift = _judging_seconds(guidance, made, observations)
            asked = {"seconds_a_question": question, "seconds_a_shift": shift}
            rows.append({**arm, **asked, "decision_times": (decision + shift) / decision, "missing": ""})
    return rows


def _judging_seconds(guidance: Guidance, made: World, observations: Sequence[Any]) -> tuple[float, float]:
    """Seconds of one question put to the judge alone, and of one shift: captioned, rendered, looked up or asked.

    Means; the first, which loads what is loaded late, is left out.
    """
    shifter, rng = guidance.shifts(0, 1), np.random.default_rng(0)
    assert guidance.judge is not None and isinstance(shifter, RewardShifter)
    actions = [int(rng.integers(len(made.knowledge.actions))) for _ in observations]
    prompts = []
    start = 0.0
    for i, (observation, action) in enumerate(zip(observations, actions, strict=True)):
        start = time.perf_counter() if i == 1 else start
        prompts += [p for p in shifter([observation], [action]).prompts if p is not None]
    shift = (time.perf_counter() - start) / (len(observations) - 1)
    few = prompts[1 : 1 + QUESTIONS]
    start = time.perf_counter()
    for prompt in few:
        guidance.judge.judge([prompt])
    return (time.perf_counter() - start) / len(few), shift


def main() -> None:
    """Measures and prints."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--env", default="Pong", help="a game")
    asked.add_argument("--decisions", type=int, default=1000, help="that each agent takes")
    asked.add_argument("--actors", type=int, default=8, help="copies of the game that R2D2 plays")
    asked.add_argument("--updates", type=int, default=5, help="of R2D2 that are timed, on each device")
    asked.add_argument("--frames", type=int, default=100, help="for each captioner and judge")
    asked.add_argument("--captioners", nargs="+", default=["objects", "ocr", "trained"])
    asked.add_argument("--judges", nargs="+", default=["neutral", "random", "oracle", "distilled", "smollm2"])
    told = asked.parse_args()
    made = world(told.env)
    if not made.game:
        raise SystemExit(f"--env {told.env}: is no game")
    rows = [
        row
        for device in devices()
        for row in (
            r2d2_row(made, device, told.decisions, told.actors, told.updates),
            dqn_row(made, device, told.decisions),
        )
    ]
    print_table(rows, title=f"{made.name}: frames of the game a second ({FRAMES} a decision)")
    learner, step = dqn(made, "cpu")
    decision = seconds(step, told.decisions)
    learner.get_env().close()
    title = f"beside a DQN decision of {1000 * decision:.2f} ms on the CPU (decision_times: how many times longer)"
    with TemporaryDirectory() as name:
        rows = []
        for number, place in enumerate((made, world(WRITTEN))):
            (folder := Path(name) / str(number)).mkdir()
            files = taught(place, folder)
            rows += captioner_rows(place, {n: files.get(n, n) for n in told.captioners}, decision, told.frames)
            if place is made:
                judged = judge_rows(made, {n: files.get(n, n) for n in told.judges}, decision, told.frames, folder)
    print_table(rows, title=f"captioners, {title}")
    print_table(judged, title=f"judges, {title}")


if __name__ == "__main__":
    main()
