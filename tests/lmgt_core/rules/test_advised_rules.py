"""The rules that keep the best policy: golden values by hand, seams, and that a neutral judge changes nothing."""

import json
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lmgt_core.errors import UserError
from lmgt_core.guidance.potential_shift import PotentialShift
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.guidance.wrappers import RewardShift
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.rules.adops import EPSILON, Adops
from lmgt_core.rules.agent_rule import AgentRule, advice_shift
from lmgt_core.rules.cards import CARDS, Promise, Seam, card_of
from lmgt_core.rules.lookahead import LookAhead
from lmgt_core.rules.make import ADVISED, RULES, make_rule, served_rules
from lmgt_core.rules.pies import Pies
from lmgt_core.rules.potential import Potential, potential_shift

GOOD, NEUTRAL, BAD = (Judgment(v) for v in (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD))
LIKELY = Judgment(Verdict.GOOD, (0.7, 0.2, 0.1))
SILENT = [None, Judgment(Verdict.UNREADABLE, reason="x"), GOOD.abstain("unsure"), NEUTRAL]
values = arrays(np.float64, (3, 4), elements=st.floats(-100, 100))


@pytest.mark.parametrize("name", ADVISED)
def test_what_says_nothing_shifts_by_exactly_0(name: str) -> None:
    rule = make_rule(name, 0.3, 10, seams=Seam)
    assert rule.delta(SILENT).tobytes() == np.zeros(4, np.float32).tobytes()


@pytest.mark.parametrize("name", ADVISED)
def test_a_rule_goes_on_from_its_saved_state(name: str) -> None:
    rule, resumed = make_rule(name, 0.5, 10, seams=Seam), make_rule(name, 0.5, 10, seams=Seam)
    rule.delta([GOOD, BAD])
    resumed.load_state_dict(json.loads(json.dumps(rule.state_dict())))
    np.testing.assert_array_equal(rule.delta([LIKELY, BAD]), resumed.delta([LIKELY, BAD]))
    assert rule.weight(7) == resumed.weight(7) == 1.0


def test_a_potential_is_the_mean_opinion_of_a_state() -> None:
    assert Potential(2.0).phi([GOOD, BAD, LIKELY, None]) == pytest.approx(2 * (1 - 1 + 0.6 + 0) / 4)
    assert Potential().phi([]) == 0.0


def test_a_potential_shift_is_the_discounted_gain_and_ends_at_0() -> None:
    assert potential_shift(0.5, 1.0, 0.9) == pytest.approx(0.4)
    assert potential_shift(0.5, 1.0, 0.0) == -0.5  # the episode ended: nothing counts behind it


def test_look_ahead_advice_acts_on_values_plus_advice() -> None:
    q, phi = np.array([1.0, 2.0]), LookAhead(1.5).delta([GOOD, BAD])
    np.testing.assert_allclose(LookAhead(1.5).preference(q, phi, 0), [2.5, 0.5])
    np.testing.assert_allclose(advice_shift(np.array(1.5), np.array(-1.5), np.array(0.9)), -2.85)


def test_explicit_shaping_listens_less_and_less() -> None:
    rule = Pies(1.0, horizon=10)
    q, advice = np.array([1.0, 0.0]), np.array([0.0, 4.0])
    assert rule.preference(q, advice, 0).tolist() == [1.0, 4.0]
    assert rule.preference(q, advice, 5).tolist() == [1.0, 2.0]
    assert rule.preference(q, advice, 10).tolist() == rule.preference(q, advice, 99).tolist() == [1.0, 0.0]


def test_adops_lets_the_judge_choose_among_good_actions_and_holds_the_others_below() -> None:
    rule = Adops(1.0, horizon=10)
    q = np.array([5.0, 4.6, 1.0])
    advice = np.array([0.0, 2.0, 50.0])
    early = rule.preference(q, advice, 5)  # tolerance 0.5: the first two are good enough
    np.testing.assert_allclose(early, [5.0, 6.6, 6.6 - EPSILON], rtol=0, atol=1e-12)
    late = rule.preference(q, advice, 10)  # tolerance 0: only the first one is
    np.testing.assert_allclose(late, [5.0, 5.0 - EPSILON, 5.0 - EPSILON], rtol=0, atol=1e-12)


@given(values, values)
def test_whatever_is_advised_adops_ends_greedy_for_the_values(q: np.ndarray, advice: np.ndarray) -> None:
    chosen = Adops(1.0, horizon=10).preference(q, advice, 10).argmax(axis=1)
    np.testing.assert_array_equal(q[np.arange(3), chosen], q.max(axis=1))


@given(values, values)
def test_while_it_tolerates_adops_costs_no_more_than_its_tolerance(q: np.ndarray, advice: np.ndarray) -> None:
    rule = Adops(2.0, horizon=10)
    chosen = rule.preference(q, advice, 5).argmax(axis=1)
    assert (q[np.arange(3), chosen] >= q.max(axis=1) - rule.tolerance(5)).all()


@given(values, st.sampled_from(["lookahead", "pies", "adops"]), st.integers(0, 20))
def test_without_advice_an_agent_acts_as_if_there_were_no_rule(q: np.ndarray, name: str, step: int) -> None:
    rule = make_rule(name, 1.0, 10, seams=Seam)
    assert isinstance(rule, AgentRule)
    preference = rule.preference(q, np.zeros_like(q), step)
    best = q == q.max(axis=1, keepdims=True)
    np.testing.assert_array_equal(preference == preference.max(axis=1, keepdims=True), best)


@pytest.mark.parametrize("name", ADVISED)
def test_a_learner_without_the_seam_is_told_so_and_what_it_can_use(name: str) -> None:
    with pytest.raises(UserError, match=f"--rule {name}: .* seam .* choose one of raw, .*annealed:exponential$"):
        make_rule(name, 1.0, 10)


def test_rules_are_served_by_seam() -> None:
    assert served_rules([Seam.REWARD]) == list(RULES)
    assert served_rules([Seam.REWARD, Seam.POTENTIAL]) == [*RULES, "potential"]
    assert served_rules([Seam.AGENT]) == ["lookahead", "pies", "adops"]
    with pytest.raises(UserError, match=r"--rule pies: .* 1 or more, not -5"):
        make_rule("pies", 1.0, 10, horizon=-5, seams=Seam)


def test_every_rule_has_a_card_and_every_card_a_rule() -> None:
    assert {name.partition(":")[0] for name in (*RULES, *ADVISED)} == set(CARDS)
    assert card_of("annealed:linear:centered").promise is Promise.LIMIT


class Corridor(gym.Env[Any, Any]):
    """Counts its steps as the observation, pays 0.5 a step, and ends after three."""

    def __init__(self) -> None:
        self.observation_space: Any = gym.spaces.Discrete(10)
        self.action_space = gym.spaces.Discrete(2)
        self.at = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = 0
        return 0, {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.at += 1
        return self.at, 0.5, self.at >= 3, False, {}


class Counting:
    """Good for both actions in odd states, bad for the second one in even ones; `silent`: neutral for everything."""

    id = "counting"
    kind = JudgeKind.BASELINE
    cacheable = False

    def __init__(self, silent: bool = False) -> None:
        self.silent = silent

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        return [self.one(int(p.facts["state"]), int(p.facts["action"])) for p in prompts]

    def one(self, state: int, action: int) -> Judgment:
        if self.silent:
            return NEUTRAL
        return GOOD if state % 2 else (NEUTRAL, BAD)[action]


def shifter(rule: Any, silent: bool = False) -> RewardShifter:
    def describe(observation: Any, action: Any) -> Description:
        return Description(f"at {observation}", str(action), facts={"state": str(observation), "action": str(action)})

    return RewardShifter(describe, PromptTemplate("", "{state} {action}"), Counting(silent), rule)


def test_the_wrapper_pays_differences_of_potential_and_tells_reward_and_shift_apart() -> None:
    env = PotentialShift(Corridor(), shifter(Potential()), discount=0.9)
    env.reset()
    steps = [env.step(0) for _ in range(3)]
    # Phi is -0.5 in even states and 1 in odd ones; the third step ends the episode.
    shifts = [0.9 * 1 + 0.5, 0.9 * -0.5 - 1, 0 + 0.5]
    np.testing.assert_allclose([s[4]["shift"] for s in steps], shifts)
    np.testing.assert_allclose([float(s[1]) for s in steps], [0.5 + x for x in shifts])
    assert [s[4]["reward"] for s in steps] == [0.5] * 3
    discounted = sum(0.9**t * x for t, x in enumerate(shifts))
    assert discounted == pytest.approx(0.5)  # -Phi(start), whatever happened


def test_a_time_limit_keeps_the_potential_of_the_state_it_cuts_off() -> None:
    env = PotentialShift(TimeLimit(Corridor(), 1), shifter(Potential()), discount=0.9)
    env.reset()
    _, _, terminated, truncated, info = env.step(0)
    assert (terminated, truncated) == (False, True)
    assert info["shift"] == pytest.approx(0.9 * 1 + 0.5)


def test_a_neutral_judge_leaves_every_reward_as_it_is_bit_for_bit() -> None:
    env = PotentialShift(Corridor(), shifter(Potential(), silent=True), discount=0.9)
    env.reset()
    rewards = np.array([env.step(a)[1] for a in (0, 1)])
    assert rewards.tobytes() == np.array([0.5, 0.5]).tobytes()


def test_a_resumed_wrapper_keeps_its_counts() -> None:
    env, resumed = (PotentialShift(Corridor(), shifter(Potential()), discount=0.9) for _ in range(2))
    env.reset()
    env.step(1)
    resumed.load_state_dict(json.loads(json.dumps(env.state_dict())))
    assert resumed.shifter.stats.judgments == env.shifter.stats.judgments == 4  # two states, two actions each


def test_a_wrapper_refuses_a_rule_of_another_seam() -> None:
    for rule in (Potential(), LookAhead(), Pies(1.0, 10), Adops(1.0, 10)):
        with pytest.raises(ValueError, match=f"the rule {rule.name} does not work by adding"):
            RewardShift(Corridor(), shifter(rule))
    with pytest.raises(ValueError, match="a potential is needed, not the rule raw"):
        PotentialShift(Corridor(), shifter(make_rule("raw", 1.0, 10)), discount=0.9)


def test_actions_that_cannot_be_listed_have_to_be_named() -> None:
    env = Corridor()
    env.action_space = gym.spaces.Box(-1, 1, (1,))  # type: ignore[assignment]
    with pytest.raises(ValueError, match="name those that words tell apart"):
        PotentialShift(env, shifter(Potential()), discount=0.9)
    assert PotentialShift(env, shifter(Potential()), discount=0.9, actions=[0, 1]).actions == [0, 1]
