"""What every environment of the project must do; inherit and give `make`."""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

MOST_STEPS = 200  # an episode of the environment under test ends within these


def same(a: Any, b: Any) -> bool:
    """Whether two observations are equal, bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return np.array_equal(np.asarray(a), np.asarray(b)) and np.asarray(a).dtype == np.asarray(b).dtype


def play(env: gym.Env[Any, Any], seed: int) -> list[tuple[Any, float, bool, bool, dict[str, Any]]]:
    """Every step of one seeded episode under seeded random actions."""
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    steps: list[tuple[Any, float, bool, bool, dict[str, Any]]] = [(observation, 0.0, False, False, info)]
    while not (steps[-1][2] or steps[-1][3]):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        steps.append((observation, float(reward), terminated, truncated, info))
        assert len(steps) <= MOST_STEPS + 1, f"no end within {MOST_STEPS} steps"
    return steps


class EnvironmentContract:
    """Inherit this in a class named Test..., and override `make`; episodes end within MOST_STEPS steps."""

    def make(self) -> gym.Env[Any, Any]:
        """A fresh environment through `gymnasium.make`."""
        raise NotImplementedError

    def test_it_passes_gymnasiums_checker_without_a_warning(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            check_env(self.make().unwrapped)

    def test_equal_seeds_give_equal_episodes(self) -> None:
        first, second = play(self.make(), 7), play(self.make(), 7)
        assert len(first) == len(second) > 1
        for a, b in zip(first, second, strict=True):
            assert same(a[0], b[0]) and a[1:4] == b[1:4]

    def test_a_seed_makes_a_used_environment_new(self) -> None:
        env = self.make()
        first = play(env, 3)
        play(env, 4)
        again = play(env, 3)
        assert [step[1:4] for step in first] == [step[1:4] for step in again]
        assert same(first[-1][0], again[-1][0])

    def test_every_observation_lies_in_the_space(self) -> None:
        env = self.make()
        assert all(env.observation_space.contains(step[0]) for step in play(env, 1))

    def test_a_step_after_the_end_is_refused(self) -> None:
        env = self.make()
        play(env, 0)
        with pytest.raises(RuntimeError, match="reset"):
            env.unwrapped.step(env.action_space.sample())

    def test_it_runs_in_a_vector(self) -> None:
        envs = gym.vector.SyncVectorEnv([self.make, self.make])
        envs.reset(seed=0)
        envs.action_space.seed(0)
        ended = np.zeros(2, bool)
        for _ in range(MOST_STEPS):
            observations, rewards, terminated, truncated, _ = envs.step(envs.action_space.sample())
            ended |= terminated | truncated
            assert rewards.shape == (2,)
        assert ended.all()
        assert envs.observation_space.contains(observations)
        envs.close()
