"""Late shifts: reward and shift apart until they are sampled, and judging in the background."""

import threading
import time

import numpy as np
import pytest

from apps.control.worlds import WORLDS
from lmgt_core.guidance.background import BackgroundShifts
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.rules.shift import Annealed, Raw
from tests.apps.control.conftest import TEMPLATE, shifter_for

CARTPOLE, PENDULUM = WORLDS["CartPole-v1"], WORLDS["Pendulum-v1"]


def trained(agents, task, algorithm: str, source, plain: bool = False, late: bool = False) -> dict[str, np.ndarray]:
    """The parameters of a learner after a short training."""
    import stable_baselines3 as sb3
    import torch

    from apps.control.vector import training_envs

    torch.set_num_threads(1)
    env = training_envs(task, 1, source, late=late)
    settings = {"learning_starts": 60, "train_freq": 16, "gradient_steps": 16, "batch_size": 32, "buffer_size": 150}
    if not plain:
        from lmgt_core.learners.replay import ShiftReplayBuffer

        settings |= {"replay_buffer_class": ShiftReplayBuffer, "replay_buffer_kwargs": {"source": source}}
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


@pytest.mark.parametrize("rule", ["raw", "centered", "annealed"])
def test_late_shifts_teach_bit_for_bit_what_shifts_in_step_teach(agents, rule) -> None:
    in_step = trained(agents, CARTPOLE, "DQN", shifter_for(CARTPOLE, "noisy-oracle:0.8", rule, 0.7))
    source = BackgroundShifts(lambda: shifter_for(CARTPOLE, "noisy-oracle:0.8", rule, 0.7))
    late = trained(agents, CARTPOLE, "DQN", source, late=True)
    source.close()
    assert_equal(in_step, late)
    assert source.stats.judgments == 208


def test_a_shift_changes_what_is_learnt(agents) -> None:
    none = trained(agents, CARTPOLE, "DQN", None, plain=True)
    shifted = trained(agents, CARTPOLE, "DQN", shifter_for(CARTPOLE, "oracle"))
    assert any((none[name] != shifted[name]).any() for name in none)


def buffer_with(agents, source, rewards, shifts):
    """A buffer of one environment that holds these."""
    from lmgt_core.learners.replay import ShiftReplayBuffer

    env = CARTPOLE.make()
    buffer = ShiftReplayBuffer(8, env.observation_space, env.action_space, source=source)
    for reward, shift in zip(rewards, shifts, strict=True):
        info = [{"reward": reward, "shift": np.float32(shift)}]
        observation = np.zeros((1, 4), dtype=np.float32)
        buffer.add(observation, observation, np.array([1]), np.array([reward]), np.array([False]), info)
    return buffer


def test_an_annealed_shift_fades_from_old_transitions_too(agents) -> None:
    source = shifter_for(CARTPOLE, "oracle", Annealed(Raw(), "linear", horizon=4, final=0.0))
    buffer = buffer_with(agents, source, [1.0, 1.0, 1.0], [1.0, -1.0, 1.0])
    for weight in (1.0, 0.75, 0.5, 0.25, 0.0, 0.0):
        source.submit([np.zeros(4)], [0])
        buffer._get_samples(np.array([0, 1]))
        assert buffer.rewards[:2, 0].tolist() == [1 + weight, 1 - weight]  # of the decision that was taken last


def test_a_full_buffer_forgets_the_shift_with_its_transition(agents) -> None:
    buffer = buffer_with(agents, shifter_for(CARTPOLE, "oracle"), [0.0] * 10, [float(i) for i in range(10)])
    buffer._get_samples(np.arange(8))
    assert buffer.rewards[:, 0].tolist() == [8, 9, 2, 3, 4, 5, 6, 7]


class SlowShifter(RewardShifter):
    """Takes its time, so that decisions pile up."""

    def __init__(self) -> None:
        inner = shifter_for(CARTPOLE, "oracle", "centered")
        super().__init__(CARTPOLE.describer, TEMPLATE, inner.judge, inner.rule)
        self.batches: list[int] = []
        self.thread = threading.current_thread()

    def __call__(self, observations, actions, outcomes=(), first=0):
        time.sleep(0.01)
        self.batches.append(len(observations))
        return super().__call__(observations, actions, outcomes, first)


def decisions(n: int) -> list[tuple[np.ndarray, int]]:
    rng = np.random.default_rng(0)
    return [(rng.normal(0, 0.1, 4).astype(np.float32), int(rng.integers(2))) for _ in range(n)]


def test_shifts_come_in_the_order_of_decisions_from_a_thread_of_their_own() -> None:
    slow: list[SlowShifter] = []

    def make() -> SlowShifter:
        slow.append(SlowShifter())
        return slow[0]

    source = BackgroundShifts(make)
    reused = np.zeros(4, dtype=np.float32)
    tickets = []
    for observation, action in decisions(40):
        reused[:] = observation  # environments write into one array; what was handed over must not change
        tickets.append(source.submit([reused], [action]))
    late = source.resolve(np.concatenate(tickets))
    source.close()
    in_step = shifter_for(CARTPOLE, "oracle", "centered")
    expected = [float(in_step([o], [a]).delta[0]) for o, a in decisions(40)]
    assert late.tolist() == expected
    assert sum(slow[0].batches) == 40
    assert max(slow[0].batches) > 1  # what had piled up went in one batch
    assert slow[0].thread is not threading.main_thread()


def test_an_error_of_the_judge_reaches_the_trainer() -> None:
    class Broken(SlowShifter):
        def __call__(self, observations, actions, outcomes=(), first=0):
            raise OSError("the server is gone")

    source = BackgroundShifts(Broken)
    tickets = source.submit([np.zeros(4)], [0])
    for ask_again in (lambda: source.resolve(tickets), lambda: source.submit([np.zeros(4)], [0])):
        with pytest.raises(OSError, match="the server is gone"):
            ask_again()


def test_a_source_that_cannot_be_made_is_told_at_once() -> None:
    def make() -> RewardShifter:
        raise ValueError("no such judge")

    with pytest.raises(ValueError, match="no such judge"):
        BackgroundShifts(make)
