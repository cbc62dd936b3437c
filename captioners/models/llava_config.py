"""The flags of every command that trains a LLaVA."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LlavaTrainConfig:
    """The flags of a LLaVA's training."""

    size: str = "small"
    """Of the LLaVA: tiny (tests), mini, small (a processor), medium, large (a GPU)."""
    steps: int = 1500
    """Of the LLaVA's training; each learns from --batch frames."""
    batch: int = 32
    """Frames a step."""
    learning_rate: float = 1e-3
    """Of the LLaVA, at its highest."""
    device: str = "cpu"
    """Where the LLaVA is trained: cpu, cuda."""
    checkpoint_every: int = 100
    """Steps between two checkpoints of the LLaVA."""
    resume: bool = False
    """Go on with the LLaVA in --out that was killed, from its last checkpoint, with the same numbers; other --steps
    make its training longer or shorter."""
    seed: int = 0
    out: Path = Path("llava")
    """The LLaVA's folder, which must not be there yet."""
