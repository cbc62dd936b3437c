"""Templates that say which answers they offer, and what each means."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import LabelScoringJudge, Reply, menu_of
from lmgt_core.judges.scripted import ScriptedJudge
from lmgt_core.judging.answers import Answer, offered, read_answers, spellings
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate, RememberedTemplate
from lmgt_core.judging.strategies import load_strategy, strategies_in

GOOD, BAD = Verdict.GOOD, Verdict.BAD
BELONGS = """yes: good
no: bad
yes if kind is pick: bad
no if kind is pick: good
---
You know homes.
---
Does the {object} belong on the {place}? Answer yes or no.
"""
FACTS = ("kind", "object", "place")


def asked(kind: str, thing: str = "tea_cup") -> Description:
    return Description("The robot stands.", "act", facts={"kind": kind, "object": thing, "place": "shelf"})


@pytest.fixture
def template(tmp_path: Path) -> PromptTemplate:
    (tmp_path / "belongs.txt").write_text(BELONGS)
    return load_strategy(tmp_path, "belongs", facts=FACTS)


class Sure:
    """A model that finds one spelling certain, and counts what it was asked."""

    sees_images, context = False, 1000

    def __init__(self, word: str) -> None:
        self.word = word

    def length(self, prompt: Prompt) -> int:
        return len(prompt.user)

    def score(self, prompts: list[Prompt], labels: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return np.array([[0.0 if label == self.word else -20.0 for label in labels] for _ in prompts])

    def generate(self, prompts: list[Prompt], max_tokens: int) -> list[Reply]:
        return [Reply(self.word, 1) for _ in prompts]


def test_an_answer_means_what_the_head_says_for_the_kind_of_decision(template: PromptTemplate) -> None:
    judge = LabelScoringJudge(Sure("yes"), "sure", JudgeKind.LANGUAGE_MODEL)  # type: ignore[arg-type]
    place, pick = judge.judge([template.render(asked("place")), template.render(asked("pick"))])
    assert (place.verdict, pick.verdict) == (GOOD, BAD)
    assert place.reply == pick.reply == "yes"
    assert place.probabilities == pytest.approx((1.0, 0.0, 0.0), abs=1e-6)
    assert pick.probabilities == pytest.approx((0.0, 0.0, 1.0), abs=1e-6)


def test_facts_become_words_that_cannot_break_out(template: PromptTemplate) -> None:
    assert template.render(asked("place")).user == "Does the tea cup belong on the shelf? Answer yes or no."
    assert "<|im_end|>" not in template.render(asked("place", "<|im_end|>")).user
    nothing = template.render(Description("", "")).user
    assert nothing == "Does the unknown belong on the unknown? Answer yes or no."


def test_equal_words_with_other_meanings_are_other_questions(template: PromptTemplate) -> None:
    place, pick = template.render(asked("place")), template.render(asked("pick"))
    assert place.user == pick.user
    assert place.digest != pick.digest
    assert place.digest != Prompt(place.system, place.user, facts=place.facts).digest
    assert RememberedTemplate(template).render(asked("pick")) == pick


def test_prompts_without_answers_keep_the_digest_under_which_they_are_cached() -> None:
    by_hand = hashlib.sha256(json.dumps(["s", "u", [["a", "b"]]]).encode()).hexdigest()
    assert Prompt("s", "u", facts={"a": "b"}).digest == by_hand


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("Yes", GOOD),
        ("yes.", GOOD),
        ("No.", BAD),
        ("**No**", BAD),
        ("No, it belongs in the kitchen.", BAD),
        ("Yes, that is a good place.", GOOD),
        ("Yes, no question about it.", Verdict.UNREADABLE),
        ("Answer: no", BAD),
        ("The answer is yes.", GOOD),
        ('{"answer": "no"}', BAD),
        ("<think>No? It is a cup.</think>Yes", GOOD),
        ("Let me think. Answer: yes", GOOD),
        ("good", Verdict.UNREADABLE),
        ("Yes or no?", Verdict.UNREADABLE),
        ("It depends.", Verdict.UNREADABLE),
        ("I cannot answer that.", Verdict.UNREADABLE),
        ("maybe", Verdict.UNREADABLE),
        ("", Verdict.UNREADABLE),
    ],
)
def test_a_written_reply_is_read_by_the_offered_answers(template: PromptTemplate, reply: str, verdict: Verdict) -> None:
    (place,) = ScriptedJudge([reply]).judge([template.render(asked("place"))])
    (pick,) = ScriptedJudge([reply]).judge([template.render(asked("pick"))])
    assert place.verdict is verdict
    assert pick.verdict is {GOOD: BAD, BAD: GOOD}.get(verdict, verdict)


def test_spellings_are_the_words_in_small_letters_and_capitalised() -> None:
    assert spellings((("Yes", GOOD), ("no", BAD))) == {GOOD: ("Yes", "yes"), BAD: ("no", "No")}
    answers = (Answer("A", GOOD), Answer("B", BAD), Answer("B", GOOD, "kind", "pick"))
    assert offered(answers, {"kind": "pick"}) == (("A", GOOD), ("B", GOOD))
    assert offered(answers, {}) == (("A", GOOD), ("B", BAD))
    assert menu_of(Prompt("Is it good or bad?", "", answers=offered(answers, {}))) == {
        GOOD: ("A", "a"),
        BAD: ("B", "b"),
    }


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("yes: good\nno = bad", "'no = bad' offers no answer"),
        ("yes: good\nno: terrible", "offers no answer"),
        ("yes: good\nsure: good", "fewer than two verdicts"),
        ("yes: good", "fewer than two verdicts"),
        ("yes: good\nno: bad\nmaybe if kind is pick: neutral", "maybe is only offered `if`"),
    ],
)
def test_a_head_that_is_no_menu_is_named(tmp_path: Path, head: str, said: str) -> None:
    with pytest.raises(UserError, match="my.txt.*" + said):
        read_answers(head, "my.txt")
    (tmp_path / "my.txt").write_text(f"{head}\n---\nsystem\n---\n{{state}} {{action}}")
    with pytest.raises(UserError, match=said):
        load_strategy(tmp_path, "my")


def test_what_no_description_tells_cannot_be_named(tmp_path: Path) -> None:
    (tmp_path / "belongs.txt").write_text(BELONGS)
    with pytest.raises(UserError, match=r"unknown field \{object\}; use \{state\}, \{action\}"):
        load_strategy(tmp_path, "belongs")
    with pytest.raises(UserError, match="its answers depend on kind, which nothing here tells"):
        load_strategy(tmp_path, "belongs", facts=("object", "place"))
    with pytest.raises(UserError, match="no such strategy; choose one of belongs"):
        load_strategy(tmp_path, "../belongs", facts=FACTS)
    assert strategies_in(tmp_path) == ["belongs"]


def test_a_templates_hash_follows_its_answers(template: PromptTemplate) -> None:
    assert PromptTemplate(template.system, template.user, facts=FACTS).hash != template.hash
    assert PromptTemplate("a", "{state}").hash == PromptTemplate("a", "{state}", answers=()).hash
