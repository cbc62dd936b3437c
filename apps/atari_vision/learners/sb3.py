"""Stable-Baselines3's DQN and PPO on the worlds: made, trained within a budget, evaluated without any shift."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from apps.atari_vision.learners.policy import Policy, policy_of
from apps.atari_vision.learners.settings import EPSILON
from apps.atari_vision.worlds import World, environment
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.quick_import import import_stable_baselines3
from lmgt_core.training.episodes import mean_episode

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

    from apps.atari_vision.learners.watch import Record

EVALUATION_SEED = 90_210  # of the first evaluation episode; the same episodes for every agent
BLOCK = {"blackjack": 100}  # episodes that share a row of the log, by the world's folder: a hand is soon over


def make_learner(
    world: World, algorithm: str, settings: dict[str, Any], seed: int, source: ShiftSource | None, limit: int | None,
    device: str = "auto", late: bool = False,
) -> "BaseAlgorithm":  # fmt: skip
    """The learner in its environments: convolutions for a game, on a GPU when there is one; else a small network.

    `late` lets DQN's replay ask for shifts when they are sampled, not when the environment steps.
    """
    sb3 = import_stable_baselines3()
    from stable_baselines3.common.logger import Logger

    from apps.atari_vision.learners.vector import training_envs
    from lmgt_core.learners.replay import ShiftReplayBuffer

    chosen = {name: _schedule(value) for name, value in settings.items()}
    envs = training_envs(world, chosen.pop("n_envs"), source, limit, late)
    if algorithm == "dqn" and source is not None:
        chosen |= {"replay_buffer_class": ShiftReplayBuffer, "replay_buffer_kwargs": {"source": source}}
    if not world.game:
        sizes = [256, 256] if algorithm == "dqn" else [64, 64]
        chosen["policy_kwargs"] = {"net_arch": sizes}
        device = "cpu"
    kind = {"dqn": sb3.DQN, "ppo": sb3.PPO}[algorithm]
    learner: BaseAlgorithm = kind("CnnPolicy" if world.game else "MlpPolicy", envs, seed=seed, device=device, **chosen)
    learner.set_logger(Logger(folder=None, output_formats=[]))
    return learner


def _schedule(value: Any) -> Any:
    """`lin_0.001` as a function of the share of training that is left; other values as they are."""
    if isinstance(value, str):
        start = float(value.removeprefix("lin_"))
        return lambda left: left * start
    return value


def train(
    learner: "BaseAlgorithm", steps: int, evaluate_every: int, evaluation: Callable[[Policy, int], dict[str, float]],
    record: "Record", tick: Callable[[int], None] = lambda done: None, block: int = 1,
) -> dict[str, float]:  # fmt: skip
    """Trains for `steps` decisions, never more, and returns the last evaluation.

    `record` gets rows for "episodes" and "evaluations"; `evaluation` a policy and the decisions taken so far. A last
    round that the budget cuts short is not learned from.
    """
    from apps.atari_vision.learners.watch import Watch

    whole = steps // learner.n_envs * learner.n_envs
    watch = Watch(whole, evaluate_every, evaluation, record, tick, block)
    learner.learn(whole, callback=watch, log_interval=None)  # type: ignore[arg-type]
    metrics = evaluation(policy_of(learner), learner.num_timesteps)
    watch.finish()
    record("evaluations", {"decisions": learner.num_timesteps, **metrics})
    return metrics


def evaluate(world: World, policy: Policy, seed: int, episodes: int, limit: int | None) -> dict[str, float]:
    """Means of return and length over `episodes` whole episodes, without any shift; starts follow from `seed`."""
    make = partial(environment, world.name, False, limit)
    if world.game:
        policy = _now_and_then_random(policy, EPSILON, len(world.knowledge.actions), np.random.default_rng(seed))
    return mean_episode(make, policy, seed, episodes)


def _now_and_then_random(policy: Policy, epsilon: float, actions: int, rng: np.random.Generator) -> Policy:
    """The policy, each of whose actions is a random one with probability `epsilon`."""

    def act(views: Any) -> NDArray[Any]:
        wild = rng.random(len(views)) < epsilon
        return np.where(wild, rng.integers(actions, size=len(views)), policy(views))

    return act
