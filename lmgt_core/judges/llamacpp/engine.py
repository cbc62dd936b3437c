"""A GGUF model loaded by llama.cpp: text to tokens, tokens read in given pieces, log-probabilities of the next one.

llama.cpp calculates a token's state a little differently when it reads it beside other tokens (its issues 7594 and
28368): a question asked anew moved by .26 in log-probability with what the cache held. So a text is read in pieces that
the text alone decides, every piece as a batch of its own on top of those before it. A piece that was read before is
kept, whatever is not is read again in the same way, and answers are equal bit for bit in any order and company.
"""

import contextlib
import http.client
import importlib
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lmgt_core.errors import UserError
from lmgt_core.extras import need

PACKAGE = "xllamacpp"
TOP = 1000  # of a vocabulary, the next tokens whose log-probabilities come unasked: a token beyond costs a reading
FORCED = 1e6  # added to the logit of a token that is to be told; log-probabilities are taken before it
COMPLETION = "/completion"  # takes images, and tokens beside a projector; /v1/completions takes neither

PATIENCE = 3600  # seconds for an answer

Piece = tuple[int, ...]


@dataclass(frozen=True)
class Settings:
    """What an engine is loaded with; `projector` is the file that turns images into what the model reads."""

    file: Path
    context: int = 4096  # tokens that are kept
    threads: int = 1
    projector: Path | None = None


@dataclass(frozen=True)
class Written:
    """A reply: its text, and in how many tokens."""

    text: str
    tokens: int


class Engine:
    """One model in one process; a forked child loads its own. Belongs to one thread.

    The server inside listens on loopback only, at a free port, and wants a key that this process alone knows.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._key = secrets.token_hex(16)
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._server = load_server(self.settings, self._key)
        address = str(self._server.listening_address).rpartition("//")[2]
        self._connection = http.client.HTTPConnection(address, timeout=PATIENCE)
        self._read: list[Piece] = []  # what the model's memory holds
        self._goes_back = True  # whether the memory can be cut at a piece's end; recurrent models cannot

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        """What the server says about the model: its chat template, special tokens, context, senses."""
        return dict(self._ask("/props"))

    @property
    def context(self) -> int:
        """Tokens that fit: what was asked for, or what the model was trained with where that is less."""
        return int(self.properties["default_generation_settings"]["n_ctx"])

    @property
    def sees_images(self) -> bool:
        """Whether a projector for images is loaded."""
        return bool(self.properties["modalities"].get("vision"))

    def chat(self, turns: Sequence[Mapping[str, Any]]) -> str:
        """`turns` in the model's own chat format, up to where the answer begins."""
        settings = {"messages": list(turns), "chat_template_kwargs": {"enable_thinking": False}}
        return str(self._ask("/apply-template", settings)["prompt"])

    def tokens(self, text: str, begins: bool = False, control: bool = False) -> list[int]:
        """The tokens of `text`: with what opens a text where it `begins` one, control tokens read only on demand."""
        wanted = {"content": text, "add_special": begins, "parse_special": control}
        return [int(t) for t in self._ask("/tokenize", wanted)["tokens"]]

    def text(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`."""
        return str(self._ask("/detokenize", {"tokens": list(tokens)})["content"])

    def next_log_probs(self, pieces: Sequence[Piece], wanted: Sequence[int]) -> dict[int, float]:
        """Log-probabilities of the `wanted` tokens after the text in `pieces`, over the whole vocabulary."""
        found: dict[int, float] = {}
        for token in wanted:
            if token not in found:
                found |= _log_probs(self._complete(pieces, telling(token)))
        return {token: found[token] for token in wanted}

    def write(self, pieces: Sequence[Piece], most: int) -> Written:
        """The most probable continuation of the text in `pieces`, of `most` tokens or less."""
        answer = self._complete(pieces, {"n_predict": most, "n_probs": 0})
        self._read = []  # what was written is in the memory as well
        return Written(answer["content"], int(answer["tokens_predicted"]))

    def next_log_probs_seen(
        self, text: str, images: Sequence[str], wanted: Sequence[int]
    ) -> tuple[dict[int, float], int]:
        """The same after a text with `images` (base64) at its media markers, read whole; and its length in tokens."""
        found: dict[int, float] = {}
        length = 0
        for token in wanted:
            if token not in found:
                answer = self._complete_seen(text, images, telling(token))
                found |= _log_probs(answer)
                length = int(answer["tokens_evaluated"])
        return {token: found[token] for token in wanted}, length

    def write_seen(self, text: str, images: Sequence[str], most: int) -> Written:
        """The most probable continuation of a text with `images`."""
        answer = self._complete_seen(text, images, {"n_predict": most, "n_probs": 0})
        return Written(answer["content"], int(answer["tokens_predicted"]))

    def _complete(self, pieces: Sequence[Piece], asked: Mapping[str, Any]) -> dict[str, Any]:
        """What llama.cpp answers to the text in `pieces`, the last of which is always read anew."""
        if os.getpid() != self._process:
            self._start()
        if self._goes_back:
            answer = self._piecewise(pieces, asked)
            if answer is not None:
                return answer
            self._goes_back, self._read = False, []
        return self._send([t for piece in pieces for t in piece], asked, keep=False)

    def _piecewise(self, pieces: Sequence[Piece], asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer; None where the model's memory was not cut at a piece's end, so that more was read."""
        known = 0
        while known < min(len(pieces) - 1, len(self._read)) and pieces[known] == self._read[known]:
            known += 1
        before = [t for piece in pieces[:known] for t in piece]
        if before and _beginning(self._read, len(before)) == pieces[known][0]:
            # llama.cpp would go on from the longest common beginning; a token that differs makes it the kept pieces.
            other = pieces[known][0] ^ 1
            self._send([*before, other], {"n_predict": 0}, keep=True)
        for i in range(known, len(pieces)):
            text = [t for piece in pieces[: i + 1] for t in piece]
            last = i == len(pieces) - 1
            answer = self._send(text, asked if last else {"n_predict": 0}, keep=i > 0)
            if answer["timings"]["cache_n"] != len(text) - len(pieces[i]):
                return None
        self._read = list(pieces)
        return answer

    def _send(self, tokens: list[int], asked: Mapping[str, Any], keep: bool) -> dict[str, Any]:
        request = {"prompt": tokens, "temperature": 0, "id_slot": 0, "cache_prompt": keep, **asked}
        return dict(self._ask(COMPLETION, request))

    def _complete_seen(self, text: str, images: Sequence[str], asked: Mapping[str, Any]) -> dict[str, Any]:
        if os.getpid() != self._process:
            self._start()
        self._read = []
        prompt = {"prompt_string": text, "multimodal_data": list(images)}
        request = {"prompt": prompt, "temperature": 0, "id_slot": 0, "cache_prompt": False, **asked}
        return dict(self._ask(COMPLETION, request))

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What the server on loopback answers: a proxy of the user's is not asked."""
        if os.getpid() != self._process:
            self._start()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        for again in (True, False):
            try:
                content = None if body is None else json.dumps(body)
                self._connection.request("GET" if body is None else "POST", path, content, headers)
                reply = self._connection.getresponse()
                answer = json.loads(reply.read())
                break
            except (http.client.HTTPException, ConnectionError):  # closed while idle
                self._connection.close()
                if not again:
                    raise
        return _checked(answer)


def telling(token: int) -> dict[str, Any]:
    """What to ask for the log-probabilities of the likeliest next tokens, and of `token`.

    That is also the token which is written: after one that is a part of a character llama.cpp would tell nothing.
    """
    return {"n_predict": 1, "n_probs": TOP, "logit_bias": [[token, FORCED]]}


def _beginning(pieces: Sequence[Piece], at: int) -> int | None:
    """The token number `at` of `pieces`; None where they end before."""
    tokens = [t for piece in pieces for t in piece]
    return tokens[at] if at < len(tokens) else None


def _log_probs(answer: Mapping[str, Any]) -> dict[int, float]:
    first = answer["completion_probabilities"][0]
    found = {int(t["id"]): float(t["logprob"]) for t in first["top_logprobs"]}
    return found | {int(first["id"]): float(first["logprob"])}


def _checked(answer: Any) -> dict[str, Any]:
    """`answer`; EngineError where llama.cpp refuses."""
    if not isinstance(answer, dict) or "error" in answer or ("code" in answer and "message" in answer):
        error = answer.get("error", answer) if isinstance(answer, dict) else answer
        message = error.get("message", error) if isinstance(error, dict) else error
        raise EngineError(" ".join(str(message).split()))
    return answer


class EngineError(UserError):
    """What llama.cpp says where it does not answer a question."""


def load_server(settings: Settings, key: str) -> Any:
    """The model, loaded; UserError where the package is missing or the file cannot be loaded."""
    need(settings.file.name, PACKAGE)
    library: Any = importlib.import_module(PACKAGE)
    wanted = library.CommonParams()
    wanted.model.path = str(settings.file)
    if settings.projector is not None:
        wanted.mmproj.path = str(settings.projector)
    wanted.n_ctx, wanted.n_parallel = settings.context, 1
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = settings.threads
    wanted.hostnames, wanted.port, wanted.api_keys = ["127.0.0.1"], 0, [key]
    wanted.ui, wanted.endpoint_props, wanted.warmup, wanted.fit_params = False, False, False, False
    wanted.cache_ram_mib = 0  # it would bring back states that were read in other pieces
    wanted.swa_full = True  # models with sliding windows can then be cut back as well
    wanted.verbosity = 1  # errors; they are caught below
    with silent() as said:
        try:
            return library.Server(wanted)
        except (RuntimeError, ValueError, MemoryError, OSError) as error:
            reason = error_line(said()) or " ".join(str(error).split())
    raise UserError(f"{settings.file}: the model cannot be loaded ({reason})")


def error_line(said: str) -> str:
    """The line of llama.cpp's log that says best why a file was not loaded; "" where none does."""
    lines = [line.strip() for line in said.splitlines() if "error" in line.casefold()]
    best = [line for line in lines if "error loading model" in line.casefold()] or lines
    return best[0].rpartition("error loading model: ")[2] if best else ""


@contextlib.contextmanager
def silent() -> Iterator[Any]:
    """Keeps what C code writes to standard error off the screen; gives a function that returns it."""
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)

        def said() -> str:
            log.seek(0)
            return log.read().decode(errors="replace")

        try:
            yield said
        finally:
            os.dup2(screen, 2)
            os.close(screen)
