"""A language model's reply becomes a verdict, or UNREADABLE with the reason.

The menu is good / neutral / bad, or +1 / 0 / -1. What counts is what a reply *states*, sentence by sentence:

1. a named verdict (`Verdict: good`, `the answer is bad`, `"rating": -1`, `<answer>good</answer>`, `\\boxed{bad}`);
2. a sentence that is a verdict, or begins with one (`Good.`, `Bad, because ...`);
3. a plain statement (`The action is clearly good because ...`, `I would say bad`), which must be of a known form: words
   that nobody foresaw may negate, hedge or condition it, so that whatever is not known is no statement.

The last statement wins. It is unreadable when it is off the menu (`Verdict: maybe`), undecided (`good or bad`,
`good?`), conditional (`good if ...`), or followed by second thoughts without a new statement; it never falls back to an
earlier one. Of a reply that was cut only 1 and 2 count. A wrong reading trains an agent, an unreadable one is counted.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.reply_markup import OpenThought, plain_lines

Reading = tuple[Verdict, str]
Menu = Mapping[Verdict, tuple[str, ...]]  # a verdict's spellings

WORDS_AND_NUMBERS: Menu = {
    Verdict.GOOD: ("good", "+1", "1"),
    Verdict.NEUTRAL: ("neutral", "0", "+0", "-0"),
    Verdict.BAD: ("bad", "-1"),
}
_NUMBER = re.compile(r"[+-]?\d")
_ZEROS = r"(?:\.0{1,6})?(?![\w%])(?!\.\d|,\d| ?/ ?\d)"  # 1.0 is 1; 1.5, 10, 1/10 and 1% are not
_BARE_END = r"(?= ?[^\w ]| ?$| (?:because|since|as|or|and|to)\b)"  # 0 and 1 also count things: `1 object is wrong`
_JOIN = r"(?:[ /,|&;:]|-(?!\d)|\bor\b|\band\b|\bto\b|\bbut\b){1,8}"
_SENTENCE = re.compile(
    r"(?<=[^\W\d][.!?;]) +|(?<=\d[!?;]) +|(?<=[+-][01]\.) +|(?<=\.\.) +|(?<=[\w,]) - (?=wait|no\b|actually)"
)
_BULLET = re.compile(r"(?:- |• ?|\d{1,2}[.)] )+(?=\S)")

_PRIMARY = r"(?:verdict|answer|judge?ment|rating|score)"
_NAMED = re.compile(
    rf"(?<![\w-])({_PRIMARY}|label|decision|assessment|evaluation|classification|conclusion)"
    r"(?: ?(?::|=+>?)+| -(?= )| (?:is|was|would be)\b:?)"
)
_FILLER = (
    r"(?:(?:a|an|the|it|its|it's|is|that|this|action|clearly|definitely|very|quite|really|overall|simply|indeed|also"
    r"|generally|certainly|absolutely|obviously|extremely|considered|rated|judged|therefore|thus|still|so|just|as"
    r"|to be|with) ){0,6}"
)
_LEAD = (
    r"(?:(?:no(?= ?[,.:;!-])|(?:wait|actually|nope|hmm+|correction|sorry|ok(?:ay)?|well|yes|so|thus|therefore|hence"
    r"|overall|finally|in (?:summary|conclusion|short|my opinion|this (?:case|situation))|to (?:conclude|sum up)|and"
    r"|on (?:second thoughts?|reflection)|here|then|indeed|for (?:this|that|these) reasons?|as a result)\b)"
    r"[ ,.:;!-]*){0,4}"
)
_NOUN = (
    r"(?:action|move|choice|decision|idea|placement|option|step|push|outcome|fit|recommendation|pick|play|one|thing)"
)
_ACTION = rf"(?:it|this|that|(?:the|this|that|your|its)(?: (?:chosen|proposed|given|taken|current|suggested))? {_NOUN})"
_OPINION = r"i(?: would|'d| do| therefore| thus)? "
_SUBJECT = (
    rf"(?:(?:{_OPINION}(?:think|believe|say|conclude|find|feel) (?:that )?)?{_ACTION}"
    r"(?:'s| is| was| looks| seems| appears| counts as) "
    rf"|{_OPINION}(?:say|rate|judge|call|consider|deem|label|give|score|find|answer) (?:{_ACTION} )?)"
)
_REASON = r"(?:because|since|given|due|as (?:it|the|this)|for (?:the|this|its|(?!nothing)\w+ing))\b"
_GOES_ON = re.compile(
    rf"(?: {_NOUN})?(?: (?:here|overall|indeed|in this (?:case|situation)))?(?= ?$| ?[,.:;!-]| (?:{_REASON}|and\b))"
)
_IN_A_REASON = re.compile(rf"[ ,.:;-]*{_REASON}")

_CONDITION = r"if|unless|only|when(?:ever)?|provided|assuming|suppos\w+|depend\w*|as long as|until|otherwise|in theory"
_HEDGE = (
    r"maybe|perhaps|possibly|might|may|could|guess|unsure|uncertain|not sure|doubt\w*|arguabl[ey]|allegedly|apparently"
    r"|seemingly|hard to (?:say|tell)|at first|who knows"
)
_CONTRAST = r"but|however|though|although|yet|except|whereas|or (?:not|rather|is|maybe)"
_NEGATION = (
    r"not|never|neither|nor|no|none|nobody|nothing|hardly|scarcely|barely|rarely|seldom|cannot|without|den(?:y|ies)"
    r"|refus\w+|reject\w*|disagree\w*|false|untrue|wrong|unlikely|impossible|fail\w*|far from|anything but|opposite"
    r"|nowhere|less than|instead of|rather than"
)
_OF_OTHERS = r"previous|earlier|first|initial(?:ly)?|old|original|other|alternative|you|he|she|they|people|some(?:one)?"
_CLOUDED = re.compile(rf"\b(?:{_CONDITION}|{_HEDGE}|{_CONTRAST})\b")
_CONTRASTED = re.compile(rf"\b(?:{_CONTRAST})\b")
_NEGATED = re.compile(rf"(?:\b(?:{_NEGATION})\b|n't\b)")
_NOT_OURS = re.compile(rf"\b(?:{_CONDITION}|{_HEDGE}|{_NEGATION}|{_OF_OTHERS}|whether)\b|n't\b")
_TAKEN_BACK = re.compile(
    r"[ ,.:;!-]*(?:not|nope|no|never)\b(?! \w+ \w)|.*\b(?:nobody|no one|false|untrue|kidding|joking|opposite)\b"
)
_RULED_OUT = re.compile(r"\b(?:not|no|nor|never|than)(?: \w+)? ?$")
_OPEN = re.compile(r"\b(?:whether|either|between|one of|hard to (?:say|tell))\b")
_CLAUSE = re.compile(r".*(?:\b(?:so|therefore|thus|hence)\b|[;,]| - )")
_SECOND_THOUGHT = re.compile(
    r"^(?:(?:and|oh|um+|uh)[ ,]+)?(?:but|however|wait|actually|hmm+|hold on|although|though|yet|or\b|maybe|perhaps"
    r"|except|unless|if\b|only (?:if|when)|provided|depend|assuming|on the other hand|on second thoughts?|on reflection"
    r"|correction|no(?= ?[,.:;!-]| ?$)|nope|not\b|never ?mind|sorry|let(?: me| us|'s)|rather|then again|that said"
    r"|it depends|i should|i need|i (?:was|am) (?:wrong|mistaken|not|unsure)|i'm (?:not|unsure|wrong|mistaken)"
    r"|(?:that|this)(?:'s| is| was) (?:wrong|not|incorrect|false))\b"
    r"|\b(?:scratch that|strike that|t(?:ake|ook) (?:that|it) back|chang\w+ my (?:mind|answer|verdict)|second thoughts?"
    r"|reconsider\w*|i was wrong|mistaken|the opposite|i retract|not so fast|double[- ]check|re-?think\w*"
    r"|re-?evaluat\w+|correct myself|misread|my mistake|just kidding)\b"
)
_REFUSAL = re.compile(
    r"\b(?:i'm sorry|i am sorry|i apologi[sz]e|as an ai|unable to|not able to|i must decline|i don't know|no opinion"
    r"|(?:i|we) (?:cannot|can't|can not|won't|will not|refuse|decline)"
    r"|(?:not enough|insufficient) information)\b"
)
_ONE_WORD = re.compile(r"[+\-\w.,'/%]+[!;: ]*")


class _Statement(NamedTuple):
    """What one sentence says: a verdict, or UNREADABLE and why."""

    verdict: Verdict
    reason: str
    kind: Literal["named", "alone", "first", "prose", "unclear"]
    mentions: frozenset[Verdict]


@dataclass(frozen=True)
class _Grammar:
    """The patterns of one menu."""

    verdicts: Mapping[str, Verdict]
    token: re.Pattern[str]  # any spelling
    word: re.Pattern[str]  # one that stands out in prose: no bare 0 and 1
    alone: re.Pattern[str]
    first: re.Pattern[str]
    value: re.Pattern[str]
    prose: re.Pattern[str]

    def of(self, token: str) -> Verdict:
        """The verdict that a token spells; 1.00 is 1."""
        return self.verdicts[token.partition(".")[0] if _NUMBER.match(token) else token]

    def mentions(self, text: str) -> frozenset[Verdict]:
        """All verdicts that stand in `text`."""
        return frozenset(self.of(match[0]) for match in self.word.finditer(text))


@lru_cache(maxsize=64)
def _grammar(menu: tuple[tuple[str, Verdict], ...]) -> _Grammar:
    verdicts = {spelling.casefold(): verdict for spelling, verdict in menu}
    numbers = [s for s in verdicts if _NUMBER.match(s)]
    signed = "|".join(re.escape(s) for s in numbers if not s[0].isdigit())
    bare = "|".join(re.escape(s) for s in numbers if s[0].isdigit())
    letters = "|".join(sorted((re.escape(s) for s in verdicts if s not in numbers), key=len, reverse=True))
    forms = [rf"(?:{letters})(?![\w-])"] if letters else []
    forms += [rf"(?:{signed}){_ZEROS}"] if signed else []
    standing = "(?:" + "|".join(forms or ["(?!)"]) + ")"
    forms += [rf"(?:{bare}){_ZEROS}{_BARE_END}"] if bare else []
    token = "(?:" + "|".join(forms) + ")"
    return _Grammar(
        verdicts,
        re.compile(token),
        re.compile(rf"(?<![\w+.-]){standing}"),
        re.compile(rf"{_LEAD}({token})[.!,;: ]*"),
        re.compile(rf"{_LEAD}({standing})(?= ?[,.:;!-]| (?:{_REASON}))"),
        re.compile(rf"{_FILLER}({token}(?:{_JOIN}{token})*)"),
        re.compile(rf"{_LEAD}{_SUBJECT}{_FILLER}({standing})"),
    )


def parse_verdict(reply: str, cut: bool = False, menu: Menu = WORDS_AND_NUMBERS) -> Reading:
    """The last verdict that `reply` states and "", or UNREADABLE and why, in one line; raises for no reply.

    `cut` says that the reply ended at its token limit; `menu` holds the spellings of each verdict.
    """
    try:
        lines = plain_lines(reply)
    except OpenThought:
        return _unreadable("the reply ends before its reasoning does")
    if not lines:
        return _unreadable("the reply is empty")
    grammar = _grammar(tuple((spelling, verdict) for verdict, forms in menu.items() for spelling in forms))
    if _ONE_WORD.fullmatch(lines[-1]) and not grammar.alone.fullmatch(lines[-1]) and not _NAMED.search(lines[-1]):
        return _off_menu(lines[-1])
    return _last_statement(lines, grammar, cut)


def _unreadable(reason: str) -> Reading:
    return Verdict.UNREADABLE, reason


def _last_statement(lines: Sequence[str], grammar: _Grammar, cut: bool) -> Reading:
    """The reading of a reply's lines."""
    current: _Statement | None = None
    in_a_row: list[Verdict] = []  # verdicts on lines of their own, which may be the menu itself
    sentences = list(_sentences(lines))
    for (sentence, listed), (after, _) in zip(sentences, [*sentences[1:], ("", False)], strict=True):
        said = _statement(sentence, after, grammar)
        second_thought = bool(_SECOND_THOUGHT.search(sentence))
        in_a_row = [*in_a_row[-2:], said.verdict] if said is not None and said.kind == "alone" else []
        if len(set(in_a_row)) > (1 if listed else 2):
            said = _unclear(f"the last verdict is undecided: {_excerpt(', '.join(in_a_row))}", in_a_row)
        if said is None or (cut and said.kind == "prose"):
            if current and (second_thought or _REFUSAL.search(sentence) or sentence.endswith("?")):
                current = _unclear(f"the last verdict is taken back: {_excerpt(sentence)}", current.mentions)
        elif said.kind != "unclear" or current is None or current.kind == "unclear":
            if said.kind == "prose" and current and said.verdict is not current.verdict and not second_thought:
                said = said if current.kind in ("prose", "unclear") else _contradicted(sentence, said)
            current = said
        elif second_thought or "?" in sentence or current.verdict in said.mentions:
            current = said
    text = " ".join(lines)
    if current is None or (current.verdict is Verdict.UNREADABLE and _REFUSAL.search(text)):
        refused = bool(_REFUSAL.search(text))
        return _unreadable("the reply is a refusal" if refused else f"no verdict in the reply: {_excerpt(text)}")
    return current.verdict, current.reason


def _sentences(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Every sentence, and whether it begins an item of a list."""
    for line in lines:
        item = _BULLET.match(line)
        for i, sentence in enumerate(_SENTENCE.split(line[item.end() :] if item else line)):
            if re.search(r"\w", sentence):
                yield sentence.rstrip(" ,;").lstrip(" ,;:"), bool(item) and i == 0


def _statement(sentence: str, after: str, grammar: _Grammar) -> _Statement | None:
    """What a sentence says; None where it says nothing about a verdict. `after` is the next one."""
    *_, named = [None, *_NAMED.finditer(sentence)]
    if named is not None:
        value = sentence[named.end() :].strip(" :=")
        if not value and not _NAMED.search(after):
            value = after
        return _named(sentence[: named.start()], named[1], value, grammar)
    if alone := grammar.alone.fullmatch(sentence):
        return _stated("alone", grammar.of(alone[1]))
    mentions = grammar.mentions(sentence)
    if not mentions:
        return None
    first = grammar.first.match(sentence)
    found = first or grammar.prose.match(sentence)
    if found is not None and not (problem := _problem(found, sentence, grammar)):
        return _stated("first" if first else "prose", grammar.of(found[1]))
    if found is not None:
        reason = problem
    elif len(mentions) > 1 or "?" in sentence or _OPEN.search(sentence):
        reason = "undecided"
    else:
        reason = "negated" if _NEGATED.search(sentence) else "no plain statement"
    return _Statement(Verdict.UNREADABLE, f"the last verdict is {reason}: {_excerpt(sentence)}", "unclear", mentions)


def _named(before: str, name: str, value: str, grammar: _Grammar) -> _Statement | None:
    """What a named verdict says; None for a name of little weight that names no verdict (`Decision: push left`)."""
    if not value:
        return _Statement(Verdict.UNREADABLE, "the last verdict is missing", "named", frozenset())
    match = grammar.value.match(value)
    if match is None:
        off = _Statement(*_off_menu(value), "named", grammar.mentions(value))
        return off if re.fullmatch(_PRIMARY, name) else None
    said = {grammar.of(token[0]) for token in grammar.token.finditer(match[1])}
    problem = "undecided" if len(said) > 1 else _problem(match, value, grammar)
    # What stands before the name in its own clause may deny it; a reason in an earlier clause does not.
    clause = _CLAUSE.match(before)
    if not problem and (_NOT_OURS.search(before[clause.end() :] if clause else before) or _CLOUDED.match(before)):
        problem = "negated or conditional"
    if problem:
        reason = f"the last verdict is {problem}: {_excerpt(f'{before}{name} {value}'.strip())}"
        return _Statement(Verdict.UNREADABLE, reason, "named", frozenset(said))
    return _stated("named", said.pop())


def _problem(found: re.Match[str], text: str, grammar: _Grammar) -> str:
    """What is wrong with a statement, seen from what stands behind its verdict; "" for nothing."""
    said, rest = grammar.mentions(found[1]), text[found.end() :]
    for other in reversed(list(grammar.word.finditer(rest))):
        if ruled_out := _RULED_OUT.search(rest[: other.start()]):  # `good, not bad` is good
            rest = rest[: ruled_out.start()] + rest[other.end() :]
    if "?" in rest or len(said | grammar.mentions(rest)) > 1:
        return "undecided"
    if not _GOES_ON.match(rest):
        return "off the menu"
    if _IN_A_REASON.match(rest):
        return "conditional" if _CONTRASTED.search(rest) else ""
    if _CLOUDED.search(rest):
        return "conditional"
    return "negated" if _TAKEN_BACK.match(rest) else ""


def _stated(kind: Literal["named", "alone", "first", "prose"], verdict: Verdict) -> _Statement:
    return _Statement(verdict, "", kind, frozenset([verdict]))


def _unclear(reason: str, mentions: Iterable[Verdict]) -> _Statement:
    return _Statement(Verdict.UNREADABLE, reason, "unclear", frozenset(mentions))


def _contradicted(sentence: str, said: _Statement) -> _Statement:
    return _unclear(f"the last verdict is undecided, another is stated before: {_excerpt(sentence)}", said.mentions)


def _off_menu(text: str) -> Reading:
    return _unreadable(f"the last verdict is off the menu: {_excerpt(text)}")


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
