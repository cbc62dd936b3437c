"""How fast users are simulated, RecSim's package and the vectorised world, in one process; do their returns agree?

    python benchmarks/slateq_env.py                      # prints a table and how many times faster; takes a minute
    python benchmarks/slateq_env.py --users 4000 --sessions 1000

Both serve interest evolution by the same policies. RecSim is its own `create_environment`, with nothing of ours around
it. A user step is one slate served to one user; only `step` and what new users cost is timed, in the process's own CPU
time, so that waiting for a core does not count (busy neighbours still slow it). Returns are minutes watched in a
session, with 95 % intervals; the exit code is 1 where those of the two differ by more than three standard errors.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from apps.slateq.config import WorldConfig
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.recsim_faults import lent, mend_luck, recsim_maker
from lmgt_core.terminal.tables import print_table

SETTINGS = ((10, 3), (10, 2), (20, 3))
KNOWN = {  # minutes, measured on RecSim's own package before
    ("random", 10, 3): "160.6 +- 0.6",
    ("random", 10, 2): "153.8 +- 0.6",
    ("random", 20, 3): "160.7 +- 0.6",
    ("quality", 10, 3): "266 +- 2",
    ("quality", 10, 2): "281 +- 3",
    ("quality", 20, 3): "359 +- 5",
}
Topics = NDArray[np.int64]
Policy = Callable[[Topics, int, np.random.Generator], Topics]


def by_lot(topics: Topics, slate: int, rng: np.random.Generator) -> Topics:
    """[B, K] candidates at random."""
    return np.argsort(rng.random(topics.shape), axis=1)[:, :slate]


def by_quality(topics: Topics, slate: int, rng: np.random.Generator) -> Topics:
    """[B, K] the candidates of the best topics: privileged, topics are numbered in the order of their true quality."""
    return np.argsort(-topics, axis=1, kind="stable")[:, :slate]


POLICIES: dict[str, Policy] = {"random": by_lot, "quality": by_quality}


@dataclass(frozen=True)
class Measured:
    """Returns of sessions in minutes, and user steps a second."""

    returns: NDArray[np.float64]
    speed: float

    @property
    def mean(self) -> float:
        return float(self.returns.mean())

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return float(self.returns.std(ddof=1) / math.sqrt(len(self.returns)))

    def __str__(self) -> str:
        return f"{self.mean:.1f} +- {1.96 * self.error:.1f}"


def vectorised(policy: Policy, candidates: int, slate: int, users: int) -> Measured:
    """The first session of each of `users` users, all at a time."""
    simulator, rng = make_simulator(WorldConfig(candidates=candidates, slate=slate), users), np.random.default_rng(1)
    observation = simulator.reset(20_409)
    total, alive, steps, seconds = np.zeros(users), np.ones(users, bool), 0, 0.0
    while alive.any():
        slates = policy(observation.document_topic, slate, rng)
        start = time.process_time()
        feedback = simulator.step(slates)
        seconds += time.process_time() - start
        total += np.where(alive, feedback.reward, 0.0)
        alive &= ~feedback.done
        steps += users
        observation = feedback.observation
    return Measured(total, steps / seconds)


def recsim(policy: Policy, candidates: int, slate: int, sessions: int) -> Measured:
    """`sessions` sessions of RecSim's own environment, one after the other."""
    settings = {"num_candidates": candidates, "slate_size": slate, "resample_documents": True, "seed": 20_409}
    mend_luck()
    env, rng = recsim_maker("interest-evolution")(settings), np.random.default_rng(1)
    returns, steps, seconds = np.zeros(sessions), 0, 0.0
    with lent(np.random.RandomState(20_409)):
        for session in range(sessions):
            start, done = time.process_time(), False
            observation = env.reset()
            seconds += time.process_time() - start
            while not done:
                topics = np.argmax(list(observation["doc"].values()), axis=1)[None]
                served = policy(topics, slate, rng)[0].tolist()
                start = time.process_time()
                observation, reward, done, _ = env.step(served)
                seconds += time.process_time() - start
                returns[session] += reward
                steps += 1
    return Measured(returns, steps / seconds)


def row(name: str, candidates: int, slate: int, ours: Measured, theirs: Measured) -> dict[str, Any]:
    """A line of the table."""
    apart = (ours.mean - theirs.mean) / math.hypot(ours.error, theirs.error)
    return {
        "policy": name if name == "random" else f"{name} (privileged)",
        "candidates": candidates,
        "slate": slate,
        "RecSim, steps/s": round(theirs.speed),
        "vectorised, steps/s": round(ours.speed),
        "times": round(ours.speed / theirs.speed),
        "RecSim, return": str(theirs),
        "vectorised, return": str(ours),
        "known": KNOWN[name, candidates, slate],
        "standard errors apart": f"{apart:+.1f}",
        "agree": abs(apart) < 3,
    }


def main() -> int:
    """Prints the table; 1 where returns disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=2000, help="users of the vectorised world, all at a time")
    parser.add_argument("--sessions", type=int, default=300, help="sessions of RecSim, one after the other")
    config = parser.parse_args()
    rows = []
    with Progress(transient=True) as bar:
        task = bar.add_task("measuring", total=len(SETTINGS) * len(POLICIES))
        for candidates, slate in SETTINGS:
            for name, policy in POLICIES.items():
                ours = vectorised(policy, candidates, slate, config.users)
                theirs = recsim(policy, candidates, slate, config.sessions)
                rows.append(row(name, candidates, slate, ours, theirs))
                bar.advance(task)
    title = f"interest evolution: {config.users} users at a time against RecSim's one, user steps a second of CPU time"
    print_table(rows, title=title)
    return 0 if all(r["agree"] for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
