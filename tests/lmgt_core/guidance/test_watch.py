"""A watched judge: what is checked, who falls silent and comes back, and that nothing depends on batches or threads."""

from typing import Any

import gymnasium as gym
import pytest

from lmgt_core import guide
from lmgt_core.errors import UserError
from lmgt_core.guidance.background import BackgroundShifts
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.guidance.watch import Watch
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.rules.shift import Raw
from lmgt_core.testing.turning import TurningJudge

TEMPLATE = PromptTemplate("Judge.", "{state} {action}")
DEMANDS = {Verdict.GOOD: 0.75, Verdict.BAD: 0.75}


class ParityJudge:
    """Calls even numbers good and odd ones bad, which is the truth."""

    id, kind, cacheable = "parity", JudgeKind.ORACLE, False

    def judge(self, prompts: Any) -> list[Judgment]:
        return [Judgment(parity(prompt)) for prompt in prompts]


def parity(prompt: Prompt) -> Verdict:
    return Verdict.BAD if int(prompt.user.split()[0]) % 2 else Verdict.GOOD


def truth(observation: int, action: int, outcome: Any, prompt: Prompt) -> Verdict:
    return Verdict.BAD if observation % 2 else Verdict.GOOD


def shifter(turns: tuple[int, ...] = (), share: float = 1.0, lines: list[str] | None = None) -> RewardShifter:
    """A watched source; its judge's answers turn to the opposite, and back, after so many questions."""
    watch = Watch(share, DEMANDS, truth, seed=0, say=[].append if lines is None else lines.append)
    judge = TurningJudge(ParityJudge(), *turns)
    return RewardShifter(lambda o, a: Description(str(o), str(a)), TEMPLATE, judge, Raw(), watch=watch)


def shifts(source: Any, batches: list[list[int]]) -> list[float]:
    return [float(s) for batch in batches for s in source.resolve(source.submit(batch, [0] * len(batch)))]


def play(source: Any, decisions: range) -> list[float]:
    return shifts(source, [[number] for number in decisions])


def test_a_judge_that_holds_its_demand_is_heard_as_if_nobody_watched() -> None:
    source = shifter()
    assert play(source, range(300)) == [1.0, -1.0] * 150
    assert source.watched is not None and source.watched["verdicts"]["good"]["right"] == 150


def test_a_judge_that_turns_bad_half_way_is_silenced_within_forty_decisions() -> None:
    lines: list[str] = []
    source = shifter((200,), lines=lines)
    given = play(source, range(400))
    assert given[240:] == [0.0] * 160 and source.stats.abstained >= 160
    assert [line.split(":")[0] for line in lines] == [f"seed 0, decision {n}" for n in _turns(source)]
    assert "falls silent" in lines[0] and ".75 is demanded" in lines[0]


def test_a_verdict_comes_back_when_it_holds_its_demand_again() -> None:
    source = shifter((200, 400))
    given = play(source, range(700))
    assert given[260:400] == [0.0] * 140
    assert given[600:] == [1.0, -1.0] * 50


def test_a_tenth_of_the_decisions_is_checked_where_that_is_asked() -> None:
    source = shifter(share=0.1)
    play(source, range(2000))
    assert source.watched is not None
    assert 160 < sum(verdict["checked"] for verdict in source.watched["verdicts"].values()) < 240


def test_nothing_depends_on_the_batches_in_which_decisions_come() -> None:
    one_by_one, together = shifter((100,)), shifter((100,))
    batches = [list(range(start, start + 8)) for start in range(0, 400, 8)]
    assert play(one_by_one, range(400)) == shifts(together, batches)
    assert one_by_one.watched == together.watched


def test_judging_in_the_background_finds_the_same() -> None:
    in_step, background = shifter((100,)), BackgroundShifts(lambda: shifter((100,)))
    tickets = [background.submit([n], [0]) for n in range(400)]
    assert play(in_step, range(400)) == [float(background.resolve(t)[0]) for t in tickets]
    assert in_step.watched == background.watched
    background.close()


def test_a_watch_taken_up_from_a_checkpoint_is_that_of_an_unbroken_run() -> None:
    unbroken, broken, resumed = (shifter((100,)) for _ in range(3))
    expected = play(unbroken, range(400))
    play(broken, range(110))
    resumed.judge.judge([Prompt("", str(n)) for n in range(110)])  # the double counts its own questions
    resumed.load_state_dict(broken.state_dict())
    assert play(resumed, range(110, 400)) == expected[110:]
    assert resumed.watched == unbroken.watched


def test_actions_that_were_not_taken_are_not_checked_and_silent_verdicts_are_silent_there_too() -> None:
    source = shifter((0,))
    play(source, range(100))
    checked = _checked(source)
    assert source([2, 3], [0, 0]).delta.tolist() == [0.0, 0.0]
    assert _checked(source) == checked


def test_decisions_whose_truth_is_not_known_are_not_checked() -> None:
    watch = Watch(1.0, DEMANDS, lambda *told: None, seed=0)
    source = RewardShifter(lambda o, a: Description(str(o), str(a)), TEMPLATE, ParityJudge(), Raw(), watch=watch)
    play(source, range(100))
    assert source.watched is not None and source.watched["verdicts"] == {}


class Line(gym.Env[Any, Any]):
    """Counts up; the action changes nothing."""

    observation_space, action_space = gym.spaces.Discrete(1000), gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        self.at = 0
        return 0, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.at += 1
        return self.at, 1.0, False, False, {}


def guided(**settings: Any) -> Any:
    def describe(observation: int, action: int) -> tuple[str, str]:
        return str(observation), str(action)

    judge = TurningJudge(ParityJudge(), 0)
    return guide(Line(), describe, "{state} {action}", judge, cache=None, **{"say": lambda line: None, **settings})


def test_a_user_s_function_tells_the_truth(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    env = guided(watch=0.5, truth=lambda o, a: "bad" if o % 2 else "good", say=said.append)
    env.reset()
    last = [env.step(0)[1] for _ in range(200)][-50:]
    assert last == [1.0] * 50  # nothing is added: the judge, which is always wrong, is silent
    assert "watched against the true labels of 50% of decisions: privileged" in said[0]
    assert any("falls silent" in line for line in said) and capsys.readouterr().out == ""
    assert env.source.watched["privileged"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"watch": 0.1}, "no expert"),
        ({"watch": 1.5, "truth": lambda o, a: None}, "from 0 to 1"),
        ({"watch": float("nan"), "truth": lambda o, a: None}, "from 0 to 1"),
        ({"truth": lambda o, a: None}, "watch=0.1"),
    ],
)
def test_what_cannot_be_watched_is_told_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        guided(**settings)
    assert "\n" not in str(caught.value)


def test_a_truth_that_is_none_of_the_answers_is_told() -> None:
    env = guided(watch=1.0, truth=lambda o, a: "excellent")
    env.reset()
    with pytest.raises(UserError, match="'excellent' is no answer"):
        env.step(0)


def _checked(source: RewardShifter) -> int:
    assert source.watched is not None
    return sum(verdict["checked"] for verdict in source.watched["verdicts"].values())


def _turns(source: RewardShifter) -> list[int]:
    assert source.watched is not None
    verdicts = source.watched["verdicts"].values()
    return sorted(turn["decision"] for verdict in verdicts for turn in verdict["turns"])
