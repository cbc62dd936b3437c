"""Labels in markup, behind leaked reasoning, and in sentences that take them back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.reply_markup import open_thought
from lmgt_core.judging.verdict_parser import parse_verdict

GOOD, BAD, UNREADABLE = Verdict.GOOD, Verdict.BAD, Verdict.UNREADABLE
LABELS = {"good": GOOD, "Neutral": Verdict.NEUTRAL, "BAD": BAD}
DRESSES = (
    "**{}**", "__{}__", "*{}*.", "`{}`", "# {}", "({})", "[{}]", "<b>{}</b>", "<{}/>", "<p>{}</p>", "'{}'", "''{}''",
    "“{}”", "„{}“", "‚{}‘", "«{}»", "»{}«", "‹{}›", "「{}」", "『{}』", "《{}》", "❝{}❞", "&quot;{}&quot;", "✅ {}",
    "\\boxed{{{}}}", "$\\boxed{{\\text{{{}}}}}$", "\\[\\boxed{{{}}}\\]", "\\textbf{{{}}}", "\\(\\mathrm{{{}}}\\)",
    "<answer>{}</answer>", "<verdict>\n{}\n</verdict>", "<final_answer>{}", "[ANSWER]{}[/ANSWER]", "Label: {}",
    '{{"verdict": "{}"}}', '{{"reason": "one might say good", "verdict": "{}"}}', '["{}"]', "final_verdict='{}'",
    '{{"verdict": "{}", "reason": "one may think that the answer is good, another that it is bad"}}',
    '```json\n{{"result": {{"label": "{}", "confidence": 0.9}}}}\n```', "| Verdict | {} |", "Verdict → {}",
    "Verdict => {}", "~~neutral~~ {}", "Answer: **{}**", "- {}",
)  # fmt: skip
THOUGHTS = (
    "<think>{}</think>", "<thinking>\n{}\n</thinking>\n", "{}</think>", "<thought>{}</thought>", "[THINK]{}[/THINK]",
    "<reasoning>{}</reasoning>", "<reflection>{}</reflection>", "<scratchpad>{}</scratchpad>", "◁think▷{}◁/think▷",
    "<|begin_of_thought|>{}<|end_of_thought|>", "<|START_THINKING|>{}<|END_THINKING|>", "<seed:think>{}</seed:think>",
    "<｜think｜>{}<｜/think｜>", "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
    "<unused94>thought\n{}<unused95>", "Thinking...\n{}\n...done thinking.\n\n", "<!-- {} -->",
    '<details type="reasoning">{}</details>', "```thinking\n{}\n```\n", "<think>{}</think><think>Yes.</think>",
)  # fmt: skip
NEGATIONS = (
    "It is not {}.", "It isn't {}", "I would not say it is {}", "I don't think it's {}.", "It is far from {}", "no {}",
    "It's anything but {}.", "This is hardly {}", "I doubt this is {}", "Nobody would call this {}", "Less than {}",
    "It is neither {} nor the other", "It is no longer {}", "The opposite of {}", "without being {}", "{}? No.",
    "Verdict: not {}", "Verdict: hardly {}", "I would not say the answer is {}", "It is false that the answer is {}",
    "The answer isn't {}", "I can't say that it's {}", "It fails to be {}", "This is {}, said nobody.", "{} ... not!",
    "I'd stop short of calling it {}", "Verdict: {}? No.", "Verdict: {} is wrong", "{}. Not!", "{} (not)",
    "Far from {}.",
    "{} if it leaned right", "It would be {} only if it leaned right, which it does not.", "{} only when it is empty",
    "If it leaned right, the verdict would be {}.", "Verdict: {} if it leans right", "Unless it falls, it is {}.",
    "It might be {}", "Maybe {}", "It could be {}", "It seemed {} at first", "It would have been {}", "So-called {}",
    "Some would say the verdict is {}", "The previous answer was {}", "What would be {} is another room.",
    "A {} action would push the other way.", "Pushing right would be {}.", "I wish I could say {}",
    "{}. Wait, that is not it.", "{}. Hmm, let me look again.", "{}.\n\nWait, the pole leans left", "{}. Or is it?",
    "Verdict: {}. Scratch that.", "Verdict: {}\nI take that back.", "{}. On second thought, the pole falls.",
    "{}. However, the room is wrong.", "That is a {} question.", "{} question.", "This is {} for nothing.", "{} luck!",
    "Is it {}? Yes, or rather no.", "~~{}~~", "<think>{}", "<reasoning>It is {}", "[THINK]{}", "<think>{}</think>",
    "<|channel|>analysis<|message|>It is {}", '{{"verdict": null, "reason": "{}"}}', "I'm sorry, I can't call it {}.",
)  # fmt: skip


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("label", LABELS)
def test_what_a_label_wears_changes_nothing(dress: str, label: str) -> None:
    assert parse_verdict(dress.format(label)) == (LABELS[label], "")


@given(st.lists(st.sampled_from(DRESSES[:22]), max_size=3), st.sampled_from(sorted(LABELS)))
def test_nor_do_several_dresses(dresses: list[str], label: str) -> None:
    text = label
    for dress in dresses:
        text = dress.format(text)
    verdict, _ = parse_verdict(text)
    assert verdict in (LABELS[label], UNREADABLE)


@pytest.mark.parametrize("thought", THOUGHTS)
def test_reasoning_of_any_marker_is_not_the_answer(thought: str) -> None:
    assert parse_verdict(thought.format("It is good. Verdict: good") + "bad") == (BAD, "")


@pytest.mark.parametrize("negation", NEGATIONS)
@pytest.mark.parametrize("label", LABELS)
def test_what_takes_a_label_back_never_yields_it(negation: str, label: str) -> None:
    assert parse_verdict(negation.format(label))[0] is not LABELS[label]


@given(st.sampled_from(NEGATIONS), st.sampled_from(THOUGHTS), st.sampled_from(sorted(LABELS)))
def test_nor_does_it_behind_reasoning(negation: str, thought: str, label: str) -> None:
    text = thought.format(f"It is {label}.") + negation.format(label)
    assert parse_verdict(text)[0] is not LABELS[label]


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("Good.\n\nWait, it leans to the left; bad", BAD),
        ("Good. No, bad.", BAD),
        ("Verdict: good\n\nCorrection: bad", BAD),
        ("Bad. A good place would be the kitchen.", BAD),
        ("Bad. The kitchen is a good place.", BAD),
        ("Good, because it would fall otherwise.", GOOD),
        ("The action is good because the pole does not fall.", GOOD),
        ("I'd give it +1.", GOOD),
        ("Since the mug does not belong here, the verdict is bad.", BAD),
        ("Verdict: bad - the mug does not belong here", BAD),
        ("Verdict: bad (it falls)", BAD),
        ("Verdict: good, not bad", GOOD),
        ('{"good": false, "bad": true}', BAD),
    ],
)
def test_the_last_stated_conclusion_counts(reply: str, verdict: Verdict) -> None:
    assert parse_verdict(reply) == (verdict, "")


@pytest.mark.parametrize(
    "reply",
    ["Good. It is bad.", "Good. It is not good.", "1. good\n2. neutral\n3. bad", "good\nneutral\nbad",
     "Bad: 85 %, good: 15 %", "Verdict: good, or rather bad", '{"bad": 0.7, "good": 0.3}'],
)  # fmt: skip
def test_two_verdicts_without_an_order_are_none(reply: str) -> None:
    assert parse_verdict(reply)[0] is UNREADABLE


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("Okay, it leans right. Pushing right would be good, but let me check whether", UNREADABLE),
        ("Okay. The action is good", UNREADABLE),
        ("So I should see. It is good, since", UNREADABLE),
        ("Good. The pole leans right and", GOOD),
        ("The pole leans right.\nVerdict: bad", BAD),
    ],
)
def test_of_a_cut_reply_only_a_plain_answer_counts(reply: str, verdict: Verdict) -> None:
    assert parse_verdict(reply, cut=True)[0] is verdict


def test_another_menu_has_its_own_words() -> None:
    menu = {GOOD: ("yes",), BAD: ("no",)}
    for reply, verdict in {"Yes.": GOOD, "No, it does not.": BAD, "Answer: **no**": BAD, "good": UNREADABLE}.items():
        assert parse_verdict(reply, menu=menu)[0] is verdict


@pytest.mark.parametrize(
    ("text", "closing"),
    [
        ("assistant\n<think>\n", "</think>"),
        ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<think></think>", ""),
        ("assistant\n", ""),
    ],
)
def test_an_open_thought_is_closed_by_its_own_tag(text: str, closing: str) -> None:
    assert open_thought(text) == closing
