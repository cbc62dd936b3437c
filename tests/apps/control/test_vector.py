"""Gymnasium's vector environments behind Stable-Baselines3's interface."""

import numpy as np
import pytest

from apps.control.worlds import WORLDS
from tests.apps.control.conftest import shifter_for

CARTPOLE, PENDULUM, BLACKJACK = (WORLDS[n] for n in ("CartPole-v1", "Pendulum-v1", "Blackjack-v1"))


def play(envs, steps: int, seed: int = 3) -> list:
    """Everything that `steps` steps of fixed actions give."""
    envs.seed(seed)
    rng = np.random.default_rng(0)
    seen = [envs.reset()]
    for _ in range(steps):
        actions = np.array([rng.integers(2) for _ in range(envs.num_envs)])
        seen.append(envs.step(actions))
    return seen


def test_it_gives_what_stable_baselines_own_vector_gives(agents) -> None:
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv

    from apps.control.vector import training_envs

    ours = play(training_envs(CARTPOLE, 2, None), 120)
    theirs = play(DummyVecEnv([lambda: Monitor(CARTPOLE.make())] * 2), 120)
    np.testing.assert_array_equal(ours[0], theirs[0])
    ends = 0
    for (o1, r1, d1, i1), (o2, r2, d2, i2) in zip(ours[1:], theirs[1:], strict=True):
        np.testing.assert_array_equal(o1, o2)
        np.testing.assert_array_equal(r1, r2)
        np.testing.assert_array_equal(d1, d2)
        for mine, other in zip(i1, i2, strict=True):
            if "terminal_observation" in other:
                ends += 1
                np.testing.assert_array_equal(mine["terminal_observation"], other["terminal_observation"])
                assert mine["TimeLimit.truncated"] is other["TimeLimit.truncated"]
                assert mine["episode"]["r"] == other["episode"]["r"]
                assert mine["episode"]["l"] == other["episode"]["l"]
    assert ends > 3


def test_an_episode_cut_by_the_time_limit_is_marked(agents) -> None:
    from apps.control.vector import training_envs

    envs = training_envs(PENDULUM, 1, None)
    envs.reset()
    for step in range(200):
        _, _, done, infos = envs.step(np.zeros((1, 1), dtype=np.float32))
        assert done[0] == (step == 199)
    assert infos[0]["TimeLimit.truncated"] is True


def test_statistics_are_unshifted_and_rewards_are_shifted(agents) -> None:
    from apps.control.vector import training_envs

    envs = training_envs(CARTPOLE, 1, shifter_for(CARTPOLE, "oracle"))
    total = length = 0.0
    envs.seed(1)
    envs.reset()
    done = [False]
    while not done[0]:
        _, rewards, done, infos = envs.step(np.array([0]))
        assert rewards[0] == infos[0]["reward"] + infos[0]["shift"]
        assert infos[0]["reward"] == 1
        total += rewards[0]
        length += 1
    assert infos[0]["episode"]["r"] == length
    assert total != length  # the expert had something to say about pushing left all the time


def test_late_shifts_leave_rewards_alone_and_hand_out_tickets(agents) -> None:
    from apps.control.vector import training_envs

    source = shifter_for(CARTPOLE, "oracle")
    envs = training_envs(CARTPOLE, 2, source, late=True)
    envs.reset()
    for step in range(3):
        _, rewards, _, infos = envs.step(np.array([0, 1]))
        assert rewards.tolist() == [1.0, 1.0] and [i["shift"] for i in infos] == [0.0, 0.0]
        assert [i["shift_ticket"] for i in infos] == [2 * step, 2 * step + 1]
    assert set(source.resolve(np.arange(6)).tolist()) <= {-1.0, 1.0}


def test_rewards_are_scaled_before_they_are_shifted(agents) -> None:
    from apps.control.vector import training_envs

    plain = training_envs(PENDULUM, 2, None, normalize_gamma=0.9)
    shifted = training_envs(PENDULUM, 2, shifter_for(PENDULUM, "oracle", scale=5.0), normalize_gamma=0.9)
    for envs in (plain, shifted):
        envs.seed(0)
        envs.reset()
    for _ in range(50):
        actions = np.array([[1.0], [-2.0]], dtype=np.float32)
        _, scaled, _, _ = plain.step(actions)
        _, rewards, _, infos = shifted.step(actions)
        np.testing.assert_array_equal([i["reward"] for i in infos], scaled)
        np.testing.assert_allclose(rewards - scaled, [i["shift"] for i in infos], atol=1e-12)
        assert {abs(i["shift"]) for i in infos} <= {0.0, 5.0}


def test_only_vectors_that_reset_in_the_same_step_are_taken(agents) -> None:
    from gymnasium.vector import SyncVectorEnv

    from lmgt_core.learners.vector import LearnerVecEnv

    with pytest.raises(ValueError, match="same step"):
        LearnerVecEnv(SyncVectorEnv([CARTPOLE.make]))


@pytest.mark.parametrize("task", [CARTPOLE, PENDULUM, BLACKJACK])
def test_learners_accept_the_environments(agents, task) -> None:
    from stable_baselines3.common.vec_env import is_vecenv_wrapped

    from apps.control.vector import training_envs

    envs = training_envs(task, 3, None)
    assert not is_vecenv_wrapped(envs, type(None))
    observations = envs.reset()
    assert observations.shape[0] == envs.num_envs == 3
    assert envs.get_attr("render_mode") == [None] * 3
    envs.close()
