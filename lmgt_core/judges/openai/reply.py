"""What an OpenAI-compatible server answered, read without trust: any JSON, of any shape, becomes a value."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_REASON = 200  # characters of a server's message that are passed on
_ECHOES = frozenset({"input", "body", "request", "messages", "url", "id", "request_id"})  # what was asked, sent back
_THOUGHT_PARTS = frozenset({"thinking", "reasoning", "redacted_thinking", "reasoning_text"})
_CUT = frozenset({"length", "max_tokens", "max_length", "model_length", "max_output_tokens"})


class BadReply(Exception):
    """The answer is not what the protocol says; one line why, and the status that it names in its place."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Completion:
    """A reply with the log-probabilities of the alternatives to each of its tokens, if given, and what it took."""

    text: str
    alternatives: tuple[tuple[str, Mapping[str, float]], ...]  # (token, {alternative: log-probability})
    cut: bool
    filtered: bool
    prompt_tokens: int
    reply_tokens: int
    refused: bool = False


def read_completion(answer: Any) -> Completion:
    """The first choice of a chat completion; BadReply, with the server's own words, where there is none."""
    try:
        choice = answer["choices"][0]
        message = choice["message"]
        content, refusal = message.get("content"), message.get("refusal")
        usage = answer.get("usage") or {}
        finish = str(choice.get("finish_reason")).casefold()
        failed = choice.get("error") or (finish == "error" and "the server failed while it answered")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise _no_message(answer, "its answer holds no message") from None
    text = _text(content)
    if failed and not text:
        raise _no_message(failed, "")
    if text is None or not isinstance(usage, dict):
        raise _no_message(answer, "its answer holds no text")
    return Completion(
        text or (refusal if isinstance(refusal, str) else ""),
        _alternatives(choice.get("logprobs")),
        finish in _CUT,
        finish == "content_filter",
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        bool(refusal) and not text,
    )


def _no_message(answer: Any, reason: str) -> BadReply:
    said = server_message(answer)
    error = answer.get("error", answer) if isinstance(answer, dict) else None
    status = _count(error.get("code") or error.get("status")) if isinstance(error, dict) else 0
    return BadReply(", ".join(filter(None, (reason, said))), status)


def _text(content: Any) -> str | None:
    """The text in a message's content: a string, parts (thoughts left out), or null; None for other things."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return None
    parts = [part.get("text") or "" if isinstance(part, dict) else part for part in content if not _is_thought(part)]
    return "".join(parts) if all(isinstance(part, str) for part in parts) else None


def _is_thought(part: Any) -> bool:
    return isinstance(part, dict) and (part.get("type") in _THOUGHT_PARTS or part.get("thought") is True)


def _count(value: Any) -> int:
    """Tokens as the server counts them; 0 where it says nothing usable."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _alternatives(logprobs: Any) -> tuple[tuple[str, Mapping[str, float]], ...]:
    """() where the server gives none, or in a form that is not the protocol's, or two numbers for one token."""
    try:
        read = []
        for token in logprobs["content"]:
            said, own = str(token["token"]), float(token["logprob"])
            others = {str(a["token"]): float(a["logprob"]) for a in token.get("top_logprobs") or []}
            if said in others and not (others[said] == own or math.isclose(others[said], own, abs_tol=0.05)):
                return ()
            read.append((said, {said: own} | others))
        return tuple(read)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def server_message(body: Any) -> str:
    """What an error answer says, in one short line; "" where it says nothing."""
    text = next((said for said in _messages(body) if said), "")
    if not text and isinstance(body, dict):
        text = " ".join(_strings(body))
    text = " ".join(text.split())
    if text.lstrip().casefold().startswith(("<!doctype", "<html")):
        text = "a web page, not an answer of this protocol"
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 3] + "..."


def all_words(body: Any) -> str:
    """Every word of an error answer in lower case, names of fields too; what it sends back of the question left out."""
    return " ".join(_strings(body, names=True)).casefold()


def _messages(body: Any) -> Iterator[str]:
    """The texts under the names that servers use for them, the best known first."""
    if isinstance(body, dict):
        for name in ("message", "msg", "error", "detail", "details", "errors", "error_description", "reason"):
            inner = body.get(name)
            if name == "msg" and isinstance(inner, str) and isinstance(body.get("loc"), list):
                inner = f"{'.'.join(map(str, body['loc']))}: {inner}"
            yield from _messages(inner)
    elif isinstance(body, list) and any(isinstance(part, dict) for part in body):
        yield "; ".join(said for part in body for said in list(_messages(part))[:1])
    elif isinstance(body, str):
        yield body


def _strings(body: Any, names: bool = False) -> Iterator[str]:
    """All texts and numbers in JSON, and the JSON that stands in a text."""
    if isinstance(body, dict):
        for name, inner in body.items():
            if name not in _ECHOES:
                yield from ([str(name)] if names else [])
                yield from _strings(inner, names)
    elif isinstance(body, list):
        for part in body:
            yield from _strings(part, names)
    elif isinstance(body, str):
        try:
            inner = json.loads(body) if body.lstrip()[:1] in ("{", "[") else body
        except (ValueError, RecursionError):
            inner = body
        yield from ([body] if isinstance(inner, str) else _strings(inner, names))
    elif isinstance(body, int | float) and not isinstance(body, bool):
        yield str(body)
