"""A language model's reply becomes a verdict, or UNREADABLE with the reason.

The menu is good / neutral / bad and +1 / 0 / -1. The last verdict in a reply wins. It is looked for, in this order:

1. `Verdict: good`, `the answer is bad`, `"verdict": "neutral"`, `Rating = -1`: a named verdict;
2. a line of its own that holds nothing but a verdict; the later one of 1 and 2 counts;
3. the last verdict in the prose, where only words and signed numbers count.

A last verdict that is off the menu (`Verdict: maybe`), negated (`not good`), undecided (`good or bad`), missing (`Verdict:`
and then nothing), or contradicted (`good (-1)`) is unreadable: it never falls back to an earlier one. A wrong reading would
train an agent, an unreadable one is only counted.
"""

import re
import unicodedata

from lmgt_core.judgment import Verdict

_WORDS = {"good": Verdict.GOOD, "neutral": Verdict.NEUTRAL, "bad": Verdict.BAD}
_SIGNS = {"+1": Verdict.GOOD, "1": Verdict.GOOD, "+0": Verdict.NEUTRAL, "0": Verdict.NEUTRAL, "-0": Verdict.NEUTRAL}
_MENU = {**_WORDS, **_SIGNS, "-1": Verdict.BAD}

_NUMBER = r"[+-]?[01](?:\.0{1,6})?"
_WORD = r"good|neutral|bad"
_EDGE = r"(?![\w-])(?!\.\d)"  # after a token: no longer word, compound or fraction
_TOKEN = rf"(?:(?:{_WORD})|{_NUMBER}){_EDGE}"
_JOIN = r"(?: ?[/,|&(-] ?| (?:or|and|to|but) )(?:or |and )?"
_VALUE = re.compile(rf"(?:(?:a|an|it|is|was|that|this|clearly|very|rather) )*({_TOKEN}(?:{_JOIN}{_TOKEN})*)")
_NAMED = re.compile(
    r"(?<![\w-])(?:verdict|answer|judge?ment|rating|score|label|assessment|evaluation)\b"
    r"(?: ?(?::|=|->| -+ )+| (?:is|was|would be|remains)\b:?) ?"
)
_ALONE = re.compile(rf"[>\s#-]*?(?:\d{{1,2}}[.)] )?({_TOKEN})[.!,;: )]*")
_PROSE = re.compile(rf"(?<![\w+-])(?:(?:{_WORD})|[+-]1(?:\.0{{1,6}})?){_EDGE}")
_NEGATED = re.compile(r"(?:\b(?:not|never|neither|nor|no|hardly|isn't|cannot|n't)|n't)(?: \w+){0,2} ?$")
_UNDECIDED = re.compile(r"(?:(?:\b(?:whether|if|either|between)\b[^.!?]*)|(?:[/|] ?)|(?:\bor ))$")
_REFUSAL = re.compile(
    r"\b(?:i'm sorry|i am sorry|i apologi[sz]e|as an ai|(?:i|we) (?:cannot|can't|can not|won't|will not|am unable|am not able)"
    r"|i'm (?:unable|not able|not sure|unsure)|unable to (?:judge|answer|determine|say|assist|help))\b"
)


def parse_verdict(reply: str) -> tuple[Verdict, str]:
    """The last verdict in `reply` and ""; or UNREADABLE and why, in one line. Raises for nothing."""
    text = _plain(reply)
    if "<think>" in text:
        return Verdict.UNREADABLE, "the reply ends before the reasoning does"
    lines = [line for line in text.split("\n") if line]
    if not lines:
        return Verdict.UNREADABLE, "the reply is empty"
    return _marked(lines) or _prose(" ".join(lines))
