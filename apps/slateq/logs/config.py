"""The settings of `lmgt slateq log` and `lmgt slateq import`."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from apps.slateq.config import WorldConfig


@dataclass(frozen=True)
class LogConfig(WorldConfig):
    """Write sessions of a policy as Parquet, one row a slate, with the probability of every slate that was shown."""

    policy: str = "Random"
    """Random, MYOP-TS, MYOP-GS, MYOP-OS, quality (PRIVILEGED: knows each topic's true quality), or a run directory."""
    epsilon: float = 0.3
    """Share of slates that are drawn at random instead: without them no other policy can be judged by the log."""
    train_seed: int | None = None
    """Of a run directory: the seed whose policy serves (default: the run's first)."""
    sessions: int = 1000
    """Users served, each from the first slate to the end of the session."""
    seed: int = 20_262
    """Of the users, their luck and the random slates."""
    batch: int = 500
    """Users simulated at a time; also the sessions of a row group."""
    out: Path = Path("log.parquet")
    """The file."""


@dataclass(frozen=True)
class ImportConfig:
    """Make a log of a Parquet file of your own: its columns are renamed and checked, and nothing is guessed.

    The rows of a session must follow each other. Columns that are wanted: session, time, candidates, slate, click or
    click_item, reward, and propensity or propensities. Wanted by some: step, marginals, context, features,
    scores.NAME (one number for each candidate, what the policy NAME ranks by), slates.NAME (what it would show).
    """

    source: Positional[Path]
    """The Parquet file."""
    columns: tuple[str, ...] = ()
    """Which column is which: OURS=YOURS, or a YAML file of lines like `time: shown_at`; others keep their names."""
    out: Path = Path("log.parquet")
    """The file that is written."""
