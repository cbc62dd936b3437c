"""A language model judges by how probable it finds each label, whole label strings over the same question.

No reply is parsed, so none is unreadable, and the same question has the same answer. `+1` and `-1` are two tokens in
many tokenizers and share the second one, so it is strings that are scored: log P(label | question) is the sum over the
label's tokens. A model that is to reason first (chain of thought) writes, and its reply is parsed.
"""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.judge import JudgeKind
from lmgt_core.judgment import Cost, Judgment, Verdict
from lmgt_core.prompt import Prompt
from lmgt_core.verdict_parser import parse_verdict

MENU = (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD)
Menu = Mapping[Verdict, tuple[str, ...]]  # a verdict's spellings; their probabilities add up
WORDS: Menu = {v: (v.value, v.value.capitalize()) for v in MENU}
NUMBERS: Menu = {Verdict.GOOD: ("+1", "1"), Verdict.NEUTRAL: ("0",), Verdict.BAD: ("-1",)}
Mode = Literal["auto", "score", "generate"]
MODES: tuple[Mode, ...] = ("auto", "score", "generate")
MAX_TOKENS = 256  # of a written reply


class Reply(NamedTuple):
    """What a model wrote, and in how many tokens."""

    text: str
    tokens: int


class LabelModel(Protocol):
    """A language model on this machine, with its chat template."""

    sees_images: bool
    context: int  # tokens that it can read and write

    def length(self, prompt: Prompt) -> int:
        """Tokens of the question, chat template included."""
        ...

    def score(self, prompts: Sequence[Prompt], labels: Sequence[str]) -> NDArray[np.float64]:
        """Log-probabilities [prompt, label] that the answer begins with each label."""
        ...

    def generate(self, prompts: Sequence[Prompt], max_tokens: int) -> list[Reply]:
        """What the model writes, taking the most probable token each time."""
        ...


def reasons_first(prompt: Prompt) -> bool:
    """Whether the question wants a reasoned reply that ends in `Verdict: ...` (then it is written and parsed).

    That is told by the system text alone, which is the template's; a world's words cannot switch it.
    """
    return "verdict:" in prompt.system.casefold()


def menu_of(prompt: Prompt) -> Menu:
    """The verdicts that the question offers: words, or +1 / 0 / -1 where it offers those; neutral only if named.

    A question that offers neither form is answered in all three words.
    """
    text = f"{prompt.system}\n{prompt.user}".casefold()
    if "good" in text and "bad" in text:
        return {v: WORDS[v] for v in MENU if v.value in text}
    if "+1" in text and "-1" in text:
        zero = re.search(r"(?<![\d.,+-])0(?![\d.,]*\d)", text)
        return {v: NUMBERS[v] for v in MENU if v is not Verdict.NEUTRAL or zero}
    return WORDS


def label_tokens_cap(menu: Menu) -> int:
    """Tokens that the longest label may take: one for each character, at the most."""
    return max(len(form) for forms in menu.values() for form in forms)


def verdict_probabilities(log_probs: Sequence[float], menu: Menu) -> tuple[float, float, float]:
    """(good, neutral, bad), summing to 1, from the log-probabilities of all spellings of `menu` in order."""
    scores = np.full(len(MENU), -np.inf)
    at = 0
    for verdict, forms in menu.items():
        scores[MENU.index(verdict)] = np.logaddexp.reduce(np.asarray(log_probs[at : at + len(forms)], np.float64))
        at += len(forms)
    weight = np.exp(scores - scores.max())
    good, neutral, bad = (weight / weight.sum()).tolist()
    return good, neutral, bad


def likeliest(probabilities: Sequence[float]) -> Verdict:
    """The most probable of (good, neutral, bad); of equals neutral, then bad: doubt never rewards."""
    return max((Verdict.NEUTRAL, Verdict.BAD, Verdict.GOOD), key=lambda v: probabilities[MENU.index(v)])


def scored_judgment(probabilities: tuple[float, float, float], menu: Menu, cost: Cost) -> Judgment:
    """The most probable verdict, its label as the reply."""
    best = likeliest(probabilities)
    return Judgment(best, probabilities, reply=menu[best][0], cost=cost)


class LabelScoringJudge:
    """Judges by a model on this machine: scores labels, or writes and parses where the question asks for reasons.

    Nothing is raised for what a prompt says: a question that is too long, or holds images that the model cannot see,
    is unreadable and says so.
    """

    cacheable = True

    def __init__(
        self, model: LabelModel, id: str, kind: JudgeKind, mode: Mode = "auto", max_tokens: int = MAX_TOKENS
    ) -> None:
        self.model = model
        self.kind = kind
        self.mode = mode
        self.max_tokens = max_tokens
        self.id = f"{id}:{mode}:{max_tokens}"

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """One judgment a prompt; all questions of one menu are scored together."""
        answers: dict[int, Judgment] = {}
        by_menu: dict[tuple[Verdict, ...], list[int]] = {}
        written: list[int] = []
        for i, prompt in enumerate(prompts):
            writes = self.mode == "generate" or (self.mode == "auto" and reasons_first(prompt))
            if reason := self._unanswerable(prompt, writes):
                answers[i] = Judgment(Verdict.UNREADABLE, reason=reason)
            elif writes:
                written.append(i)
            else:
                by_menu.setdefault(tuple(sum(menu_of(prompt).values(), ())), []).append(i)  # type: ignore[arg-type]
        for rows in by_menu.values():
            answers |= zip(rows, self._score([prompts[i] for i in rows]), strict=True)
        answers |= zip(written, self._write([prompts[i] for i in written]), strict=True)
        return [answers[i] for i in range(len(prompts))]

    def _unanswerable(self, prompt: Prompt, writes: bool) -> str:
        if prompt.images and not self.model.sees_images:
            return "the question has images, which this model cannot see"
        room = self.max_tokens if writes else label_tokens_cap(menu_of(prompt))
        if (length := self.model.length(prompt)) + room > self.model.context:
            return f"the question has {length} tokens; the model reads and writes {self.model.context}"
        return ""

    def _score(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        menu = menu_of(prompts[0])
        start = time.perf_counter()
        log_probs = self.model.score(prompts, [form for forms in menu.values() for form in forms])
        seconds = (time.perf_counter() - start) / len(prompts)
        return [
            scored_judgment(verdict_probabilities(row, menu), menu, Cost(seconds, self.model.length(p), 0))
            for p, row in zip(prompts, log_probs.tolist(), strict=True)
        ]

    def _write(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        if not prompts:
            return []
        start = time.perf_counter()
        replies = self.model.generate(prompts, self.max_tokens)
        seconds = (time.perf_counter() - start) / len(prompts)
        return [
            written_judgment(
                reply.text, Cost(seconds, self.model.length(p), reply.tokens), reply.tokens >= self.max_tokens
            )
            for p, reply in zip(prompts, replies, strict=True)
        ]


def written_judgment(reply: str, cost: Cost, cut: bool) -> Judgment:
    """The verdict in a reply; the reason of an unreadable one says when the reply was `cut` at its limit."""
    verdict, reason = parse_verdict(reply)
    if reason and cut:
        reason += "; the reply was cut at its token limit"
    return Judgment(verdict, reply=reply, reason=reason, cost=cost)


def mode_option(spec: object, value: str) -> Mode:
    """The mode named `value`; UserError for any other."""
    for mode in MODES:
        if mode == value:
            return mode
    raise UserError(f"--judge {spec}: mode={value} is none of {', '.join(MODES)}")


def whole_number(spec: object, name: str, value: str, least: int = 1) -> int:
    """An option's value as a whole number; UserError when it is none, or under `least`."""
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise UserError(f"--judge {spec}: {name}={value} is no whole number of at least {least}")
    return int(value)


def known_options(spec: object, given: Mapping[str, str], known: Sequence[str]) -> None:
    """UserError when an option is given that the judge does not know."""
    if "calibration" in given:  # what can calibrate takes this option off before it makes the judge
        raise UserError(f"--judge {spec}: calibration is not available here; leave it out")
    for name in given:
        if name not in known:
            raise UserError(f"--judge {spec}: unknown option {name}; it takes {', '.join(known)}")
