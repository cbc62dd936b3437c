"""The tasks as Stable-Baselines3's learners want them."""

from typing import Any

from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers.vector import NormalizeReward, RecordEpisodeStatistics

from apps.control.worlds import World
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.guidance.wrappers import VectorRewardShift
from lmgt_core.learners.vector import LearnerVecEnv


def training_envs(
    task: World,
    n_envs: int,
    source: ShiftSource | None,
    normalize_gamma: float | None = None,
    late: bool = False,
) -> LearnerVecEnv:
    """The environments that a learner trains in, from the inside out: statistics, scaled rewards, shift.

    Statistics see the task's own rewards; scaling (with the discount `normalize_gamma`; None: none) comes before the
    shift, which it would otherwise distort. `late` leaves the shifts to a replay (VectorRewardShift).
    """
    envs: VectorEnv[Any, Any, Any] = SyncVectorEnv([task.make] * n_envs, autoreset_mode=AutoresetMode.SAME_STEP)
    envs = RecordEpisodeStatistics(envs)
    if normalize_gamma is not None:
        envs = NormalizeReward(envs, gamma=normalize_gamma)
    return LearnerVecEnv(VectorRewardShift(envs, source, late) if source is not None else envs)
