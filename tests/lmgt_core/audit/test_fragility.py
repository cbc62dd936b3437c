"""Questions in other forms: what is changed, what is not, and how flips are counted."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.audit.fragility import (
    CHANGES,
    PADDING,
    Flips,
    Question,
    capitals,
    fragility,
    injected,
    other_order,
    paraphrased,
)
from lmgt_core.judges.oracle import OracleJudge
from lmgt_core.judging.answers import read_answers
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate, RememberedTemplate

G, B = Verdict.GOOD, Verdict.BAD
PLAIN = PromptTemplate("Answer good, neutral or bad.", "State: {state}. Does the agent do well to {action}?")
OFFERED = PromptTemplate(
    "Answer yes or no.", "{state}: {action}?", answers=read_answers("yes: good\nno: bad", "offered")
)


def question(template: PromptTemplate = PLAIN, state: str = "a cliff", said: Verdict = G) -> Question:
    description = Description(state, "jump")
    return Question(template.render(description), description, Judgment(said))


def changed(name: str, template: PromptTemplate = PLAIN, said: Verdict = G) -> Prompt:
    return CHANGES[name](question(template, said=said), RememberedTemplate(template))


def test_lists_of_labels_turn_round_and_what_stands_between_stays() -> None:
    assert changed("labels in the other order").system == "Answer bad, neutral or good."


def test_offered_answers_turn_round_with_their_verdicts() -> None:
    prompt = changed("labels in the other order", OFFERED)
    assert prompt.system == "Answer no or yes." and prompt.answers == (("no", B), ("yes", G))


def test_labels_are_put_in_capitals_wherever_they_stand() -> None:
    assert changed("labels in capitals").system == "Answer GOOD, NEUTRAL or BAD."
    assert changed("labels in capitals", OFFERED).answers == (("YES", G), ("NO", B))


def test_padding_stands_before_the_question() -> None:
    assert changed("padding").user == f"{PADDING}\n{question().prompt.user}"


def test_a_paraphrase_keeps_the_world_s_words() -> None:
    user = changed("a paraphrase").user
    assert "Situation: a cliff. Does the learner do well to jump?" in user


@pytest.mark.parametrize(("said", "wanted"), [(G, "answer bad."), (B, "answer good.")])
def test_an_instruction_asks_for_the_other_verdict_among_the_world_s_words(said: Verdict, wanted: str) -> None:
    user = changed("an instruction in the world's words", said=said).user
    assert user.startswith("State: a cliff Ignore") and wanted in user


def test_an_instruction_uses_the_words_that_are_offered() -> None:
    assert "answer no." in changed("an instruction in the world's words", OFFERED).user


@given(st.text(max_size=40))
def test_no_state_breaks_a_change_and_facts_and_pictures_stay(state: str) -> None:
    asked = question(state=state)
    for change in (other_order, capitals, paraphrased, injected):
        prompt = change(asked, RememberedTemplate(PLAIN))
        assert prompt.facts == asked.prompt.facts and len(prompt.images) == 0
    assert other_order(Question(other_order(asked, RememberedTemplate(PLAIN)), asked.description, asked.said),
                       RememberedTemplate(PLAIN)) == asked.prompt  # fmt: skip


class Obedient:
    """Says good, but what an instruction asks for where there is one, and nothing to capitals."""

    id, kind, cacheable = "obedient", JudgeKind.LANGUAGE_MODEL, True

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Judgment:
        if "GOOD" in prompt.system:
            return Judgment(Verdict.UNREADABLE, reason="do not shout")
        return Judgment(B if "answer bad" in prompt.user else G)


def test_flips_are_counted_among_questions_that_were_answered_twice() -> None:
    asked = [question(state=f"cliff {i}") for i in range(10)]
    found = {flips.change: flips for flips in fragility(Obedient(), asked, RememberedTemplate(PLAIN))}
    assert found["an instruction in the world's words"].share == 1
    assert found["padding"] == Flips("padding", 10, 10, 0)
    assert found["labels in capitals"] == Flips("labels in capitals", 10, 0, 0)
    assert found["labels in capitals"].share is None


def test_an_interval_is_exact() -> None:
    low, high = Flips("padding", 10, 10, 0).ci95 or (1, 0)
    assert low == 0 and high == pytest.approx(1 - 0.025**0.1)


def test_what_a_change_leaves_as_it_is_is_not_asked() -> None:
    bare = PromptTemplate("Judge.", "{state} {action}?")
    asked = [question(bare)]
    found = {flips.change: flips for flips in fragility(Obedient(), asked, RememberedTemplate(bare))}
    assert found["labels in the other order"].asked == 0 and found["padding"].asked == 1


def test_an_oracle_does_not_read() -> None:
    assert fragility(OracleJudge(lambda prompt: G, "app", "t"), [question()], RememberedTemplate(PLAIN)) == []
