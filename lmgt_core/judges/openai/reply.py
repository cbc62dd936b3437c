"""What an OpenAI-compatible server answered, read without trust: any JSON, of any shape, becomes a value."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmgt_core.judges.label_scoring import MENU, Menu
from lmgt_core.judging.judgment import Verdict

Probabilities = tuple[float, float, float]
LONGEST_REASON = 200  # characters of a server's message that are passed on


class BadReply(Exception):
    """The answer is not what the protocol says; one line why."""


@dataclass(frozen=True)
class Completion:
    """A reply with the log-probabilities of the alternatives to each of its tokens, if given, and what it took."""

    text: str
    alternatives: tuple[tuple[str, Mapping[str, float]], ...]  # (token, {alternative: log-probability})
    cut: bool
    filtered: bool
    prompt_tokens: int
    reply_tokens: int


def read_completion(answer: Any) -> Completion:
    """The first choice of a chat completion; BadReply where there is none."""
    try:
        choice = answer["choices"][0]
        message = choice["message"]
        text = message.get("content") or message.get("refusal") or ""
        usage = answer.get("usage") or {}
        finish = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise BadReply("its answer holds no message") from None
    if not isinstance(text, str) or not isinstance(usage, dict):
        raise BadReply("its answer holds no text")
    return Completion(
        text,
        _alternatives(choice.get("logprobs")),
        finish == "length",
        finish == "content_filter",
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
    )


def _count(value: Any) -> int:
    """Tokens as the server counts them; 0 where it says nothing usable."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _alternatives(logprobs: Any) -> tuple[tuple[str, Mapping[str, float]], ...]:
    """() where the server gives none, or in a form that is not the protocol's."""
    try:
        return tuple(
            (
                str(token["token"]),
                {str(a["token"]): float(a["logprob"]) for a in [*reversed(token.get("top_logprobs") or []), token]},
            )
            for token in logprobs["content"]
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def label_probabilities(completion: Completion, menu: Menu) -> Probabilities | None:
    """(good, neutral, bad) from the alternatives to the reply's first token, when the reply is nothing but a label.

    An alternative counts for a verdict when it begins a spelling of that verdict and of no other. What is not among
    the alternatives has probability 0. None without log-probabilities, or where the reply says more than a label.
    """
    if _bare(completion.text) not in _spellings(menu):
        return None
    first = next((a for token, a in completion.alternatives if token.strip()), None)
    if first is None:
        return None
    mass = dict.fromkeys(MENU, 0.0)
    for token, log_probability in first.items():
        begun = {v for text, v in _spellings(menu).items() if _bare(token) and text.startswith(_bare(token))}
        if len(begun) == 1 and log_probability <= 0 and not math.isnan(log_probability):
            mass[begun.pop()] += math.exp(log_probability)
    total = sum(mass.values())
    if not total > 0:
        return None
    return mass[Verdict.GOOD] / total, mass[Verdict.NEUTRAL] / total, mass[Verdict.BAD] / total


def _spellings(menu: Menu) -> dict[str, Verdict]:
    return {form.casefold(): verdict for verdict, forms in menu.items() for form in forms}


def _bare(text: str) -> str:
    """A word without spaces, quotes and full stop around it."""
    return text.strip(" \t\r\n\"'*`").rstrip(".!").casefold()


def server_message(body: Any) -> str:
    """What an error answer says, in one short line; "" where it says nothing."""
    found = body
    for key in ("error", "message"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    text = " ".join(str(found).split()) if isinstance(found, str) else ""
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 3] + "..."
