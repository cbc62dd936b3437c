"""Late shifts: reward and shift apart until they are sampled, and judging in the background."""

import threading
import time

import numpy as np
import pytest

from apps.control.worlds import WORLDS
from lmgt_core.guidance.judge_ahead import JudgeAhead
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.rules.shift import Annealed, Raw
from tests.apps.control.conftest import TEMPLATE, shifter_for

CARTPOLE, PENDULUM = WORLDS["CartPole-v1"], WORLDS["Pendulum-v1"]


def trained(agents, task, algorithm: str, shifter, plain: bool = False) -> dict[str, np.ndarray]:
    """The parameters of a learner after a short training."""
    import stable_baselines3 as sb3
    import torch

    from apps.control.vector import training_envs

    torch.set_num_threads(1)
    env = training_envs(task, 1, shifter)
    settings = {"learning_starts": 60, "train_freq": 16, "gradient_steps": 16, "batch_size": 32, "buffer_size": 150}
    if not plain:
        from lmgt_core.learners.replay import ShiftReplayBuffer

        settings |= {"replay_buffer_class": ShiftReplayBuffer, "replay_buffer_kwargs": {"shifter": shifter}}
    learner = getattr(sb3, algorithm)(
        "MlpPolicy", env, seed=4, device="cpu", policy_kwargs={"net_arch": [16]}, **settings
    )
    learner.learn(208)
    return {name: value.numpy().copy() for name, value in learner.policy.state_dict().items()}


def assert_equal(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize(("task", "algorithm"), [(CARTPOLE, "DQN"), (PENDULUM, "SAC"), (PENDULUM, "TD3")])
@pytest.mark.parametrize("rule", ["raw", "centered"])
def test_composing_at_sampling_learns_bit_for_bit_what_shifted_rewards_teach(agents, task, algorithm, rule) -> None:
    judge = "noisy-oracle:0.8"
    plain = trained(agents, task, algorithm, shifter_for(task, judge, rule, 0.7), plain=True)
    apart = trained(agents, task, algorithm, shifter_for(task, judge, rule, 0.7))
    assert_equal(plain, apart)


@pytest.mark.parametrize("rule", ["raw", "centered"])
def test_judging_ahead_learns_bit_for_bit_what_judging_in_step_teaches(agents, rule) -> None:
    in_step = trained(agents, CARTPOLE, "DQN", shifter_for(CARTPOLE, "noisy-oracle:0.8", rule, 0.7))
    ahead = JudgeAhead(lambda: shifter_for(CARTPOLE, "noisy-oracle:0.8", rule, 0.7))
    late = trained(agents, CARTPOLE, "DQN", ahead)
    ahead.close()
    assert_equal(in_step, late)
    assert ahead.stats.judgments == 208


def test_a_shift_changes_what_is_learnt(agents) -> None:
    none = trained(agents, CARTPOLE, "DQN", None, plain=True)
    shifted = trained(agents, CARTPOLE, "DQN", shifter_for(CARTPOLE, "oracle"))
    assert any((none[name] != shifted[name]).any() for name in none)


def buffer_with(agents, shifter, rewards, shifts):
    """A buffer of one environment that holds these."""
    from lmgt_core.learners.replay import ShiftReplayBuffer

    env = CARTPOLE.make()
    buffer = ShiftReplayBuffer(8, env.observation_space, env.action_space, shifter=shifter)
    for reward, shift in zip(rewards, shifts, strict=True):
        info = [{"reward": reward, "shift": np.float32(shift)}]
        observation = np.zeros((1, 4), dtype=np.float32)
        buffer.add(observation, observation, np.array([1]), np.array([reward]), np.array([False]), info)
    return buffer


def test_an_annealed_shift_fades_from_old_transitions_too(agents) -> None:
    shifter = shifter_for(CARTPOLE, "oracle", Annealed(Raw(), "linear", horizon=4, final=0.0))
    buffer = buffer_with(agents, shifter, [1.0, 1.0, 1.0], [1.0, -1.0, 1.0])
    buffer._get_samples(np.array([0, 1]))
    assert buffer.rewards[:2, 0].tolist() == [1.5, 0.5]  # the latest decision was step 2 of 4: weight 1/2
    for _ in range(2):
        buffer.add(*[np.zeros((1, 4), dtype=np.float32)] * 2, np.array([0]), np.array([1.0]), np.array([False]), INFO)
    buffer._get_samples(np.array([0, 1]))
    assert buffer.rewards[:2, 0].tolist() == [1.0, 1.0]  # weight 0: nothing stale is left


INFO = [{"reward": 1.0, "shift": np.float32(0.0)}]


def test_a_full_buffer_forgets_the_shift_with_its_transition(agents) -> None:
    buffer = buffer_with(agents, shifter_for(CARTPOLE, "oracle"), [0.0] * 10, [float(i) for i in range(10)])
    buffer._get_samples(np.arange(8))
    assert buffer.rewards[:, 0].tolist() == [8, 9, 2, 3, 4, 5, 6, 7]


def test_rejudging_replaces_every_shift(agents) -> None:
    buffer = buffer_with(agents, shifter_for(CARTPOLE, "oracle"), [1.0] * 3, [5.0] * 3)
    buffer.observations[:3, 0, 2] = (0.1, -0.1, 0.2)  # the pole leans right, left, right; every push was to the right
    buffer.rejudge(shifter_for(CARTPOLE, "oracle", scale=2.0), lambda action: action)
    assert buffer.shifts[:3, 0].tolist() == [2.0, -2.0, 2.0]
    buffer._get_samples(np.arange(3))
    assert buffer.rewards[:3, 0].tolist() == [3.0, -1.0, 3.0]


def test_rejudging_understands_scaled_torques(agents) -> None:
    from lmgt_core.learners.replay import ShiftReplayBuffer

    env = PENDULUM.make()
    buffer = ShiftReplayBuffer(4, env.observation_space, env.action_space, shifter=shifter_for(PENDULUM, "oracle"))
    hanging = np.array([[-1.0, 0.0, 3.0]], dtype=np.float32)  # turning counter-clockwise
    for scaled in (1.0, -1.0):
        info = [{"reward": 0.0, "shift": np.float32(0)}]
        buffer.add(hanging, hanging, np.array([[scaled]]), np.array([0.0]), np.array([False]), info)
    buffer.rejudge(shifter_for(PENDULUM, "oracle"), lambda action: action * 2.0)
    assert buffer.shifts[:2, 0].tolist() == [1.0, -1.0]


class SlowShifter(RewardShifter):
    """Takes its time, so that decisions pile up."""

    def __init__(self) -> None:
        inner = shifter_for(CARTPOLE, "oracle", "centered")
        super().__init__(CARTPOLE.describer, TEMPLATE, inner.judge, inner.rule)
        self.batches: list[int] = []
        self.thread = threading.current_thread()

    def __call__(self, observations, actions):
        time.sleep(0.01)
        self.batches.append(len(observations))
        return super().__call__(observations, actions)


def decisions(n: int) -> list[tuple[np.ndarray, int]]:
    rng = np.random.default_rng(0)
    return [(rng.normal(0, 0.1, 4).astype(np.float32), int(rng.integers(2))) for _ in range(n)]


def test_shifts_come_in_the_order_of_decisions_from_a_thread_of_their_own() -> None:
    slow: list[SlowShifter] = []

    def make() -> SlowShifter:
        slow.append(SlowShifter())
        return slow[0]

    ahead = JudgeAhead(make)
    reused = np.zeros(4, dtype=np.float32)
    tickets = []
    for observation, action in decisions(40):
        reused[:] = observation  # environments write into one array; what was handed over must not change
        ahead([reused], [action])
        tickets.append(ahead.take())
    late = ahead.resolve(np.concatenate(tickets))
    ahead.close()
    in_step = shifter_for(CARTPOLE, "oracle", "centered")
    expected = [float(in_step([o], [a]).delta[0]) for o, a in decisions(40)]
    assert late.tolist() == expected
    assert sum(slow[0].batches) == 40
    assert max(slow[0].batches) > 1  # what had piled up went in one batch
    assert slow[0].thread is not threading.main_thread()


def test_an_error_of_the_judge_reaches_the_trainer() -> None:
    def broken(observations, actions):
        raise OSError("the server is gone")

    ahead = JudgeAhead(lambda: shifter_for(CARTPOLE, "oracle"))
    ahead._ready().__class__ = type("Broken", (RewardShifter,), {"__call__": lambda self, o, a: broken(o, a)})
    ahead([np.zeros(4)], [0])
    with pytest.raises(OSError, match="the server is gone"):
        ahead.resolve(ahead.take())
    with pytest.raises(OSError, match="the server is gone"):
        ahead([np.zeros(4)], [0])


def test_a_shifter_that_cannot_be_made_is_told_at_once() -> None:
    def make() -> RewardShifter:
        raise ValueError("no such judge")

    with pytest.raises(ValueError, match="no such judge"):
        JudgeAhead(make)
