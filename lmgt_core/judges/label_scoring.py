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
from lmgt_core.judging.answers import spellings
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import VERDICTS, Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.verdict_parser import parse_verdict

MENU = VERDICTS
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
    """The answers of the question's template; without them the verdicts that its texts name.

    Those are words, or +1 / 0 / -1 where it names those; neutral only if named. A question that names neither is
    answered in all three words.
    """
    if prompt.answers:
        return spellings(prompt.answers)
    text = f"{prompt.system}\n{prompt.user}".casefold()
    if "good" in text and "bad" in text:
        return {v: WORDS[v] for v in MENU if v.value in text}
    if "+1" in text and "-1" in text:
        zero = re.search(r"(?<![\d.,+-])0(?![\d.,]*\d)", text)
        return {v: NUMBERS[v] for v in MENU if v is not Verdict.NEUTRAL or zero}
    return WORDS


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
        """One judgment a prompt; all questions that offer the same words are scored together, equal texts once."""
        answers: dict[int, Judgment] = {}
        lengths: dict[int, int] = {}
        together: dict[frozenset[str], list[int]] = {}  # by the words that are offered; none for written answers
        for i, prompt in enumerate(prompts):
            menu = {} if self._writes(prompt) else menu_of(prompt)
            if prompt.images and not self.model.sees_images:
                answers[i] = _unanswerable("the question has images, which this model cannot see")
                continue
            lengths[i] = self.model.length(prompt)
            if lengths[i] + (max(map(len, _forms(menu))) if menu else self.max_tokens) > self.model.context:
                limit = f"the question has {lengths[i]} tokens; the model reads and writes {self.model.context}"
                answers[i] = _unanswerable(limit)
                continue
            together.setdefault(frozenset(_forms(menu)), []).append(i)
        for offered, rows in together.items():
            ask = self._score if offered else self._write
            answers |= zip(rows, ask([prompts[i] for i in rows], [lengths[i] for i in rows]), strict=True)
        return [answers[i] for i in range(len(prompts))]

    def _writes(self, prompt: Prompt) -> bool:
        return self.mode == "generate" or (self.mode == "auto" and reasons_first(prompt))

    def _score(self, prompts: Sequence[Prompt], lengths: Sequence[int]) -> list[Judgment]:
        words = _forms(menu_of(prompts[0]))
        texts = [Prompt(p.system, p.user, p.images).digest for p in prompts]  # a pick and a place may share one
        alike = dict(zip(texts, prompts, strict=True))
        start = time.perf_counter()
        scores = self.model.score(list(alike.values()), words)
        seconds = (time.perf_counter() - start) / len(prompts)
        found = {text: dict(zip(words, row, strict=True)) for text, row in zip(alike, scores.tolist(), strict=True)}
        judgments = []
        for prompt, text, length in zip(prompts, texts, lengths, strict=True):
            menu = menu_of(prompt)
            probabilities = verdict_probabilities([found[text][word] for word in _forms(menu)], menu)
            judgments.append(scored_judgment(probabilities, menu, Cost(seconds, length)))
        return judgments

    def _write(self, prompts: Sequence[Prompt], lengths: Sequence[int]) -> list[Judgment]:
        start = time.perf_counter()
        replies = self.model.generate(prompts, self.max_tokens)
        seconds = (time.perf_counter() - start) / len(prompts)
        return [
            written_judgment(prompt, reply.text, Cost(seconds, length, reply.tokens), reply.tokens >= self.max_tokens)
            for prompt, reply, length in zip(prompts, replies, lengths, strict=True)
        ]


def _forms(menu: Menu) -> tuple[str, ...]:
    """All spellings of a menu in order; a spelling has at most one token a character."""
    return tuple(form for forms in menu.values() for form in forms)


def _unanswerable(reason: str) -> Judgment:
    return Judgment(Verdict.UNREADABLE, reason=reason)


def written_judgment(prompt: Prompt, reply: str, cost: Cost, cut: bool) -> Judgment:
    """The verdict in a reply to `prompt`; the reason of an unreadable one says when it was `cut` at its limit."""
    verdict, reason = parse_verdict(reply, cut, menu_of(prompt)) if prompt.answers else parse_verdict(reply, cut)
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
