"""What the control commands can be told."""

import os
from dataclasses import dataclass
from pathlib import Path

ALGORITHMS = ("dqn", "ppo", "a2c", "sac", "td3", "q-learning", "td")


@dataclass(frozen=True)
class JudgeConfig:
    """How a judge shifts the reward, and how far it is trusted."""

    rule: str = "raw"
    """How judgments become shifts: raw, continuous, centered, annealed, annealed:exponential."""
    scale: float = 1.0
    """Size of a shift, in units of reward."""
    gate: bool = True
    """Audit the judge first and let it speak only where it is precise enough; --no-gate lets it always speak."""
    min_precision: float = 0.75
    """The lower bound of the precision that a verdict needs to be let through."""
    strategy: str = "zero-shot"
    """Prompt strategy: a template in apps/control/prompts/<task>, or in --prompts."""
    prompts: Path | None = None
    """A folder of your own prompt templates for the task."""
    documents: Path | None = None
    """What --strategy retrieval reads: a folder of .txt or .md files (default: apps/control/manuals/<task>)."""
    learning_starts: int | None = None
    """Steps before dqn, sac and td3 begin to learn (default: the reference's, at most half of --steps)."""


@dataclass(frozen=True)
class TrainConfig(JudgeConfig):
    """Train an agent on a control task, with a judge shifting its reward."""

    env: str = "CartPole-v1"
    """CartPole-v1, Pendulum-v1, Blackjack-v1, Acrobot-v1, MountainCar-v0, PocketWatch-v0."""
    algorithm: str = "dqn"
    """dqn, ppo, a2c, sac, td3 (Stable-Baselines3); q-learning, td (tabular)."""
    judge: str = "oracle"
    """none, neutral, random, oracle, noisy-oracle:P, minilm, smollm2, hf:MODEL, openai:MODEL@URL, ..."""
    steps: int = 10_000
    """Environment steps to train for; an agent never sees more."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    out: Path = Path("runs/control")
    """The run directory."""
    resume: bool = False
    """Continue a run that was killed: finished seeds are kept, others begin again."""
    workers: int = 1
    """Seeds trained at the same time, each in a process of its own."""
    evaluate_every: int | None = None
    """Steps between two points of the learning curve (default: a tenth of --steps)."""
    judge_ahead: bool = False
    """Judge in a background thread while the environment steps; for dqn, sac and td3, which learn from a buffer."""
    stop_rule: bool = True
    """PocketWatch-v0 ends when 95 % of the last 750 decisions were optimal (RUDDER's rule); off: after --steps."""
    cache: Path | None = None
    """Where judgments are kept (default: judgments.sqlite in --out)."""


@dataclass(frozen=True)
class TableConfig(JudgeConfig):
    """Train a grid of tasks, algorithms, judges and budgets, and tabulate what each earns."""

    envs: tuple[str, ...] = ("CartPole-v1", "Pendulum-v1", "Blackjack-v1")
    algorithms: tuple[str, ...] = ("dqn", "ppo", "a2c", "sac", "td3")
    judges: str = "none,oracle"
    """Judges, divided by commas."""
    steps: tuple[int, ...] = (100, 1000, 10_000)
    """Budgets: environment steps to train for."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    out: Path = Path("runs/table")
    """A folder for all runs of the grid, table.json, table.md and report.html; a killed grid goes on from there."""
    workers: int = os.cpu_count() or 1
    """Processes; each imports the learners once and trains many cells."""
    json: Path | None = None
    """Write the table's rows there as well."""
