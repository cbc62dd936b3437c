"""The judges that are not models: neutral, random, oracle, noisy-oracle, scripted."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lmgt_core.errors import UserError
from lmgt_core.judges.neutral import NeutralJudge
from lmgt_core.judges.oracle import NoisyOracleJudge, OracleJudge
from lmgt_core.judges.random import RandomJudge
from lmgt_core.judges.scripted import ScriptedJudge, load_replies
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.testing.judge import JudgeContract

GOOD, NEUTRAL, BAD = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD


def expert(prompt: Prompt) -> Verdict:
    """Knows mugs, towels and toasters in kitchens and bathrooms; LookupError for anything else."""
    belongs = {"mug": "kitchen", "towel": "bathroom", "toaster": "kitchen"}
    return GOOD if belongs[prompt.facts["object"]] == prompt.facts["room"] else BAD


def questions(n: int) -> list[Prompt]:
    return [Prompt("", f"question {i}") for i in range(n)]


class TestNeutral(JudgeContract):
    def make_judge(self) -> Judge:
        return NeutralJudge()

    def test_it_is_sure_of_being_neutral(self) -> None:
        (judgment,) = NeutralJudge().judge(questions(1))
        assert judgment.probabilities == (0.0, 1.0, 0.0)
        assert judgment.label == judgment.expected_label == 0.0


class TestRandom(JudgeContract):
    def make_judge(self) -> Judge:
        return RandomJudge(seed=3)

    def test_each_verdict_comes_up_a_third_of_the_time(self) -> None:
        counts = Counter(j.verdict for j in RandomJudge(0).judge(questions(3000)))
        assert all(900 < counts[v] < 1100 for v in (GOOD, NEUTRAL, BAD))  # 1000 +- 4 standard deviations of 26

    def test_another_seed_gives_other_answers_and_another_id(self) -> None:
        one, other = RandomJudge(0), RandomJudge(1)
        assert one.judge(questions(50)) != other.judge(questions(50))
        assert one.id != other.id


class TestOracle(JudgeContract):
    def make_judge(self) -> Judge:
        return OracleJudge(expert, "home", "table-1")

    def test_it_says_what_the_expert_says(self) -> None:
        verdicts = [j.verdict for j in self.make_judge().judge(self.prompts())]
        assert verdicts == [GOOD, BAD, BAD, GOOD, GOOD, BAD]  # mug, towel, toaster x kitchen, bathroom

    def test_its_id_names_domain_and_truth(self) -> None:
        assert "home" in self.make_judge().id and "table-1" in self.make_judge().id

    def test_what_the_expert_does_not_know_is_unreadable_and_named(self) -> None:
        (judgment,) = self.make_judge().judge([Prompt("", "", facts={"object": "spear", "room": "kitchen"})])
        assert judgment.verdict is Verdict.UNREADABLE
        assert "spear" in judgment.reason

    def test_a_mistake_in_the_expert_is_not_hidden(self) -> None:
        def broken(prompt: Prompt) -> Verdict:
            raise TypeError("a bug")

        with pytest.raises(TypeError, match="a bug"):
            OracleJudge(broken, "home", "").judge(questions(1))

    def test_it_is_labelled_as_privileged(self) -> None:
        assert self.make_judge().kind is JudgeKind.ORACLE


class TestNoisyOracle(JudgeContract):
    def make_judge(self) -> Judge:
        return NoisyOracleJudge(expert, 0.8, "home", "table-1", seed=0)

    def noisy(self, truth: Verdict, accuracy: float, seed: int = 0, n: int = 4000) -> list[Verdict]:
        judge = NoisyOracleJudge(lambda prompt: truth, accuracy, "home", "", seed)
        return [j.verdict for j in judge.judge(questions(n))]

    @pytest.mark.parametrize("truth", [GOOD, NEUTRAL, BAD])
    @pytest.mark.parametrize("accuracy", [0.65, 0.8])
    def test_it_is_right_as_often_as_it_says(self, truth: Verdict, accuracy: float) -> None:
        share = self.noisy(truth, accuracy).count(truth) / 4000
        assert abs(share - accuracy) < 0.03  # 4 standard deviations of .0075

    def test_at_1_it_is_the_oracle_and_at_0_always_wrong(self) -> None:
        assert set(self.noisy(GOOD, 1.0)) == {GOOD}
        assert set(self.noisy(GOOD, 0.0)) == {BAD}
        assert set(self.noisy(NEUTRAL, 0.0)) == {GOOD, BAD}

    def test_a_wrong_answer_to_a_good_action_is_bad_and_never_neutral(self) -> None:
        assert set(self.noisy(GOOD, 0.5)) == {GOOD, BAD}
        assert set(self.noisy(BAD, 0.5)) == {GOOD, BAD}

    def test_a_wrong_answer_to_a_neutral_action_is_good_or_bad_by_halves(self) -> None:
        verdicts = Counter(self.noisy(NEUTRAL, 0.0))
        assert abs(verdicts[GOOD] - verdicts[BAD]) < 260  # 4 standard deviations of 63

    def test_a_more_accurate_judge_is_right_wherever_a_less_accurate_one_is(self) -> None:
        low, high = self.noisy(GOOD, 0.6), self.noisy(GOOD, 0.9)
        assert all(better is GOOD for better, worse in zip(high, low, strict=True) if worse is GOOD)

    def test_another_seed_errs_elsewhere(self) -> None:
        assert self.noisy(GOOD, 0.8, seed=0, n=200) != self.noisy(GOOD, 0.8, seed=1, n=200)

    def test_its_confidence_is_its_accuracy(self) -> None:
        assert {j.confidence for j in self.make_judge().judge(self.prompts())} == {0.8}

    def test_a_judge_that_is_mostly_wrong_is_sure_of_what_it_says(self) -> None:
        said = NoisyOracleJudge(lambda prompt: GOOD, 0.1, "home", "", 0).judge(questions(50))
        assert {j.verdict for j in said} == {GOOD, BAD} and {j.confidence for j in said} == {0.9}

    def test_judges_of_different_accuracy_or_seed_have_different_ids(self) -> None:
        judges = [NoisyOracleJudge(expert, a, "home", t, s) for a in (0.8, 0.65) for s in (0, 1) for t in ("x", "y")]
        assert len({j.id for j in judges}) == 8


class TestScripted(JudgeContract):
    def make_judge(self) -> Judge:
        return ScriptedJudge(
            {
                p.digest: f"Because.\nVerdict: {v}"
                for p, v in zip(self.prompts(), ["+1", "0", "-1", "good", "neutral", "bad"], strict=True)
            }
        )

    def test_replies_are_found_by_digest(self) -> None:
        verdicts = [j.verdict for j in self.make_judge().judge(self.prompts())]
        assert verdicts == [GOOD, NEUTRAL, BAD, GOOD, NEUTRAL, BAD]

    def test_a_prompt_without_a_recorded_reply_is_unreadable(self) -> None:
        (judgment,) = self.make_judge().judge([Prompt("", "never recorded")])
        assert judgment.verdict is Verdict.UNREADABLE and "no reply is recorded" in judgment.reason


def said(judge: Judge, prompts: Sequence[Prompt]) -> list[Verdict]:
    return [j.verdict for j in judge.judge(prompts)]


def test_a_list_of_replies_is_used_up_in_order_and_then_unreadable() -> None:
    judge = ScriptedJudge(["good", "Verdict: maybe"])
    assert said(judge, questions(1)) == [GOOD]
    assert said(judge, questions(2)) == [Verdict.UNREADABLE, Verdict.UNREADABLE]
    assert "used up" in judge.judge(questions(1))[0].reason


def test_a_scripted_judgment_keeps_its_transcript() -> None:
    (judgment,) = ScriptedJudge(["I think it is **bad**."]).judge(questions(1))
    assert judgment.reply == "I think it is **bad**." and judgment.verdict is BAD


def test_replies_are_read_from_a_list_or_an_object(tmp_path: Path) -> None:
    for content in (["good", "bad"], {"a" * 64: "good"}):
        (tmp_path / "replies.json").write_text(json.dumps(content))
        assert load_replies(tmp_path / "replies.json") == content


@pytest.mark.parametrize("content", ["{", '"good"', "[1, 2]", '{"a": null}', "3", ""])
def test_a_file_that_holds_no_replies_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "replies.json").write_text(content)
    with pytest.raises(UserError, match=r"--judge scripted:.*replies\.json: "):
        load_replies(tmp_path / "replies.json")


def test_a_binary_or_missing_file_of_replies_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(bytes(range(128, 256)))
    for name in ("b.json", "missing.json"):
        with pytest.raises(UserError, match=name):
            load_replies(tmp_path / name)


def test_content_draws_do_not_depend_on_numpy_s_global_state() -> None:
    first = RandomJudge(0).judge(questions(20))
    np.random.default_rng(5).random(3)
    assert RandomJudge(0).judge(questions(20)) == first
