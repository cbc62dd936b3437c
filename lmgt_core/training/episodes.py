"""Whole episodes of a policy, many side by side."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

ENVS = 20  # run side by side
Policy = Callable[[Any], NDArray[Any]]  # observations [environment, ...] -> actions [environment]


def mean_episode(make: Callable[[], gym.Env[Any, Any]], policy: Policy, seed: int, episodes: int) -> dict[str, float]:
    """{"return", "length"}: means over `episodes` whole episodes, whose starts follow from `seed`."""
    size = min(ENVS, episodes)
    envs = SyncVectorEnv([make] * size, autoreset_mode=AutoresetMode.DISABLED)
    returns: list[float] = []
    lengths: list[float] = []
    for first in range(0, episodes, size):
        earned, lasted = _one_episode_each(envs, policy, seed + first)
        returns += earned[: episodes - first].tolist()
        lengths += lasted[: episodes - first].tolist()
    envs.close()
    return {"return": float(np.mean(returns)), "length": float(np.mean(lengths))}


def _one_episode_each(
    envs: SyncVectorEnv, policy: Policy, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns [environment] and lengths [environment] of one episode in each."""
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
