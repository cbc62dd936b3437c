"""The Gymnasium seam: what is judged, when, and who sees which reward."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import Autoreset, RecordEpisodeStatistics, TransformReward
from gymnasium.wrappers.vector import RecordEpisodeStatistics as VectorStatistics

from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.guidance.wrappers import RewardShift, VectorRewardShift
from lmgt_core.judges.neutral import NeutralJudge
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.rules.make import make_rule
from lmgt_core.rules.shift import Raw, ShiftRule

TEMPLATE = PromptTemplate("", "{state} {action}")


class Corridor(gym.Env[Any, Any]):
    """Counts its steps as the observation; pays 0.1 a step, and ends after `length` of them."""

    def __init__(self, length: int = 3) -> None:
        self.observation_space: Any = gym.spaces.Box(0, 1000, (1,), np.float32)
        self.action_space = gym.spaces.Discrete(3)
        self.length, self.at = length, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.at += 1
        return np.array([self.at], np.float32), 0.1, self.at >= self.length, False, {}


class Listener:
    """Good for action 1, bad for action 2, neutral for 0."""

    id = "listener"
    kind = JudgeKind.BASELINE
    cacheable = False

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        verdicts = (Verdict.NEUTRAL, Verdict.GOOD, Verdict.BAD)
        return [Judgment(verdicts[int(p.facts["action"])]) for p in prompts]


def shifter(rule: ShiftRule | None = None) -> tuple[RewardShifter, list[tuple[int, int]]]:
    """A shifter and the list of the (state, action) pairs that it was asked about."""
    asked: list[tuple[int, int]] = []

    def describe(observation: Any, action: int) -> Description:
        asked.append((int(observation[0]), int(action)))
        return Description(f"at {observation[0]}", str(action), facts={"action": str(action)})

    return RewardShifter(describe, TEMPLATE, Listener(), rule or make_rule("raw", 1.0, 100)), asked


def test_the_state_before_the_action_is_judged_once_a_decision() -> None:
    shift, asked = shifter()
    env = RewardShift(Corridor(), shift)
    env.reset()
    rewards = [float(env.step(a)[1]) for a in (1, 2, 0)]
    assert asked == [(0, 1), (1, 2), (2, 0)]
    np.testing.assert_allclose(rewards, [1.1, -0.9, 0.1])


def test_info_tells_reward_and_shift_apart() -> None:
    env = RewardShift(Corridor(), shifter(make_rule("annealed", 0.5, 4))[0])
    env.reset()
    env.step(1)
    *_, info = env.step(2)
    assert (info["reward"], info["shift"], info["shift_weight"]) == (0.1, -0.5, 0.75)


def test_the_weight_follows_the_number_of_decisions_over_episodes() -> None:
    env = RewardShift(Corridor(length=2), shifter(make_rule("annealed", 1.0, 4))[0])
    rewards = []
    for _ in range(3):
        env.reset()
        rewards += [env.step(1)[1] for _ in range(2)]
    np.testing.assert_allclose(np.array(rewards, dtype=float) - 0.1, [1.0, 0.75, 0.5, 0.25, 0.0, 0.0], atol=1e-9)


def test_rewards_clipped_under_the_wrapper_keep_the_shift_s_size() -> None:
    def sign(env: gym.Env) -> gym.Env:
        return TransformReward(env, lambda r: float(np.sign(float(r))))

    rule = make_rule("raw", 0.1, 100)
    under = RewardShift(sign(Corridor()), shifter(rule)[0])
    over = sign(RewardShift(TransformReward(Corridor(), lambda r: 0.0), shifter(rule)[0]))
    for env, expected in ((under, 1.1), (over, 1.0)):  # over: the trap, sign(0 + 0.1) = 1
        env.reset()
        np.testing.assert_allclose(float(env.step(1)[1]), expected, rtol=1e-6)


def test_episode_statistics_under_the_wrapper_are_unshifted() -> None:
    env = RewardShift(RecordEpisodeStatistics(Corridor()), shifter()[0])
    env.reset()
    for _ in range(3):
        *_, info = env.step(1)
    assert info["episode"]["r"] == pytest.approx(0.3)


def test_a_step_that_only_resets_is_neither_judged_nor_shifted_nor_counted() -> None:
    shift, asked = shifter()
    env = RewardShift(Autoreset(Corridor(length=2)), shift)
    env.reset()
    rewards = [float(env.step(1)[1]) for _ in range(5)]
    assert asked == [(0, 1), (1, 1), (0, 1), (1, 1)]
    np.testing.assert_allclose(rewards, [1.1, 1.1, 0.0, 1.1, 1.1])
    assert shift.decisions == 4


def test_a_wrapped_environment_passes_gymnasium_s_checker() -> None:
    check_env(RewardShift(Corridor(), shifter()[0]), skip_render_check=True)


def rollout(env: gym.Env, seed: int = 0) -> list[Any]:
    """Bytes of everything that an agent sees in 200 steps."""
    seen: list[Any] = [env.reset(seed=seed)[0].tobytes()]
    actions = np.random.default_rng(seed)
    for _ in range(200):
        observation, reward, terminated, truncated, _ = env.step(int(actions.integers(2)))
        seen += [observation.tobytes(), np.float64(reward).tobytes(), terminated, truncated, type(reward)]
        if terminated or truncated:
            seen.append(env.reset()[0].tobytes())
    return seen


@pytest.mark.parametrize("rule", ["raw", "continuous", "centered", "annealed"])
def test_a_neutral_judge_equals_none_bit_for_bit(rule: str) -> None:
    def describe(observation: Any, action: int) -> Description:
        return Description(str(observation), str(action))

    neutral = RewardShifter(describe, TEMPLATE, NeutralJudge(), make_rule(rule, 1.0, 50))
    np.random.seed(1)
    plain = rollout(gym.make("CartPole-v1")), np.random.random()
    np.random.seed(1)
    assert (rollout(RewardShift(gym.make("CartPole-v1"), neutral)), np.random.random()) == plain
    assert neutral.stats.judgments == 200


def vector(mode: AutoresetMode, lengths: tuple[int, ...] = (2, 3)) -> tuple[VectorRewardShift, list[tuple[int, int]]]:
    shift, asked = shifter()
    envs = SyncVectorEnv([partial(Corridor, n) for n in lengths], autoreset_mode=mode)
    return VectorRewardShift(envs, shift), asked


ONES = np.array([1, 1])


def test_next_step_autoreset_skips_the_step_after_an_end() -> None:
    envs, asked = vector(AutoresetMode.NEXT_STEP)
    envs.reset()
    rewards = [envs.step(ONES)[1] for _ in range(4)]
    np.testing.assert_allclose(rewards, [[1.1, 1.1], [1.1, 1.1], [0.0, 1.1], [1.1, 0.0]])
    assert asked == [(0, 1), (0, 1), (1, 1), (1, 1), (2, 1), (0, 1)]
    assert envs.source.decisions == 6


def test_same_step_autoreset_judges_every_step_in_its_own_episode() -> None:
    envs, asked = vector(AutoresetMode.SAME_STEP)
    envs.reset()
    rewards = [envs.step(ONES)[1] for _ in range(3)]
    np.testing.assert_allclose(rewards, [[1.1, 1.1]] * 3)
    assert asked == [(0, 1), (0, 1), (1, 1), (1, 1), (0, 1), (2, 1)]


def test_disabled_autoreset_goes_on_after_a_masked_reset() -> None:
    envs, asked = vector(AutoresetMode.DISABLED)
    envs.reset()
    envs.step(ONES)
    envs.step(ONES)
    envs.reset(options={"reset_mask": np.array([True, False])})
    np.testing.assert_allclose(envs.step(ONES)[1], [1.1, 1.1])
    assert asked[-2:] == [(0, 1), (2, 1)]


def test_a_vector_s_info_and_actions_keep_their_order() -> None:
    envs, _ = vector(AutoresetMode.SAME_STEP)
    envs.reset()
    _, rewards, _, _, info = envs.step(np.array([2, 1]))
    np.testing.assert_allclose(rewards, [-0.9, 1.1])
    assert info["shift"].tolist() == [-1.0, 1.0] and info["reward"].tolist() == [0.1, 0.1]
    assert info["_shift"].tolist() == [True, True]


def test_vector_statistics_under_the_wrapper_are_unshifted() -> None:
    shift, _ = shifter()
    envs = VectorRewardShift(VectorStatistics(SyncVectorEnv([Corridor, Corridor])), shift)
    envs.reset()
    for _ in range(3):
        *_, info = envs.step(ONES)
    np.testing.assert_allclose(info["episode"]["r"], [0.3, 0.3])


def test_a_vector_of_unknown_autoreset_mode_is_refused() -> None:
    envs = SyncVectorEnv([Corridor])
    envs.metadata = {}
    with pytest.raises(ValueError, match="autoreset_mode"):
        VectorRewardShift(envs, shifter()[0])


def test_dictionary_observations_are_judged_one_by_one() -> None:
    class Labelled(Corridor):
        def __init__(self) -> None:
            super().__init__()
            self.observation_space: Any = gym.spaces.Dict({"at": gym.spaces.Box(0, 1000, (1,), np.float32)})

        def reset(self, **kwargs: Any) -> Any:
            return {"at": super().reset(**kwargs)[0]}, {}

        def step(self, action: int) -> Any:
            observation, *rest = super().step(action)
            return {"at": observation}, *rest

    shift, asked = shifter()
    by_position = shift.describe
    shift.describe = lambda observations, *rest: by_position([o["at"] for o in observations], *rest)
    envs = VectorRewardShift(SyncVectorEnv([Labelled, Labelled]), shift)
    envs.reset()
    envs.step(np.array([1, 2]))
    envs.step(np.array([2, 0]))
    assert asked == [(0, 1), (0, 2), (1, 2), (1, 0)]


def single(shift: RewardShifter) -> Any:
    return RewardShift(Corridor(), shift), 1


def vectorised(shift: RewardShifter) -> Any:
    return VectorRewardShift(SyncVectorEnv([Corridor]), shift), np.array([1])


@pytest.mark.parametrize("make", [single, vectorised])
def test_shifts_go_on_from_the_source_s_saved_state(make: Any) -> None:
    (env, action), (resumed, _) = (make(shifter(make_rule("annealed:linear:centered", 1.0, 10))[0]) for _ in range(2))
    env.reset()
    env.step(action)
    resumed.source.load_state_dict(env.source.state_dict())
    env.reset()
    resumed.reset()
    assert resumed.source.decisions == env.source.decisions == 1
    np.testing.assert_array_equal(env.step(action)[1], resumed.step(action)[1])


def test_the_environments_of_a_step_share_the_weight_of_the_decisions_before_it() -> None:
    envs = VectorRewardShift(SyncVectorEnv([Corridor, Corridor]), shifter(make_rule("annealed", 1.0, 10))[0])
    envs.reset()
    weights = [envs.step(ONES)[-1]["shift_weight"].tolist() for _ in range(3)]
    np.testing.assert_allclose(weights, [[1.0, 1.0], [0.8, 0.8], [0.6, 0.6]])


class WholeNumbers(Corridor):
    """Pays 1 a step, as an integer."""

    def step(self, action: int) -> Any:
        observation, _, *rest = super().step(action)
        return observation, 1, *rest


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
def test_whole_number_rewards_are_shifted_by_less_than_1(dtype: Any) -> None:
    class Paid(SyncVectorEnv):
        def step(self, actions: Any) -> Any:
            observations, rewards, *rest = super().step(actions)
            return observations, rewards.astype(dtype), *rest

    envs = VectorRewardShift(Paid([WholeNumbers, WholeNumbers]), shifter(make_rule("raw", 0.5, 10))[0])
    envs.reset()
    _, rewards, *_, info = envs.step(np.array([1, 0]))
    assert rewards.tolist() == [1.5, 1.0] and np.issubdtype(rewards.dtype, np.floating)
    np.testing.assert_array_equal(rewards, info["reward"] + info["shift_weight"] * info["shift"])
    env = RewardShift(WholeNumbers(), shifter(make_rule("raw", 0.5, 10))[0])
    env.reset()
    assert [type(env.step(a)[1]) for a in (0, 1)] == [float, float]


def test_a_registered_environment_is_made_anew_from_its_spec() -> None:
    env = RewardShift(gym.make("CartPole-v1"), RewardShifter(lambda o, a: None, TEMPLATE, NeutralJudge(), Raw()))
    assert env.spec is not None
    again = gym.make(env.spec)
    assert isinstance(again, RewardShift) and again.source is env.source
    check_env(env, skip_render_check=True)


def test_shifts_of_a_late_wrapper_are_left_to_whoever_samples() -> None:
    shift, _ = shifter()
    envs = VectorRewardShift(SyncVectorEnv([Corridor, Corridor]), shift, late=True)
    envs.reset()
    _, rewards, *_, info = envs.step(np.array([1, 2]))
    assert rewards.tolist() == [0.1, 0.1] and info["shift"].tolist() == [0.0, 0.0]
    assert shift.resolve(info["shift_ticket"]).tolist() == [1.0, -1.0]
