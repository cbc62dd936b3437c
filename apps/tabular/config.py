"""What the tabular command can be told."""

from dataclasses import dataclass
from pathlib import Path

from lmgt_core.training.config import TrainingConfig

ALGORITHMS = ("q-learning", "sarsa")


@dataclass(frozen=True)
class TrainConfig(TrainingConfig):
    """Train a table in a finite world, with a judge shifting its reward; every rule is served."""

    env: str = "chain"
    """chain, cliff, trap, early_end, river, wide_chain."""
    algorithm: str = "q-learning"
    """q-learning, sarsa."""
    steps: int = 5000
    """Decisions to train for."""
    out: Path = Path("runs/tabular")
    """The run directory."""
