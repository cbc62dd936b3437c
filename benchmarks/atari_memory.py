"""What memory buys R2D2, and what novelty buys NGU, on small worlds: prints both comparisons.

    python benchmarks/atari_memory.py                                  # all four worlds, seeds 0 1 2
    python benchmarks/atari_memory.py --tasks t-maze chain --seeds 0 1 2 --json memory.json

Memory (T-maze, CartPole without velocities): R2D2 against the same agent with a feed-forward layer where its LSTM is.
A run is evaluated ten times, on greedy play of new episodes; `return` is that of the last evaluation, `solved` counts
the seeds whose last evaluation reaches the task's threshold, `stayed` is the share of evaluations after a run's first
solving one that solve too. Exploration (a locked chain, a maze): the cells that any actor has entered in the same
number of decisions, NGU against R2D2, neither of which is told how many there are; on the chain also LMGT + R2D2, whose
reward is shifted by an expert that knows the chain's key (privileged: what a perfect judge would be worth).

Seeds below 100 are for reporting: no hyper-parameter was chosen on them. Finished runs are kept in --json, and one that
is repeated with the same file goes on after them.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from apps.atari_vision.memory_tasks import BlindCartPole, Explorable, LockedChain, Maze, TMaze
from apps.atari_vision.ngu import config as ngu
from apps.atari_vision.ngu.run import make_trainer
from apps.atari_vision.r2d2.config import SMALL, R2D2Config, without_memory
from apps.atari_vision.r2d2.run import Schedule, Trainer, Worlds
from lmgt_core.errors import UserError
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.judges.oracle import OracleJudge
from lmgt_core.judging.description import Description
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.rules.shift import Raw
from lmgt_core.terminal.tables import print_table, write_rows
from lmgt_core.training.statistics import bootstrap_ci

EVALUATIONS = 10


@dataclass(frozen=True)
class Task:
    """A world, how long it is learned, and the agents that are compared."""

    worlds: Worlds
    decisions: int
    configs: dict[str, R2D2Config]  # by name of the agent
    episodes: int = 0  # of an evaluation
    solved: float = 0.0  # the mean return from which on the task counts as solved


SHIFTED = "LMGT + R2D2 (expert, privileged)"
SCALE = 0.1  # of a shift, in units of reward; the chain's end earns 1
# Many decisions and few updates: what is counted is where the actors come to, and few of them try something new.
EXPLORING: dict[str, Any] = {"decisions_per_update": 64, "learning_rate": 1e-3}
EXPLORERS: dict[str, R2D2Config] = {"NGU": replace(ngu.SMALL, **EXPLORING), "R2D2": replace(SMALL, **EXPLORING)}
MEMORY = {"R2D2": SMALL, "without memory": without_memory(SMALL)}
TASKS = {
    "t-maze": Task(TMaze, 16_000, MEMORY, episodes=100, solved=0.9),  # the best is 1, without memory 0 on average
    "cartpole": Task(lambda n: BlindCartPole(n, limit=200), 20_000, MEMORY, episodes=20, solved=195),  # CartPole-v0's
    "chain": Task(LockedChain, 40_000, {**EXPLORERS, SHIFTED: EXPLORERS["R2D2"]}),
    "maze": Task(Maze, 40_000, EXPLORERS),
}


@dataclass(frozen=True)
class Run:
    """One seed of one agent: `curve` of mean returns, or the number of cells entered after each tenth of the run."""

    task: str
    agent: str
    seed: int
    decisions: int
    curve: list[float]
    cpu_seconds: float


def train(name: str, agent: str, seed: int) -> Run:
    """Trains one agent on one task."""
    task = TASKS[name]
    config = task.configs[agent]
    tenth = task.decisions // EVALUATIONS
    schedule = Schedule(task.decisions, tenth, task.decisions, max(task.episodes, 1))
    begun = time.process_time()
    if isinstance(config, ngu.NGUConfig):
        trainer = make_trainer(task.worlds, config, schedule, seed)
    else:
        trainer = Trainer(task.worlds, config, schedule, seed, chain_expert() if agent == SHIFTED else None)
    curve: list[float] = []
    while trainer.decisions < task.decisions:
        before = trainer.decisions
        trainer.step()
        if trainer.decisions // tenth > before // tenth:
            curve.append(measured(trainer, task))
    trainer.close()
    return Run(name, agent, seed, trainer.decisions, curve, round(time.process_time() - begun, 1))


def chain_expert() -> RewardShifter:
    """Shifts by an expert that knows which action leads on."""
    key = LockedChain(1).key

    def describe(observation: Any, action: Any) -> Description:
        cell = int(np.argmax(observation))
        return Description(f"cell {cell}", f"{action}", facts={"cell": f"{cell}", "action": f"{action}"})

    def expert(prompt: Prompt) -> Verdict:
        leads_on = key[int(prompt.facts["cell"])] == int(prompt.facts["action"])
        return Verdict.GOOD if leads_on else Verdict.BAD

    return RewardShifter(
        describe, PromptTemplate("", "{state} {action}"), OracleJudge(expert, "chain", "key"), Raw(SCALE)
    )


def measured(trainer: Trainer, task: Task) -> float:
    """The mean return of greedy play, or the number of cells entered so far."""
    envs = trainer.actors.envs
    if isinstance(envs, Explorable):
        return float(envs.visited.sum())
    return float(trainer.evaluate()["return"] or 0)


def memory_row(name: str, runs: Sequence[Run]) -> dict[str, Any]:
    """One agent on a memory task."""
    last = [run.curve[-1] for run in runs]
    after = [value >= TASKS[name].solved for run in runs for value in since_solved(run.curve, TASKS[name].solved)]
    return {
        **about(runs),
        "return": float(np.mean(last)),
        "95 %": bootstrap_ci(last, "mean"),
        "solved": f"{sum(value >= TASKS[name].solved for value in last)} of {len(last)}",
        "ever": f"{sum(max(run.curve) >= TASKS[name].solved for run in runs)} of {len(last)}",
        "stayed": float(np.mean(after)) if after else None,
    }


def since_solved(curve: Sequence[float], threshold: float) -> list[float]:
    """The values after the first that reaches `threshold`."""
    first = next((i for i, value in enumerate(curve) if value >= threshold), len(curve))
    return list(curve[first + 1 :])


def explorer_row(runs: Sequence[Run]) -> dict[str, Any]:
    """One agent in a world to explore."""
    cells = [run.curve[-1] for run in runs]
    return {**about(runs), "cells": float(np.mean(cells)), "95 %": bootstrap_ci(cells, "mean")}


def about(runs: Sequence[Run]) -> dict[str, Any]:
    """What every row begins with."""
    seconds = float(np.mean([run.cpu_seconds for run in runs]))
    return {"agent": runs[0].agent, "seeds": len(runs), "decisions": runs[0].decisions, "CPU s a run": seconds}


def show(name: str, runs: Sequence[Run]) -> None:
    """Prints a task's table, and the ratio of cells where it is about those."""
    by_agent = {agent: [run for run in runs if run.agent == agent] for agent in TASKS[name].configs}
    explores = "NGU" in by_agent
    present = [some for some in by_agent.values() if some]
    print_table([explorer_row(some) if explores else memory_row(name, some) for some in present], title=name)
    if explores:
        theirs = {run.seed: run.curve[-1] for run in by_agent["R2D2"]}
        ratios = [run.curve[-1] / theirs[run.seed] for run in by_agent["NGU"] if run.seed in theirs]
        if ratios:
            interval = bootstrap_ci(ratios, "mean")
            spread = "" if interval is None else f" [{interval[0]:.2f}, {interval[1]:.2f}]"
            print(f"NGU enters {np.mean(ratios):.2f}{spread} times as many cells as R2D2; the aim is 3\n")


def finished(path: Path | None) -> list[Run]:
    """The runs in `path`; UserError where it holds something else."""
    if path is None or not path.exists():
        return []
    try:
        return [Run(**row) for row in json.loads(path.read_text())["rows"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"--json {path}: is not a file of this benchmark's runs; give another name") from error


def main() -> int:
    """Trains what is missing, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--json", type=Path, help="where finished runs are kept")
    config = parser.parse_args()
    try:
        runs = finished(config.json)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console(stderr=True)
    for name in config.tasks:
        for seed in config.seeds:
            for agent in TASKS[name].configs:
                if not any((run.task, run.agent, run.seed) == (name, agent, seed) for run in runs):
                    console.print(f"{name}, {agent}, seed {seed}")
                    runs.append(train(name, agent, seed))
                    if config.json is not None:
                        write_rows(config.json, [asdict(run) for run in runs])
        show(name, [run for run in runs if run.task == name and run.seed in config.seeds])
    return 0


if __name__ == "__main__":
    sys.exit(main())
