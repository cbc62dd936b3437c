"""Trains NGU: R2D2's trainer with another agent."""

from apps.atari_vision.ngu.agent import NGUAgent
from apps.atari_vision.ngu.config import NGUConfig
from apps.atari_vision.r2d2.run import Schedule, Trainer, Worlds
from lmgt_core.guidance.shift_source import ShiftSource


def make_trainer(
    worlds: Worlds, config: NGUConfig, schedule: Schedule, seed: int, source: ShiftSource | None = None
) -> Trainer:
    """R2D2's trainer of an NGU agent."""
    return Trainer(worlds, config, schedule, seed, source, agent=NGUAgent)
