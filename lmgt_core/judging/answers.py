"""The answers that a template offers, and the verdict that each stands for: the head of a template's file.

    yes: good
    no: bad
    yes if kind is pick: bad
    no if kind is pick: good

A line holds an answer and its verdict; `if FACT is VALUE` gives the answer another verdict where a description's facts
say so. A small model that cannot say whether an action is good often can say whether a toaster belongs on a counter.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import VERDICTS, Verdict

_LINE = re.compile(
    r"(?P<word>[^:]+?)(?: if (?P<fact>\w+) is (?P<value>[^:]+?))? *: *(?P<verdict>good|neutral|bad)", re.IGNORECASE
)
Offered = tuple[tuple[str, Verdict], ...]


@dataclass(frozen=True)
class Answer:
    """An answer's word and verdict; where `fact` is named, only for descriptions in which it has this `value`."""

    word: str
    verdict: Verdict
    fact: str = ""
    value: str = ""


def read_answers(head: str, name: str) -> tuple[Answer, ...]:
    """The answers in the head of the template `name`; UserError for a line that is none, and for a useless menu."""
    answers = []
    for line in filter(None, map(str.strip, head.splitlines())):
        if not (found := _LINE.fullmatch(line)):
            raise UserError(f"{name}: {line!r} offers no answer; write `yes: good`, or `yes if kind is pick: bad`")
        verdict = Verdict(found["verdict"].lower())
        answers.append(Answer(found["word"].strip(), verdict, found["fact"] or "", found["value"] or ""))
    always = {answer.word: answer.verdict for answer in answers if not answer.fact}
    if len(set(always.values())) < 2:
        raise UserError(
            f"{name}: its answers give fewer than two verdicts; offer at least two, like yes: good, no: bad"
        )
    if unknown := sorted({answer.word for answer in answers} - set(always)):
        raise UserError(f"{name}: the answer {unknown[0]} is only offered `if`; say what it means otherwise")
    return tuple(answers)


def offered(answers: Sequence[Answer], facts: Mapping[str, str]) -> Offered:
    """The words that are offered about a description with these facts, in the template's order, with their verdicts."""
    meaning: dict[str, Verdict] = {}
    for answer in answers:
        if not answer.fact or facts.get(answer.fact) == answer.value:
            meaning[answer.word] = answer.verdict
    return tuple(meaning.items())


def spellings(answers: Offered) -> dict[Verdict, tuple[str, ...]]:
    """The spellings of each verdict: an answer's word as the template has it, in small letters, and capitalised."""
    menu: dict[Verdict, tuple[str, ...]] = {}
    for verdict in VERDICTS:
        words = [
            w for word, stands_for in answers if stands_for is verdict for w in (word, word.lower(), word.capitalize())
        ]
        if words:
            menu[verdict] = tuple(dict.fromkeys(words))
    return menu
