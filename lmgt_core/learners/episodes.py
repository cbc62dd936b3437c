"""Whole episodes of a policy, many side by side."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.vector import SyncVectorEnv
from numpy.typing import NDArray


def one_episode_each(
    envs: SyncVectorEnv, policy: Callable[[Any], NDArray[Any]], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns [environment] and lengths [environment] of one episode in each; `envs` must not reset by themselves."""
    observations, _ = envs.reset(seed=seed)
    returns, lengths = np.zeros(envs.num_envs), np.zeros(envs.num_envs)
    running = np.ones(envs.num_envs, dtype=bool)
    while True:
        observations, rewards, terminated, truncated, _ = envs.step(policy(observations))
        returns += np.where(running, rewards, 0.0)
        lengths += running
        ended = terminated | truncated
        running &= ~ended
        if not running.any():
            return returns, lengths
        if ended.any():  # they play on, unseen, which is cheaper than a shrinking batch
            observations, _ = envs.reset(options={"reset_mask": ended})
