"""Trains NGU: R2D2's trainer with another agent."""

from apps.atari_vision.ngu.agent import NGUAgent
from apps.atari_vision.ngu.config import NGUConfig
from apps.atari_vision.r2d2.run import Schedule, Trainer, Worlds
from lmgt_core.guidance.shift_source import RewardShifter


def make_trainer(
    worlds: Worlds, config: NGUConfig, schedule: Schedule, seed: int, shifter: RewardShifter | None = None
) -> Trainer:
    """R2D2's trainer of an NGU agent."""
    return Trainer(worlds, config, schedule, seed, shifter, agent=NGUAgent)
