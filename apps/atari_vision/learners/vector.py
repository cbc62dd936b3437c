"""The worlds as Stable-Baselines3's learners want them: the agent's view alone, the shift in the reward.

From the inside out: statistics (which see the world's own rewards), the sign of a game's reward, the shift, and last
the view. The shift comes after the sign: sign(0 + 0.1) = 1.
"""

from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics, TransformReward

from apps.atari_vision.simulator.seen import AGENT
from apps.atari_vision.worlds import World, environment
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.guidance.wrappers import VectorRewardShift
from lmgt_core.learners.vector import LearnerVecEnv


def training_envs(
    world: World, n_envs: int, source: ShiftSource | None, limit: int | None, late: bool = False
) -> LearnerVecEnv:
    """The environments that a learner trains in; frames are drawn only where a judge may want them.

    With `late` rewards are not shifted here, but in the replay (lmgt_core/learners/replay.py).
    """
    make = partial(environment, world.name, source is not None, limit)
    envs: VectorEnv[Any, Any, Any] = SyncVectorEnv([make] * n_envs, autoreset_mode=AutoresetMode.SAME_STEP)
    envs = RecordEpisodeStatistics(envs)
    if world.game:
        envs = TransformReward(envs, np.sign)
    return LearnerVecEnv(VectorRewardShift(envs, source, late) if source is not None else envs, AGENT)
