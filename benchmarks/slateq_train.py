"""How fast SlateQ trains, RecSim's own agent and `lmgt slateq train`, in one run on this machine.

    python benchmarks/slateq_train.py                   # prints a table and how many times faster; less than a minute
    python benchmarks/slateq_train.py --steps 100000

Both learn QL-TT-TS in interest evolution with 10 candidates and slates of 3; a step is one slate served to one user,
acting and learning included. RecSim's is slate_decomp_q_agent as its package ships it (one user, 32 transitions every
fourth step), but MENDED: as it is, what acts is never trained (apps/slateq/simulator/recsim_faults.py). Ours has its
defaults (2 x 512 transitions for every step of 128 users): 8 transitions a step in both. Each has a process and one
thread of its own; building, tracing and the steps until updates are under way are not timed, nor are evaluations.
RecSim's random slates cost less than its greedy ones, so it is timed at both ends of its exploration, and what a whole
training of 300,000 steps takes is computed from the two. Our trainer's log, with its fsyncs, counts.

The exit code is 1 where ours is not ten times as fast as RecSim's faster end, random slates, in CPU time.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apps.slateq.simulator import recsim_faults
from apps.slateq.train_config import TrainConfig
from lmgt_core.terminal.tables import print_table

AIM = 10
AGENT = "slate_topk_topk_q"  # RecSim's name of QL-TT-TS
LAST_EPSILON = 0.01  # where RecSim's exploration ends
TRAINING, DECAY, BEFORE = 300_000, 250_000, 20_000  # steps: all, while RecSim's epsilon falls from 1, before that
HISTORY = 500  # steps before RecSim's first update (its default, 20,000, would only be waited for)
WARM_UP = 10_000  # steps of ours that are not timed: the first 2,000 make no update, the next ones trace


@dataclass(frozen=True)
class Moment:
    """A point in a training: steps served, seconds of this process's CPU time and of the clock."""

    steps: int
    cpu: float
    wall: float

    @classmethod
    def now(cls, steps: int) -> "Moment":
        """This moment."""
        return cls(steps, time.process_time(), time.perf_counter())


@dataclass(frozen=True)
class Speed:
    """Steps a second between two moments, by CPU time and by the clock."""

    name: str
    steps: int
    cpu: float
    wall: float

    @classmethod
    def between(cls, name: str, begun: Moment, ended: Moment) -> "Speed":
        """The speed from one moment to another."""
        steps = ended.steps - begun.steps
        return cls(name, steps, steps / (ended.cpu - begun.cpu), steps / (ended.wall - begun.wall))


def recsim(steps: int) -> list[Speed]:
    """RecSim's mended agent, `steps` steps with random slates and as many at its last epsilon."""
    recsim_faults.prepare_imports()
    recsim_faults.mend_agents()
    import tensorflow as tf
    from recsim.agents import slate_decomp_q_agent

    tf1 = tf.compat.v1
    tf1.disable_eager_execution()
    settings = {"num_candidates": 10, "slate_size": 3, "resample_documents": True, "seed": 20_409}
    env = recsim_faults.recsim_maker("interest-evolution")(settings)
    one = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with tf1.Graph().as_default(), tf1.Session(config=one) as session:
        spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
        agent = slate_decomp_q_agent.create_agent(AGENT, session, min_replay_history=HISTORY, **spaces)
        session.run(tf1.global_variables_initializer())
        speeds = []
        for epsilon in (1.0, LAST_EPSILON):
            agent.epsilon_fn = lambda *_, share=epsilon: share
            serve(env, agent, 2 * HISTORY)
            begun = Moment.now(0)
            served = serve(env, agent, steps)
            speeds.append(Speed.between(f"RecSim, mended, epsilon {epsilon:g}", begun, Moment.now(served)))
    return speeds


def whole(random: Speed, last: Speed) -> Speed:
    """The speed of a RecSim training of TRAINING steps, from those with random slates and at LAST_EPSILON."""
    share = (BEFORE + DECAY / 2) / TRAINING  # of steps as costly as random ones, where epsilon falls linearly

    def mixed(a: float, b: float) -> float:
        return 1 / (share / a + (1 - share) / b)

    return Speed("RecSim, mended, 300k steps (computed)", 0, mixed(random.cpu, last.cpu), mixed(random.wall, last.wall))


def serve(env: Any, agent: Any, steps: int) -> int:
    """Lets the agent act and learn for whole sessions; how many steps that were, at least `steps`."""
    served = 0
    while served < steps:
        slate, done = agent.begin_episode(env.reset()), False
        while not done:
            observation, reward, done, _ = env.step(slate)
            served += 1
            if not done:
                slate = agent.step(reward, observation)
        agent.end_episode(reward, observation)
    return served


def ours(steps: int) -> list[Speed]:
    """`steps` steps of the trainer with its defaults, after WARM_UP others, without a judge."""
    from apps.slateq.tensorflow_setup import one_deterministic_thread

    one_deterministic_thread()
    from apps.slateq.trainer import Trainer
    from lmgt_core.training.run_log import RunLog

    total = WARM_UP + steps
    with TemporaryDirectory() as folder:
        config = TrainConfig(
            algorithm="QL-TT-TS",
            judge="none",
            users=128,
            steps=total,
            out=Path(folder) / "run",
            evaluate_every=2 * total,  # so only at the beginning and at the end, outside what is timed
            evaluate_users=1,
            checkpoint_every=2 * total,
        )
        moments: list[Moment] = []

        def tick(new: int) -> None:
            moments.append(Moment.now(new + (moments[-1].steps if moments else 0)))

        with RunLog.create(config.out, {}) as log:
            Trainer(config, 0, None, config.out).train(log, tick)
    begun = next(moment for moment in moments if moment.steps >= WARM_UP)
    return [Speed.between(f"lmgt, {config.users} users", begun, moments[-1])]


MEASURES: dict[str, Callable[[int], list[Speed]]] = {"recsim": recsim, "ours": ours}


def measured(name: str, steps: int) -> list[Speed]:
    """What MEASURES[name] finds in a process of its own, with one thread."""
    command = [sys.executable, __file__, "--only", name, "--steps", str(steps)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, env={**os.environ, **threads}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return [Speed(**found) for found in json.loads(done.stdout.splitlines()[-1])]


def main() -> int:
    """Prints the table; 1 where the aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50_000, help="timed steps of ours")
    parser.add_argument("--recsim-steps", type=int, default=3000, help="timed steps of RecSim, twice")
    parser.add_argument("--only", choices=MEASURES, help=argparse.SUPPRESS)  # the child process
    config = parser.parse_args()
    if config.only:
        print(json.dumps([asdict(speed) for speed in MEASURES[config.only](config.steps)]))
        return 0
    theirs, (mine,) = measured("recsim", config.recsim_steps), measured("ours", config.steps)
    average = whole(*theirs)
    rows = [
        {
            "training": speed.name,
            "steps timed": speed.steps or "",
            "steps/s, CPU time": round(speed.cpu),
            "steps/s, wall time": round(speed.wall),
            "ours is faster, CPU time": f"{mine.cpu / speed.cpu:.1f} times",
            "wall time": f"{mine.wall / speed.wall:.1f} times",
        }
        for speed in (*theirs, average, mine)
    ]
    print_table(rows, title="QL-TT-TS, interest evolution 10/3: training, acting and learning, one thread")
    least = min(mine.cpu / speed.cpu for speed in theirs)
    over = f"{mine.cpu / average.cpu:.1f} times over {TRAINING:,} steps"
    print(f"CPU time: at least {least:.1f} times RecSim's agent, {over}; the aim is {AIM}")
    return 0 if least >= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
