"""Probabilities at the place of the label, by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.judges.label_place import Written, label_probabilities
from lmgt_core.judges.label_scoring import NUMBERS, WORDS


def token(text: str, **alternatives: float) -> Written:
    """A token with the probabilities of its alternatives, its own among them."""
    return text, {name: math.log(p) for name, p in alternatives.items()}


LABEL = token("bad", bad=0.6, good=0.2)
THREE_TO_ONE = pytest.approx((0.25, 0.0, 0.75))


def test_alternatives_count_for_the_one_verdict_that_they_begin() -> None:
    # good .5 + Good .1 + goo .1; bad .2; "n" begins neutral; "x" begins nothing
    given = {"good": 0.5, "Good": 0.1, " goo": 0.1, "bad": 0.2, "n": 0.05, "x": 0.05}
    p = label_probabilities("good", [token("good", **given)], WORDS)
    assert p == pytest.approx((0.7 / 0.95, 0.05 / 0.95, 0.2 / 0.95))


def test_the_sign_of_a_number_tells_its_verdict() -> None:
    written = [token("-", **{"+": 0.25, "-": 0.5, "0": 0.25}), token("1", **{"1": 1.0})]
    assert label_probabilities("-1", written, NUMBERS) == pytest.approx((0.25, 0.25, 0.5))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("bad", [token("<think>", good=0.9), token("bad", bad=0.9), token("</think>", good=0.9), LABEL]),
        ("bad", [token("good", good=1.0), token("\n", good=0.9), LABEL, token("<|im_end|>", good=0.9)]),
        ("**bad**", [token("**", good=0.9), LABEL, token("**", good=0.9)]),
        ('"bad"', [token('"', good=0.9), LABEL, token('"', good=0.9)]),
        ('"bad"', [token('"bad', **{'"bad': 0.6, '"good': 0.2}), token('"')]),
        (
            "Verdict: bad",
            [token("Verdict", good=0.9), token(":", good=0.9), token(" bad", **{" bad": 0.6, " good": 0.2})],
        ),
        ("bad", [token("▁bad", **{"▁bad": 0.6, "▁good": 0.2})]),
        ("\\boxed{bad}", [token("\\", good=0.9), token("boxed{", good=0.9), LABEL, token("}", good=0.9)]),
        ("bad.", [token("b", b=0.6, g=0.2), token("ad", ad=1.0), token(".", good=0.9)]),
    ],
)
def test_probabilities_are_read_where_the_label_stands(text: str, tokens: list[Written]) -> None:
    assert label_probabilities(text, tokens, WORDS) == THREE_TO_ONE


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("bad, I think", [LABEL, token(", I think")]),  # more than a label
        ("bad", []),
        ("bad", [token("good", good=0.9)]),  # other tokens than the text's
        ("bad", [token("<think>"), LABEL, token("</think>")]),  # those of the reasoning alone
        ("bad", [token("bad", good=0.6, bad=0.4)]),  # they contradict the text
        ("good or bad", [token("good", good=0.9), token(" or bad")]),
        ("bad", [("bad", {"bad": 0.9, "good": 0.1})]),  # probabilities, not their logarithms
        ("bad", [("bad", {"bad": 90.0})]),
        ("bad", [("bad", {"bad": 0.0, "good": 0.0})]),  # a sum of 2
        ("bad", [("bad", {"bad": math.nan, "good": -1.0})]),
        ("bad", [("bad", {"x": -0.1})]),  # no label among them
        ("bad", [("bad", {"bad": -math.inf, "good": -math.inf})]),
    ],
)
def test_where_they_are_no_probabilities_of_the_label_none_are_claimed(text: str, tokens: list[Written]) -> None:
    assert label_probabilities(text, tokens, WORDS) is None


logs = st.dictionaries(st.sampled_from(["good", "bad", "neutral", "Bad", "x", "**"]), st.floats(allow_nan=True))


@given(st.lists(st.tuples(st.sampled_from(["bad", "**", "good", ""]), logs), max_size=4))
def test_whatever_a_server_says_is_a_distribution_that_agrees_with_the_text_or_nothing(tokens: list[Written]) -> None:
    found = label_probabilities("bad", tokens, WORDS)
    assert found is None or (sum(found) == pytest.approx(1) and max(found) == found[2])
