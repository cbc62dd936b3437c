"""The Gymnasium and TF-Agents environments over both simulators."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import apps.slateq.env
from apps.slateq.config import WorldConfig
from apps.slateq.env import distinct
from apps.slateq.simulator.make import make_simulator
from lmgt_core.errors import UserError
from lmgt_core.testing.environment import EnvironmentContract
from tests.contracts.recommender_simulator import random_slates

assert apps.slateq.env  # registers


class TestInterestEvolution(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        return gym.make("lmgt/InterestEvolution-v0", budget=40.0)


class TestInterestExploration(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        return gym.make("lmgt/InterestExploration-v0", candidates=5, slate=2)


class TestLongTermSatisfaction(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        return gym.make("lmgt/LongTermSatisfaction-v0")


class TestRecSim(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        return gym.make("lmgt/InterestEvolution-v0", budget=20.0, simulator="recsim")


@pytest.mark.parametrize("name", ["InterestEvolution", "InterestExploration", "LongTermSatisfaction"])
def test_an_episode_is_the_simulators_session(name: str) -> None:
    env = gym.make(f"lmgt/{name}-v0").unwrapped
    simulator = make_simulator(env.config)  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    (seen, _), observation = env.reset(seed=4), simulator.reset(4)
    for _ in range(150):
        slate = random_slates(simulator, rng)
        seen, reward, terminated, truncated, info = env.step(slate[0])
        feedback = simulator.step(slate)
        assert reward == feedback.reward[0] and terminated == feedback.terminated[0]
        assert truncated == feedback.truncated[0]
        assert info["topic"] == feedback.topic[0] and info["slate"].tolist() == slate[0].tolist()
        np.testing.assert_allclose(seen["documents"], feedback.final_observation.documents[0], rtol=1e-6)
        observation = feedback.observation
        if terminated or truncated:
            seen, _ = env.reset()  # the user who has already come
            np.testing.assert_allclose(seen["documents"], observation.documents[0], rtol=1e-6)


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_slates_are_made_distinct_and_distinct_ones_left_alone(slate: int, more: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    candidates = slate + more
    slates = rng.integers(0, candidates, (5, slate))
    made = distinct(slates, candidates)
    assert all(len(set(row)) == slate for row in made.tolist()) and 0 <= made.min() <= made.max() < candidates
    assert np.array_equal(made[:, 0], slates[:, 0])
    assert np.array_equal(distinct(made, candidates), made)


def test_the_next_free_candidate_is_shown_instead_of_a_repetition() -> None:
    assert distinct(np.array([[3, 3, 3], [4, 4, 0], [0, 1, 0]]), 5).tolist() == [[3, 4, 0], [4, 0, 1], [0, 1, 2]]


def test_a_world_that_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="--slate 11"):
        gym.make("lmgt/InterestEvolution-v0", slate=11)


CONFIGS = [
    (WorldConfig(budget=30.0), 6),
    (WorldConfig(env="interest-exploration", session_steps=9), 6),
    (WorldConfig(env="long-term-satisfaction", budget=7), 1),
    (WorldConfig(budget=30.0, simulator="recsim"), 1),
]


@pytest.mark.parametrize(("config", "users"), CONFIGS)
def test_tf_agents_accepts_the_environment(config: WorldConfig, users: int) -> None:
    from tf_agents.environments import utils

    from apps.slateq.tf_environment import make_tf_environment

    environment = make_tf_environment(config, users, seed=1)
    assert environment.batched and environment.batch_size == users
    utils.validate_py_environment(environment, episodes=3)


def test_a_users_last_time_step_is_followed_by_the_next_users_first() -> None:
    from apps.slateq.tf_environment import make_tf_environment

    environment = make_tf_environment(WorldConfig(budget=30.0), users=8, seed=1)
    rng = np.random.default_rng(0)
    before = environment.reset()
    assert before.is_first().all()
    lasts = 0
    for _ in range(60):
        now = environment.step(random_slates(environment.simulator, rng))
        for user in range(8):
            assert now.is_first()[user] == before.is_last()[user]
            if now.is_first()[user]:
                assert now.reward[user] == 0 and now.discount[user] == 1
                assert not np.array_equal(now.observation["user"][user], before.observation["user"][user])
            if now.is_last()[user]:
                lasts += 1
                assert now.discount[user] == 0
                moved = now.observation["user"][user] != before.observation["user"][user]
                assert moved.sum() <= 1  # still the same user, whose interest in one topic may have moved
        before = now
    assert lasts > 8


def test_waiting_users_are_served_the_same_sessions_as_without_waiting() -> None:
    """Each user's candidates, interests and returns up to its first session's end are the simulator's own."""
    from apps.slateq.tf_environment import make_tf_environment

    environment = make_tf_environment(WorldConfig(budget=30.0), users=5, seed=3)
    simulator = make_simulator(WorldConfig(budget=30.0), users=5)
    simulator.reset(3)
    environment.reset()
    rng = np.random.default_rng(0)
    first = np.ones(5, bool)
    for _ in range(40):
        slates = random_slates(simulator, rng)
        now, feedback = environment.step(slates), simulator.step(slates)
        assert np.array_equal(now.reward[first], feedback.reward[first])
        assert np.array_equal(now.observation["user"][first], feedback.final_observation.user[first])
        first &= ~feedback.done
    assert not first.any()


def test_cut_sessions_keep_their_discount() -> None:
    from apps.slateq.tf_environment import make_tf_environment

    environment = make_tf_environment(WorldConfig(session_steps=3), users=2, seed=3)
    environment.reset()
    slates = np.tile(np.arange(3), (2, 1))
    steps = [environment.step(slates) for _ in range(5)]
    assert [bool(step.is_last().all()) for step in steps] == [False, False, True, False, False]
    assert steps[2].discount.tolist() == [1.0, 1.0] and steps[3].is_first().all()
