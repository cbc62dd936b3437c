"""What a policy earns: complete episodes from fixed starts, or an exact calculation; never with a shift."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from apps.control.exact import Policy
from apps.control.worlds import World

SEED = 90_210  # of the first evaluation episode; the same episodes for every agent
ENVS = 20  # run side by side


def evaluate(task: World, policy: Policy, episodes: int | None = None) -> dict[str, float]:
    """{"return", "length", and what else the task counts}: exact where the task allows, else means over episodes.

    `episodes` asks for sampling in any case, which is what a policy that draws lots needs.
    """
    if task.exactly is not None and episodes is None:
        return task.exactly(policy)
    wanted = task.episodes if episodes is None else episodes
    size = min(ENVS, wanted)
    envs = SyncVectorEnv([task.make] * size, autoreset_mode=AutoresetMode.DISABLED)
    returns: list[float] = []
    lengths: list[float] = []
    for first in range(0, wanted, size):
        earned, lasted = _one_episode_each(envs, policy, SEED + first)
        returns += earned[: wanted - first].tolist()
        lengths += lasted[: wanted - first].tolist()
    envs.close()
    return {"return": float(np.mean(returns)), "length": float(np.mean(lengths))}


def _one_episode_each(envs: SyncVectorEnv, policy: Policy, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Returns and lengths of one episode in each environment  # each [environment]"""
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


def random_policy(task: World, rng: np.random.Generator) -> Policy:
    """Any of the task's actions, all equally likely."""
    actions = np.array(task.actions)
    return lambda observations: actions[rng.integers(len(actions), size=len(observations))]


def expert_policy(task: World) -> Policy:
    """What the expert calls good."""
    from apps.control.probes import expert_action

    return lambda observations: np.array([expert_action(task, o) for o in observations])
