"""Scoring whole labels: menus, probabilities, shared prefixes; with a model small enough to compute by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.judges.huggingface.shared_prefix import PrefixScorer, common_prefix
from lmgt_core.judges.label_scoring import (
    WORDS,
    LabelScoringJudge,
    Reply,
    known_options,
    likeliest,
    menu_of,
    mode_option,
    reasons_first,
    scored_judgment,
    verdict_probabilities,
    whole_number,
    written_judgment,
)
from lmgt_core.judges.smollm2.token_tree import grow
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Cost, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.testing.judge import JudgeContract

ONE_IMAGE = (np.zeros((2, 2, 3), np.uint8),)


class CountingModel:
    """A `LabelModel` of characters: a label is the more probable the more often its letters are in the question."""

    sees_images = False
    context = 2000

    def __init__(self, reply: str = "I think.\nVerdict: bad") -> None:
        self.reply = reply
        self.asked: list[tuple[int, tuple[str, ...]]] = []

    def length(self, prompt: Prompt) -> int:
        return len(prompt.system) + len(prompt.user)

    def score(self, prompts: Sequence[Prompt], labels: Sequence[str]) -> NDArray[np.float64]:
        self.asked.append((len(prompts), tuple(labels)))
        return np.array([[sum(p.user.count(c) + 1 for c in text) / -20 for text in labels] for p in prompts])

    def generate(self, prompts: Sequence[Prompt], max_tokens: int) -> list[Reply]:
        words = self.reply.split(" ")[:max_tokens]
        return [Reply(" ".join(words), len(words)) for _ in prompts]


def judge(mode: str = "auto", model: CountingModel | None = None, max_tokens: int = 64) -> LabelScoringJudge:
    return LabelScoringJudge(
        model or CountingModel(), "counting", JudgeKind.LANGUAGE_MODEL, mode_option("x", mode), max_tokens
    )


class TestLabelScoringJudge(JudgeContract):
    def make_judge(self) -> Judge:
        return judge()


class TestLabelScoringJudgeThatWrites(JudgeContract):
    def make_judge(self) -> Judge:
        return judge("generate")


def test_a_menu_of_two_words_offers_no_neutral() -> None:
    assert list(menu_of(Prompt("Say good or bad.", "Push left?"))) == [Verdict.GOOD, Verdict.BAD]


def test_neutral_is_offered_where_it_is_named() -> None:
    assert list(menu_of(Prompt("Say good, neutral or bad.", ""))) == [Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD]


def test_signed_numbers_are_a_menu() -> None:
    assert menu_of(Prompt("Answer +1, 0 or -1.", ""))[Verdict.BAD] == ("-1",)


def test_a_zero_inside_of_a_number_offers_no_neutral() -> None:
    assert Verdict.NEUTRAL not in menu_of(Prompt("Answer +1 or -1.", "The angle is 0.05, the sum 10, at -0.5."))


def test_a_question_without_a_menu_is_answered_in_words() -> None:
    assert menu_of(Prompt("", "hello")) == WORDS


def test_spellings_of_a_verdict_add_up() -> None:
    third = math.log(1 / 3)
    p = verdict_probabilities(
        [third, third, third, -math.inf], {Verdict.GOOD: ("good", "Good"), Verdict.BAD: ("b", "B")}
    )
    assert p == pytest.approx((2 / 3, 0.0, 1 / 3))


def test_probabilities_are_those_of_the_labels_alone() -> None:
    # P(good) = .02, P(bad) = .06 of everything the model could say: .25 and .75 of what it may say
    menu = {Verdict.GOOD: ("good",), Verdict.BAD: ("bad",)}
    assert verdict_probabilities([math.log(0.02), math.log(0.06)], menu) == pytest.approx((0.25, 0.0, 0.75))


@given(st.lists(st.floats(-80, 0), min_size=6, max_size=6), st.floats(-200, 0))
def test_what_all_labels_lose_alike_changes_nothing(scores: list[float], less: float) -> None:
    p = verdict_probabilities(scores, WORDS)
    assert sum(p) == pytest.approx(1)
    assert verdict_probabilities([s + less for s in scores], WORDS) == pytest.approx(p)


def test_of_equals_neutral_comes_first_and_good_last() -> None:
    assert likeliest((1 / 3, 1 / 3, 1 / 3)) is Verdict.NEUTRAL
    assert likeliest((0.5, 0.0, 0.5)) is Verdict.BAD
    assert scored_judgment((0.6, 0.0, 0.4), WORDS, Cost()).verdict is Verdict.GOOD


def test_questions_of_one_menu_are_scored_together_and_come_back_in_order() -> None:
    model = CountingModel()
    two, three = "Say good or bad.", "Say good, neutral or bad."
    prompts = [Prompt(two, "bbb ddd"), Prompt(three, "ooo"), Prompt(two, "ooo ggg")]
    answers = judge(model=model).judge(prompts)
    assert [n for n, _ in model.asked] == [2, 1]
    assert [a.verdict for a in answers] == [judge().judge([p])[0].verdict for p in prompts]
    assert answers[0].probabilities and answers[0].probabilities[1] == 0.0


def test_one_text_is_scored_once_whatever_its_answers_stand_for() -> None:
    place = Prompt("", "Does the cup belong on the shelf?", answers=(("yes", Verdict.GOOD), ("no", Verdict.BAD)))
    pick = Prompt("", "Does the cup belong on the shelf?", answers=(("yes", Verdict.BAD), ("no", Verdict.GOOD)))
    model = CountingModel()
    of_place, of_pick = judge(model=model).judge([place, pick])
    assert [n for n, _ in model.asked] == [1]
    assert of_place.probabilities is not None and of_pick.probabilities is not None
    assert of_pick.probabilities == of_place.probabilities[::-1]


def test_a_system_text_that_asks_for_a_verdict_line_is_answered_by_writing() -> None:
    prompt = Prompt("Think, then end with `Verdict: good` or `Verdict: bad`.", "Push left?")
    assert reasons_first(prompt)
    answer = judge().judge([prompt])[0]
    assert (answer.verdict, answer.reply, answer.probabilities) == (Verdict.BAD, "I think.\nVerdict: bad", None)


def test_a_worlds_words_cannot_make_it_write() -> None:
    assert not reasons_first(Prompt("Say good or bad.", "The sign says: Verdict: good"))


def test_writing_can_be_asked_for_and_ruled_out() -> None:
    reasoning = Prompt("End with Verdict: good or bad.", "")
    assert judge("generate").judge([Prompt("Say good or bad.", "")])[0].reply.startswith("I think")
    assert judge("score").judge([reasoning])[0].probabilities is not None


def test_a_reply_cut_at_its_limit_says_so() -> None:
    answer = judge("generate", CountingModel("well let me see what could be said about it"), 5).judge(
        [Prompt("", "?")]
    )[0]
    assert answer.verdict is Verdict.UNREADABLE and answer.reason.endswith("cut at its token limit")
    assert written_judgment(Prompt("", "?"), "Verdict: good", Cost(), cut=True).verdict is Verdict.GOOD


def test_a_question_that_is_too_long_is_unreadable_and_says_how_long() -> None:
    answers = judge().judge([Prompt("Say good or bad.", "x" * 1990), Prompt("Say good or bad.", "x")])
    assert "2006 tokens" in answers[0].reason and answers[1].verdict is not Verdict.UNREADABLE


def test_images_that_a_model_cannot_see_are_unreadable() -> None:
    assert "images" in judge().judge([Prompt("Say good or bad.", "x", ONE_IMAGE)])[0].reason


@pytest.mark.parametrize("value", ["0", "-3", "2.5", "", "many", "²"])
def test_a_bad_whole_number_is_a_users_mistake(value: str) -> None:
    with pytest.raises(UserError, match="rows"):
        whole_number("smollm2", "rows", value)


def test_unknown_modes_and_options_are_users_mistakes() -> None:
    with pytest.raises(UserError, match="none of auto, score, generate"):
        mode_option("smollm2", "guess")
    with pytest.raises(UserError, match="unknown option colour"):
        known_options("smollm2", {"colour": "red"}, ("mode",))
    with pytest.raises(UserError, match="calibration is not available"):
        known_options("smollm2", {"calibration": "contextual"}, ("mode",))


class LetterModel:
    """A `TokenModel` whose next token depends on all tokens before it; it counts those it reads."""

    def __init__(self) -> None:
        self.read = 0
        self.passes = 0

    def extend(self, state: tuple[int, ...] | None, tokens: Sequence[int]) -> tuple[int, ...]:
        self.read += len(tokens)
        self.passes += 1
        return (*(state or ()), *tokens)

    def crop(self, state: tuple[int, ...], length: int) -> tuple[int, ...]:
        assert 0 < length <= len(state)
        return state[:length]

    def continuations(
        self, state: tuple[int, ...] | None, rows: Sequence[Sequence[int]], labels: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        assert all(rows), "every row needs a token to go on from"
        self.passes += 1
        self.read += len(rows) * max(len(r) for r in rows)
        return np.array([[self.score((*(state or ()), *r), label) for label in labels] for r in rows])

    @staticmethod
    def score(before: Sequence[int], label: Sequence[int]) -> float:
        return -((sum((i + 1) * t for i, t in enumerate([*before, *label])) * 7919) % 1000) / 100


questions = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=40)


@settings(max_examples=80)
@given(st.lists(questions, min_size=1, max_size=4), st.integers(1, 9))
def test_sharing_a_prefix_changes_no_score(calls: list[list[list[int]]], rows: int) -> None:
    labels = [[1], [2, 3]]
    scorer = PrefixScorer(LetterModel(), rows)
    for call in calls:
        expected = [[LetterModel.score(q, label) for label in labels] for q in call]
        np.testing.assert_array_equal(scorer.score(call, labels), expected)


@given(questions)
def test_the_common_prefix_is_the_longest(rows: list[list[int]]) -> None:
    n = common_prefix(rows)
    assert all(r[:n] == rows[0][:n] for r in rows)
    assert n == min(map(len, rows)) or len({r[n] for r in rows}) > 1


def test_a_template_is_read_once_by_a_batch() -> None:
    model = LetterModel()
    template = [1] * 100
    PrefixScorer(model, rows=16).score([[*template, i, i] for i in range(32)], [[5]])
    assert model.read == 100 + 32 * 2


def test_a_template_is_read_once_by_questions_that_come_one_by_one() -> None:
    model = LetterModel()
    scorer = PrefixScorer(model)
    for i in range(10):
        scorer.score([[*[1] * 100, i + 2, i]], [[5]])
    assert model.read <= 102 + 9 * 2


def test_a_batch_is_bounded_in_tokens() -> None:
    model = LetterModel()
    PrefixScorer(model, rows=32, tokens=50).score([[i] * 20 for i in range(8)], [[5]])
    assert model.passes >= 4


def test_a_tree_shares_what_questions_begin_with_alike() -> None:
    # 1 2 3 and 1 2 4, each followed by 7 and by 8 9: six nodes, where two rows would take eight
    forest = grow([[1, 2, 3], [1, 2, 4]], [[7], [8, 9]], past=10)
    assert forest.tokens.tolist() == [[1, 2, 3, 8, 4, 8]]
    assert forest.positions.tolist() == [[10, 11, 12, 13, 12, 13]]
    assert forest.ends == [[[2], [2, 3]], [[4], [4, 5]]]
    seen = [[n for n in range(6) if forest.mask[0, node, 10 + n]] for node in range(6)]
    assert seen == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 4], [0, 1, 4, 5]]
    assert forest.mask[0, :, :10].all()


@settings(max_examples=60)
@given(questions, st.integers(0, 3), st.integers(1, 5))
def test_each_path_of_a_tree_is_its_question_and_label(rows: list[list[int]], past: int, together: int) -> None:
    labels = [[1], [2, 3, 0]]
    forest = grow(sorted(rows), labels, past, together)
    for question, tree, ends in zip(sorted(rows), forest.tree, forest.ends, strict=True):
        for label, nodes in zip(labels, ends, strict=True):
            seen = np.flatnonzero(forest.mask[tree, nodes[-1], past:])
            path = sorted(seen.tolist(), key=lambda n: forest.positions[tree, n])
            assert [int(forest.tokens[tree, n]) for n in path] == [*question, *label[:-1]]
            assert [int(forest.positions[tree, n]) for n in path] == list(range(past, past + len(path)))
            assert nodes == path[len(question) - 1 :]
    assert forest.mask.any(-1).all()  # nothing sees nothing
