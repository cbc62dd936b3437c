"""Replies as language models write them, and what is read in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.verdict_parser import parse_verdict

GOOD, NEUTRAL, BAD, UNREADABLE = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD, Verdict.UNREADABLE
WORDS = {"good": GOOD, "neutral": NEUTRAL, "bad": BAD, "+1": GOOD, "1": GOOD, "0": NEUTRAL, "-1": BAD}
FRAMES = (
    "{}", "{}.", "**{}**", " {}\n", "Verdict: {}", "**Verdict:** {}", "verdict - {}", "The verdict is {}.",
    "Final answer: {}!", "## Verdict\n\n{}", "Verdict:\n{}", '{{"verdict": "{}", "why": "tidy"}}', "> {}",
    "```json\n{{'verdict': '{}'}}\n```", "It is in the right room.\nVerdict: {}", "<think>good or bad?</think>\n{}",
    "Rating = {}", "My answer is: “{}”",
)  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_the_menu_is_read_in_every_dress(frame: str, word: str) -> None:
    for spelled in {word, word.upper(), word.capitalize()}:
        assert parse_verdict(frame.format(spelled)) == (WORDS[word], "")


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("good\nbad", BAD),
        ("Verdict: bad ... Verdict: good", GOOD),
        ("bad\nNow in one word:\nGOOD", GOOD),
        ("A bad place for a mug would be the bath. Here it is good.", GOOD),
        ("Verdict: good. Actually, on second thought it is bad.", BAD),
        ("Verdict: good. No, bad.", BAD),
        ("Verdict: good, no bad effects", GOOD),
    ],
)
def test_the_last_verdict_wins(reply: str, verdict: Verdict) -> None:
    assert parse_verdict(reply) == (verdict, "")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("Verdict: maybe", "off the menu"),
        ("good. Verdict: maybe", "off the menu"),
        ("Verdict: good\nVerdict: maybe", "off the menu"),
        ("good\nmaybe", "off the menu"),
        ("good\n+2", "off the menu"),
        ("Verdict: good\nFinal verdict: it depends on the home", "off the menu"),
        ("Verdict: not good", "off the menu"),
        ("Score: 10", "off the menu"),
        ("Score: 0.5", "off the menu"),
        ("Score: 1/10", "off the menu"),
        ("-1.5", "off the menu"),
        ("Verdict: 1 object is wrong", "off the menu"),
        ("Verdict: goodish", "off the menu"),
        ("good or bad", "undecided"),
        ("Verdict: good/neutral", "undecided"),
        ("Verdict: good (-1)", "undecided"),
        ("- good\n- neutral\n- bad", "undecided"),
        ("Is this good, neutral or bad? Answer with one word.", "undecided"),
        ("Rate it from -1 to +1", "undecided"),
        ("Verdict: good?", "undecided"),
        ("It is hard to say whether the action is good", "undecided"),
        ("Good. But here it is not good", "negated"),
        ("It isn't a very bad", "negated"),
        ("Verdict: good\nVerdict:", "missing"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("As an AI I do not say what is good", "refusal"),
        ("I cannot judge if that is bad.", "refusal"),
        ("<think>It would be good to", "before its reasoning does"),
        ("The mug goes to the kitchen with 1 spoon and 0 forks.", "no verdict"),
        ("He is good-natured, the goods are badly packed.", "no verdict"),
        ("Verdict: good. Actually a fine place.", "taken back"),
        ("", "empty"),
        (" \n\t```\n```", "empty"),
    ],
)
def test_an_unclear_reply_is_unreadable_and_says_why(reply: str, reason: str) -> None:
    verdict, why = parse_verdict(reply)
    assert verdict is UNREADABLE and reason in why


@pytest.mark.parametrize("minus", ["-1", "−1", "–1", "-1.0", "－1"])
def test_every_minus_is_a_minus(minus: str) -> None:
    assert parse_verdict(minus) == (BAD, "")


@given(st.text(max_size=300))
def test_no_reply_makes_it_raise_and_reasons_are_one_line(reply: str) -> None:
    verdict, reason = parse_verdict(reply)
    assert (verdict is UNREADABLE) == bool(reason)
    assert len(reason.splitlines()) <= 1 and len(reason) < 500  # unprintable characters are spelled out


PIECES = (
    "good", "bad", "neutral", "+1", "-1", "0", "1.5", "maybe", "verdict", "answer", ":", "is", "not", "or", "no",
    "wait", "\n", ".", "?", " ", ",", "**", "<think>", "</think>", "\x00", "\ud800",
)  # fmt: skip
noises = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@given(noises)
def test_no_mixture_of_its_own_words_makes_it_raise(reply: str) -> None:
    verdict, reason = parse_verdict(reply)
    assert (verdict is UNREADABLE) == bool(reason)


@given(noises, st.sampled_from(sorted(WORDS)))
def test_a_named_verdict_at_the_end_always_wins(noise: str, word: str) -> None:
    noise = noise.replace("<think>", "")
    assert parse_verdict(f"{noise}\nVerdict: {word}") == (WORDS[word], "")


@given(noises, st.from_regex(r"[b-z]{2,8}", fullmatch=True))
def test_an_off_menu_verdict_at_the_end_never_falls_back(noise: str, word: str) -> None:
    if word not in WORDS:
        assert parse_verdict(f"{noise}\nVerdict: {word}")[0] is UNREADABLE


@pytest.mark.parametrize(
    "piece", ["good or ", "whether ", "not a ", "# > - ", "verdict is ", "1.000000 / ", ", but wait ", "good\n", "\n"]
)
def test_a_reply_of_megabytes_is_read_to_its_end(piece: str) -> None:
    assert parse_verdict(piece * 100_000 + "\nVerdict: bad") == (BAD, "")
