"""What a policy earns: complete episodes from fixed starts, or an exact calculation; never with a shift."""

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from apps.control.exact import Policy
from apps.control.worlds import World
from lmgt_core.learners.episodes import one_episode_each

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
        earned, lasted = one_episode_each(envs, policy, SEED + first)
        returns += earned[: wanted - first].tolist()
        lengths += lasted[: wanted - first].tolist()
    envs.close()
    return {"return": float(np.mean(returns)), "length": float(np.mean(lengths))}


def random_policy(task: World, rng: np.random.Generator) -> Policy:
    """Any of the task's actions, all equally likely."""
    actions = np.array(task.actions)
    return lambda observations: actions[rng.integers(len(actions), size=len(observations))]


def expert_policy(task: World) -> Policy:
    """What the expert calls good."""
    from apps.control.probes import expert_action

    return lambda observations: np.array([expert_action(task, o) for o in observations])
