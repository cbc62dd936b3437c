"""What every `lmgt APP train` can be told."""

from dataclasses import dataclass
from pathlib import Path

from lmgt_core.errors import UserError, check_least
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.training.wandb_log import check_wandb


@dataclass(frozen=True)
class TrainingConfig(JudgeConfig):
    """Train an agent, with a judge shifting its reward."""

    env: str = ""
    """The world."""
    algorithm: str = ""
    """The learner."""
    steps: int = 10_000
    """Decisions to train for; an agent never sees more."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Trainings, each with other lots; a finished run takes more with --resume."""
    out: Path = Path("runs/run")
    """The run directory."""
    resume: bool = False
    """Continue a run that was killed, or add seeds to it; what is finished is not done again."""
    workers: int = 1
    """Seeds trained at the same time, each in a process of its own."""
    ray: str | None = None
    """Train the seeds on a Ray cluster instead: its address, auto, or local; its nodes have to share --out's disk."""
    evaluate_every: int | None = None
    """Decisions between two points of the learning curve (default: a tenth of --steps)."""

    wandb: str | None = None
    """Log the scalars to this project of Weights & Biases too (WANDB_MODE=offline: into --out)."""

    @property
    def curve(self) -> int:
        """Decisions between two evaluations."""
        return self.evaluate_every or max(self.steps // 10, 1)


def check_training(config: TrainingConfig, least_steps: int = 1) -> None:
    """UserError naming the first common flag that cannot be used."""
    check_least(least_steps, {"steps": config.steps})
    check_least(1, {"workers": config.workers, "evaluate-every": config.evaluate_every})
    if not config.seeds or len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise UserError("--seeds: give one or more different numbers of at least 0")
    if config.wandb is not None:
        check_wandb()
    if config.ray is not None and config.workers != 1:
        raise UserError("--ray: the cluster decides how many seeds train at once; leave --workers out")
