"""What a policy earns: complete episodes from fixed starts, or an exact calculation; never with a shift."""

import numpy as np

from apps.control.exact import Policy
from apps.control.probes import expert_action
from apps.control.worlds import World
from lmgt_core.training.episodes import mean_episode

SEED = 90_210  # of the first evaluation episode; the same episodes for every agent


def evaluate(task: World, policy: Policy, episodes: int | None = None) -> dict[str, float]:
    """{"return", "length", and what else the task counts}: exact where the task allows, else means over episodes.

    `episodes` asks for sampling in any case, which is what a policy that draws lots needs.
    """
    if task.exactly is not None and episodes is None:
        return task.exactly(policy)
    wanted = task.episodes if episodes is None else episodes
    return mean_episode(task.make, policy, SEED, wanted)


def random_policy(task: World, rng: np.random.Generator) -> Policy:
    """Any of the task's actions, all equally likely."""
    actions = np.array(task.actions)
    return lambda observations: actions[rng.integers(len(actions), size=len(observations))]


def expert_policy(task: World) -> Policy:
    """What the expert calls good."""
    return lambda observations: np.array([expert_action(task, o) for o in observations])
