"""What the control commands can be told."""

import os
from dataclasses import dataclass
from pathlib import Path

from lmgt_core.audit.demands import AUTO
from lmgt_core.training.config import TrainingConfig

ALGORITHMS = ("dqn", "ppo", "a2c", "sac", "td3", "q-learning", "td")


@dataclass(frozen=True)
class TrainConfig(TrainingConfig):
    """Train an agent on a control task, with a judge shifting its reward."""

    env: str = "CartPole-v1"
    """CartPole-v1, Pendulum-v1, Blackjack-v1, Acrobot-v1, MountainCar-v0, PocketWatch-v0."""
    algorithm: str = "dqn"
    """dqn, ppo, a2c, sac, td3 (Stable-Baselines3); q-learning, td (tabular)."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    out: Path = Path("runs/control")
    """The run directory."""
    resume: bool = False
    """Continue a run that was killed, or add seeds to it: finished seeds are kept, others begin again."""
    learning_starts: int | None = None
    """Steps before dqn, sac and td3 begin to learn (default: the reference's, at most half of --steps)."""
    stop_rule: bool = True
    """PocketWatch-v0 ends when 95 % of the last 750 decisions were optimal (RUDDER's rule); off: after --steps."""


@dataclass(frozen=True)
class TableConfig:
    """Train a grid of tasks, algorithms, judges and budgets, and tabulate what each earns."""

    envs: tuple[str, ...] = ("CartPole-v1", "Pendulum-v1", "Blackjack-v1")
    algorithms: tuple[str, ...] = ("dqn", "ppo", "a2c", "sac", "td3")
    judges: str = "none,oracle"
    """Judges, divided by commas (by semicolons where a name holds a comma)."""
    steps: tuple[int, ...] = (100, 1000, 10_000)
    """Budgets: environment steps to train for."""
    rule: str = "raw"
    """How judgments become shifts: raw, continuous, centered, annealed, annealed:exponential."""
    scale: float = 1.0
    """Size of a shift, in units of reward."""
    gate: bool = True
    """Audit the judges first and let each speak only where it is precise enough; --no-gate lets them always speak."""
    min_precision: float | str = AUTO
    """The precision that a verdict needs to be let through, or one for each: good=.75,bad=.75;
    auto: .75, but .5 for good where the rate of play is known."""
    strategy: str = "zero-shot"
    """Prompt strategy: a template in apps/control/prompts/<task>, or in --prompts."""
    prompts: Path | None = None
    """A folder of your own prompt templates for the task."""
    documents: Path | None = None
    """What --strategy retrieval reads: a folder of .txt or .md files (default: apps/control/manuals/<task>)."""
    learning_starts: int | None = None
    """Steps before dqn, sac and td3 begin to learn (default: the reference's, at most half of a budget)."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    out: Path = Path("runs/table")
    """A folder for the results, table.json and table.md; a killed grid goes on from there, and can be widened."""
    workers: int = os.cpu_count() or 1
    """Processes; each imports the learners once and trains many cells."""
    json: Path | None = None
    """Write the table's rows there as well."""
