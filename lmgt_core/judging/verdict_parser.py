"""A language model's reply becomes a verdict, or UNREADABLE with the reason.

The menu is good / neutral / bad, or +1 / 0 / -1. The last verdict of a reply wins:

1. a named verdict (`Verdict: good`, `the answer is bad`, `"rating": -1`) or a line that holds nothing but a verdict;
   of several, the last one;
2. without those, the last verdict in the prose, where only words and signed numbers count.

A last verdict that is off the menu (`Verdict: maybe`), negated (`not good`), undecided (`good or bad`), contradicted
(`good (-1)`), questioned (`good?`) or missing (`Verdict:` and the end) is unreadable; it never falls back to an earlier
one. A wrong reading trains an agent, an unreadable one is only counted.
"""

import re
import unicodedata
from collections.abc import Sequence

from lmgt_core.judging.judgment import Verdict

Reading = tuple[Verdict, str]

_WORDS = {"good": Verdict.GOOD, "neutral": Verdict.NEUTRAL, "bad": Verdict.BAD}
_MENU = {**_WORDS, "+1": Verdict.GOOD, "1": Verdict.GOOD, "0": Verdict.NEUTRAL, "-1": Verdict.BAD}
_MENU |= {"+0": Verdict.NEUTRAL, "-0": Verdict.NEUTRAL}

_WORD = r"(?:good|neutral|bad)(?![\w-])"
_ZEROS = r"(?:\.0{1,6})?(?![\w%])(?!\.\d|,\d| ?/ ?\d)"  # 1.0 is 1; 1.5, 10, 1/10 and 1% are not
_BARE_END = r"(?= ?[^\w ]| ?$| (?:because|since|as|or|and|to)\b)"  # 0 and 1 also count things: `1 object is wrong`
_TOKEN = rf"(?:{_WORD}|[+-][01]{_ZEROS}|[01]{_ZEROS}{_BARE_END})"
_JOIN = r"(?:[ /,|&;]|-(?!\d)|\bor\b|\band\b|\bto\b|\bbut\b){1,8}"
_FILLER = r"(?:(?:a|an|the|it|its|it's|is|that|this|action|clearly|definitely|probably|likely|still|rather|very) )"
_VALUE = re.compile(rf"{_FILLER}{{0,6}}({_TOKEN}(?:{_JOIN}{_TOKEN})*)")
_NAMED = re.compile(
    r"(?<![\w-])(?:verdict|answer|judge?ment|rating|score)(?: ?(?::|=)+| -(?= )| (?:is|was|would be)\b:?)"
)
_ALONE = re.compile(rf"(?:[#>] ?)*({_TOKEN})[.!,;: ]*")
_ONE_WORD = re.compile(r"[+\-\w.,'/%]+[!;: ]*")
_PROSE = re.compile(rf"(?<![\w+.-])(?:{_WORD}|[+-]1{_ZEROS})")
_NEGATION = re.compile(r"(?:\b(?:not|never|neither|nor|no|hardly|cannot)|n't)(?: \w+){0,2} ?$")
_ALTERNATIVE = re.compile(rf"(?:\b(?:whether|either|between|one of)\b[^.!?]*|{_TOKEN}{_JOIN})$")
_REFUSAL = re.compile(
    r"\b(?:i'm sorry|i am sorry|i apologi[sz]e|as an ai|unable to|(?:i|we) (?:cannot|can't|can not|won't|will not))\b"
)
_SECOND_THOUGHT = re.compile(
    r"(?:[.!?;] ?|\n)(?:but )?"
    r"(?:(?:wait|actually|correction|(?:on|upon) (?:second thoughts?|reflection))\b|no(?= ?[,.:;-]))"
)
_SPACES = str.maketrans({c: " " for c in '*_`"[]{}()<>~$\\“”„«»'} | {"—": " - ", "−": "-", "’": "'", "‘": "'"})
_CONTEXT = 200  # characters before a word that can negate it


def parse_verdict(reply: str) -> Reading:
    """The last verdict in `reply` and "", or UNREADABLE and why, in one line; raises for no reply."""
    text = unicodedata.normalize("NFKC", reply).casefold()
    text = text.rpartition("</think>")[2]
    if "<think>" in text:
        return _unreadable("the reply ends before its reasoning does")
    lines = [line for line in map(_plain, text.splitlines()) if line]
    if not lines:
        return _unreadable("the reply is empty")
    return _marked(lines) or _prose(" ".join(lines))


def _unreadable(reason: str) -> Reading:
    return Verdict.UNREADABLE, reason


def _plain(line: str) -> str:
    """A line without markdown, quotes and brackets, its dashes and spaces made alike; "" for rulers."""
    line = re.sub(r"–(?=\d)", "-", line.translate(_SPACES)).replace("–", " - ")
    line = re.sub(r"(?<!\w)'|'(?!\w)", " ", line)
    line = re.sub(r"\s+", " ", line).strip()
    return line if re.search(r"\w", line) else ""


def _marked(lines: Sequence[str]) -> Reading | None:
    """The last named verdict or line with a verdict alone; None when there is neither."""
    last = lines[-1]
    if _ONE_WORD.fullmatch(last) and not _ALONE.fullmatch(last) and not _NAMED.search(last):
        return _off_menu(last)
    for index in range(len(lines) - 1, -1, -1):
        if alone := _ALONE.fullmatch(lines[index]):
            return _MENU[_number(alone[1])], ""
        if named := list(_NAMED.finditer(lines[index])):
            value = lines[index][named[-1].end() :].strip(" :=")
            after = "\n".join([value, *lines[index + 1 :]])
            return _changed_mind(after) or _value(value or " ".join(lines[index + 1 : index + 2]))
    return None


def _changed_mind(text: str) -> Reading | None:
    """The verdict after the last `wait`, `actually`, ... in what follows a named one; None where none follows."""
    *_, last = [None, *_SECOND_THOUGHT.finditer(text)]
    tail = text[last.end() :] if last else ""
    return _prose(tail) if _PROSE.search(tail) else None


def _value(text: str) -> Reading:
    """What a named verdict says."""
    if not text:
        return _unreadable("the last verdict is missing")
    match = _VALUE.match(text)
    if match is None:
        return _off_menu(text)
    said = {_MENU[_number(token)] for token in re.findall(_TOKEN, match[1])}
    if len(said) > 1 or text[match.end() :].lstrip().startswith("?"):
        return _unreadable(f"the last verdict is undecided: {_excerpt(text)}")
    return said.pop(), ""


def _prose(text: str) -> Reading:
    """The last verdict in running text that names none."""
    if _REFUSAL.search(text):
        return _unreadable("the reply is a refusal")
    matches = list(_PROSE.finditer(text))
    if not matches:
        return _unreadable(f"no verdict in the reply: {_excerpt(text)}")
    last = matches[-1]
    before, after = text[max(0, last.start() - _CONTEXT) : last.start()], text[last.end() :]
    if _NEGATION.search(before):
        return _unreadable(f"the last verdict is negated: {_excerpt(before[-24:] + last[0])}")
    if _ALTERNATIVE.search(before) or after.lstrip().startswith("?"):
        return _unreadable(f"the last verdict is undecided: {_excerpt(before[-24:] + last[0] + after[:1])}")
    return _MENU[_number(last[0])], ""


def _number(token: str) -> str:
    """A token as the menu writes it: 1.00 is 1."""
    return token.partition(".")[0]


def _off_menu(text: str) -> Reading:
    return _unreadable(f"the last verdict is off the menu: {_excerpt(text)}")


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
