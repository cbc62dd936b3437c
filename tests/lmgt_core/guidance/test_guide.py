"""`guide`: one call for an environment of one's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from lmgt_core import guide
from lmgt_core.errors import UserError
from lmgt_core.guidance.wrappers import RewardShift, VectorRewardShift
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt

QUESTION = "{state}. The cart will {action}. Good or bad?"


def describe(observation: Any, action: Any) -> tuple[str, str]:
    return f"the pole leans {'right' if observation[2] > 0 else 'left'}", ("push left", "push right")[int(action)]


class Balancer:
    """Pushes to the side that the pole leans to; `right` of its answers are right."""

    kind, cacheable = JudgeKind.LANGUAGE_MODEL, True

    def __init__(self, right: bool = True) -> None:
        self.right, self.id, self.asked = right, f"balancer:{right}", 0

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        self.asked += len(prompts)
        good = [("leans right" in p.user) is ("push right" in p.user) for p in prompts]
        return [Judgment(Verdict.GOOD if g is self.right else Verdict.BAD) for g in good]


def observation(lean: float) -> Any:
    return np.array([0.0, 0.0, lean, 0.0], np.float32)


def probes(count: int = 200) -> list[tuple[Any, int, str]]:
    leans = np.random.default_rng(0).uniform(-1, 1, count)
    return [(observation(x), a, "good" if bool(x > 0) is bool(a) else "bad") for x in leans for a in (0, 1)]


def described_apart(observation: Any, action: Any) -> tuple[str, str]:
    words = describe(observation, action)
    return f"{words[0]} by {observation[2]:.4f}", words[1]


def test_an_unaudited_judge_shifts_and_says_that_it_is_not_audited(tmp_path: Path) -> None:
    said: list[str] = []
    env = guide(
        gym.make("CartPole-v1"), describe, QUESTION, Balancer(), scale=0.5, cache=tmp_path / "kept", say=said.append
    )
    assert isinstance(env, RewardShift) and "NOT audited" in said[0] and "right or wrong" in said[0]
    env.reset(seed=0)
    _, reward, *_, info = env.step(1)
    assert abs(info["shift"]) == 0.5 and reward == 1.0 + info["shift"] and info["reward"] == 1.0
    assert (tmp_path / "kept").exists()


@pytest.mark.parametrize(("right", "silent"), [(True, False), (False, True)])
def test_probes_gate_a_judge_that_is_wrong_and_let_one_speak_that_is_right(right: bool, silent: bool) -> None:
    said: list[str] = []
    judge = Balancer(right)
    env = guide(gym.make("CartPole-v1"), described_apart, QUESTION, judge, probes=probes(), cache=None, say=said.append)
    assert env.guidance.audit["silent"] is silent and ("SILENT" in said[0]) is silent
    env.reset(seed=0)
    asked = judge.asked
    shift = env.step(1)[-1]["shift"]
    assert (shift == 0) is silent and (judge.asked == asked) is silent


@pytest.mark.parametrize(("states", "enough"), [(8, False), (9, True)])  # .75 ** 8 > .1 > .75 ** 9
def test_too_few_different_states_are_not_the_judge_s_fault(states: int, enough: bool) -> None:
    said: list[str] = []
    known = probes(states) * 3  # asked three times, and still no more states
    guide(gym.make("CartPole-v1"), described_apart, QUESTION, Balancer(), probes=known, cache=None, say=said.append)
    assert said[0].startswith("judge balancer:True [language model] ")
    assert ("SILENT" in said[0]) is not enough
    assert (f"right on 100 % of {6 * states} probes in {states} groups" in said[0]) is not enough
    assert ("even a judge without errors needs 9" in said[0]) is not enough


def test_a_baseline_is_said_to_be_never_gated() -> None:
    class Coin(Balancer):
        kind = JudgeKind.BASELINE

    said: list[str] = []
    guide(gym.make("CartPole-v1"), described_apart, QUESTION, Coin(), probes=probes(), cache=None, say=said.append)
    assert "NOT gated (baselines never are)" in said[0]


class Doors(gym.Env[Any, Any]):
    """One decision in one of 40 rooms: the left door pays in even rooms, the right one in odd rooms."""

    observation_space, action_space = gym.spaces.Discrete(40), gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.room = int(self.np_random.integers(40))
        return self.room, {}

    def step(self, action: Any) -> Any:
        return self.room, float(self.room % 2 == action) + float(self.np_random.normal(0, 0.1)), True, False, {}


class Porter:
    """Says good of the door that pays, or of the other one."""

    kind, cacheable = JudgeKind.LANGUAGE_MODEL, True

    def __init__(self, right: bool) -> None:
        self.right, self.id = right, f"porter:{right}"

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        pays = [int(p.user.split()[1]) % 2 == int(p.user.split()[3]) for p in prompts]
        return [Judgment(Verdict.GOOD if paid is self.right else Verdict.BAD) for paid in pays]


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_a_judge_is_audited_on_what_happens_where_nobody_knows_the_answers(right: bool) -> None:
    said: list[str] = []
    env = guide(
        Doors(),
        lambda room, action: (f"room {room}", f"door {action}"),
        "{state} {action}",
        Porter(right),
        probes="rollouts",
        policies=(lambda room: room % 2,),
        cache=None,
        say=said.append,
    )
    assert said[0].startswith("80 decisions in 40 states are labelled by what happened")
    assert env.guidance.audit["silent"] is not right  # type: ignore[union-attr]


@pytest.mark.parametrize("policies", [(), (min, min, min)], ids=["none", "three"])
def test_rollouts_need_one_policy_or_two(policies: Any) -> None:
    with pytest.raises(UserError, match="policies="):
        guide(Doors(), describe, QUESTION, Porter(True), probes="rollouts", policies=policies, cache=None)


def test_it_serves_vectors_and_judging_in_the_background() -> None:
    def shifts(background: bool) -> Any:
        envs = guide(
            gym.make_vec("CartPole-v1", num_envs=3),
            describe,
            QUESTION,
            Balancer(),
            cache=None,
            background=background,
            say=lambda line: None,
        )
        assert isinstance(envs, VectorRewardShift)
        envs.reset(seed=0)
        found = [envs.step(np.array([0, 1, 1]))[1].tolist() for _ in range(30)]
        envs.source.close()
        return found

    assert shifts(False) == shifts(True)


def test_what_describes_nothing_is_not_judged() -> None:
    judge = Balancer()
    env = guide(gym.make("CartPole-v1"), lambda o, a: None, QUESTION, judge, cache=None, say=lambda line: None)
    env.reset(seed=0)
    assert env.step(1)[1] == 1.0 and judge.asked == 0


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"question": "Good or bad?"}, "question: its text lacks {state} and {action}"),
        ({"question": Path("nowhere.txt")}, "no such prompt template"),
        ({"judge": "gpt"}, "--judge gpt: no such judge"),
        ({"judge": "smolm2"}, r"no such judge \(did you mean smollm2\?\)"),
        ({"probes": [*probes(2), (observation(1.0), 0, "god")]}, r"probes\[4\]: 'god' is no answer"),
        ({"judge": "none"}, "shifts nothing"),
        ({"rule": "louder"}, "--rule louder: no such shift rule"),
        ({"probes": [(observation(1), 1, "great")]}, "'great' is no answer"),
        ({"probes": "rollout"}, "probes='rollout': give triples"),
        ({"policies": (lambda observation: 0,)}, 'policies: .* with probes="rollouts" only'),
        ({"probes": [(observation(1), 1, "good")] * 3, "min_precision": 2.0}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_used_is_one_line(change: dict[str, Any], complaint: str) -> None:
    given: dict[str, Any] = {"question": QUESTION, "judge": Balancer(), **change}
    with pytest.raises(UserError, match=complaint):
        guide(gym.make("CartPole-v1"), describe, cache=None, say=lambda line: None, **given)
