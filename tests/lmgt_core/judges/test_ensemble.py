"""Several judges as one."""

from collections.abc import Sequence

import pytest

from lmgt_core.errors import UserError
from lmgt_core.judges.ensemble import EnsembleJudge, Vote
from lmgt_core.judges.oracle import OracleJudge
from lmgt_core.judges.scripted import ScriptedJudge
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.testing.judge import JudgeContract

G, N, B, U = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD, Verdict.UNREADABLE
PROMPT = Prompt("", "a question")


class Says:
    """A judge that always gives one judgment."""

    kind = JudgeKind.LANGUAGE_MODEL
    cacheable = True

    def __init__(self, verdict: Verdict, *probabilities: float, abstained: bool = False) -> None:
        p = (probabilities[0], probabilities[1], probabilities[2]) if probabilities else None
        reason = "it cannot" if verdict is U else ""
        self.judgment = Judgment(verdict, p, reason=reason, abstained=abstained, cost=Cost(1.0, 10, 1, 0.01))
        self.id = f"says:{verdict.value}"

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        return [self.judgment] * len(prompts)


def together(vote: Vote, *members: Judge) -> Judgment:
    return EnsembleJudge(members, vote).judge([PROMPT])[0]


class TestMajority(JudgeContract):
    def make_judge(self) -> Judge:
        return EnsembleJudge([Says(G, 0.8, 0.1, 0.1), Says(G), Says(B)])


class TestMean(JudgeContract):
    def make_judge(self) -> Judge:
        return EnsembleJudge([Says(G, 0.8, 0.1, 0.1), Says(N, 0.3, 0.4, 0.3)], "mean")


def test_more_than_half_of_all_members_decide() -> None:
    answer = together("majority", Says(G), Says(G), Says(B))
    assert (answer.verdict, answer.abstained, answer.reason) == (G, False, "")


def test_a_tie_is_abstained_from_and_says_who_said_what() -> None:
    answer = together("majority", Says(G), Says(B))
    assert answer.abstained and answer.label == 0 and answer.reason == "of 2 members: 1 good, 1 bad"


def test_silent_members_count_against_a_majority() -> None:
    assert together("majority", Says(G), Says(U), Says(B, abstained=True)).abstained
    assert not together("majority", Says(G), Says(G), Says(U)).abstained


def test_the_mean_of_probabilities_decides() -> None:
    answer = together("mean", Says(G, 0.6, 0.4, 0.0), Says(N, 0.1, 0.9, 0.0))
    assert answer.verdict is N and answer.probabilities == pytest.approx((0.35, 0.65, 0.0))


def test_members_that_contradict_each_other_have_no_mean() -> None:
    answer = together("mean", Says(G, 0.9, 0.1, 0.0), Says(B, 0.2, 0.2, 0.6))
    assert answer.abstained and answer.reason == "of 2 members: 1 good, 1 bad"


def test_a_member_without_probabilities_is_sure() -> None:
    assert together("mean", Says(G), Says(G, 0.6, 0.2, 0.2)).probabilities == pytest.approx((0.8, 0.1, 0.1))


def test_nothing_readable_is_unreadable_with_every_reason() -> None:
    answer = together("majority", Says(U), Says(U))
    assert answer.verdict is U and answer.reason == "no member's answer is readable: it cannot"


def test_if_all_abstain_so_does_it() -> None:
    answer = together("mean", Says(G, abstained=True), Says(U))
    assert answer.abstained and answer.reason == "of 2 members: nothing"


def test_it_costs_what_its_members_cost() -> None:
    assert together("mean", Says(G), Says(G)).cost == Cost(2.0, 20, 2, 0.02)


def test_an_ensemble_with_an_oracle_is_shown_as_one() -> None:
    oracle = OracleJudge(lambda prompt: G, "home", "truth")
    assert EnsembleJudge([Says(G), oracle]).kind is JudgeKind.ORACLE
    assert EnsembleJudge([ScriptedJudge([]), Says(G)]).kind is JudgeKind.LANGUAGE_MODEL


def test_its_id_names_vote_and_members_in_any_order() -> None:
    assert EnsembleJudge([Says(G), Says(B)]).id == EnsembleJudge([Says(B), Says(G)]).id
    assert EnsembleJudge([Says(G), Says(B)]).id != EnsembleJudge([Says(G), Says(B)], "mean").id


@pytest.mark.parametrize("spec", ["ensemble:neutral,random", "ensemble:neutral+random", "ensemble: neutral , random"])
def test_members_are_parted_by_commas_or_plus_signs(spec: str) -> None:
    judge = make_judge(spec, JudgeContext("home", seed=3))
    assert isinstance(judge, EnsembleJudge)
    assert [m.id for m in judge.members] == ["neutral", "random:seed=3"] and judge.vote == "majority"


def test_members_keep_their_options_and_the_vote_comes_last() -> None:
    made: list[str] = []

    def other(argument: str) -> Judge:
        made.append(argument)
        return Says(G)

    context = JudgeContext("home", make={"other": other})
    judge = make_judge("ensemble:other:x,neutral?vote=mean", context)
    assert isinstance(judge, EnsembleJudge) and judge.vote == "mean" and made == ["x"]
    with pytest.raises(UserError, match="mode=fast is none of"):
        make_judge("ensemble:neutral,smollm2?mode=fast&vote=mean", context)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("ensemble", "two judges or more"),
        ("ensemble:neutral", "two judges or more"),
        ("ensemble:neutral,none", "none is no judge to ask"),
        ("ensemble:neutral,nobody", "no such judge"),
        ("ensemble:neutral,random?vote=loudest", "vote=loudest is none of"),
    ],
)
def test_a_wrong_name_is_a_users_mistake(spec: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make_judge(spec, JudgeContext("home"))
