"""`lmgt judge serve`: one judge behind an OpenAI-compatible address, for many trainings at once.

Questions that arrive together are judged together. The answer is the judge's label, with the probabilities of all
labels as log-probabilities when they are asked for, so that `openai:MODEL@URL` reads what the judge would have said in
process. The answers that a question offers travel in a header (answers_header.py). Facts do not: only judges that read
the question's words can be served.
"""

import base64
import binascii
import hmac
import io
import json
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import MENU, WORDS, menu_of
from lmgt_core.judges.openai.answers_header import HEADER, read_answers
from lmgt_core.judging.description import Image
from lmgt_core.judging.judge import Judge, ask
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge, parse_spec

KEY = "LMGT_SERVE_KEY"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
BODY_LIMIT = 16 * 2**20  # bytes
WAITING = 1024  # questions; more are told to come back later
IDLE = 60.0  # seconds that a client may take for its request
CONTENT = "a turn's content is a text, or a list of text and image_url parts"
IMPOSSIBLE = -9999.0  # the log-probability that stands for a probability of 0 in this protocol


@dataclass(frozen=True)
class ServeConfig:
    """Serves one judge at http://HOST:PORT/v1; ask it with --judge openai:NAME@http://HOST:PORT/v1.

    With LMGT_SERVE_KEY in the environment, clients have to show that key (theirs is LMGT_API_KEY).
    """

    judge: str = "smollm2"
    """The judge to serve, by name: smollm2, hf:MODEL, ensemble:A,B, ..."""
    host: str = "127.0.0.1"
    """Where to listen; other machines are let in only with a key."""
    port: int = 8765
    """0 takes a free one and says which."""
    cache: Path | None = None
    """Remembers judgments in this file, over restarts too."""
    batch: int = 32
    """Questions judged together, at most."""
    wait_ms: float = 5.0
    """How long the first question of a batch waits for others, in milliseconds."""


class BadRequest(Exception):
    """What a client did wrong, in one line."""


class Batcher:
    """Judges in one thread what many threads ask; the judge is made there, since caches belong to one thread."""

    def __init__(self, make: Callable[[], Judge], batch: int, wait: float) -> None:
        self._asked: queue.Queue[tuple[Prompt, Future[Judgment]] | None] = queue.Queue(WAITING)
        self._batch, self._wait = batch, wait
        self._ready: Future[str] = Future()
        self._thread = threading.Thread(target=self._run, args=(make,), daemon=True)
        self._thread.start()

    def ready(self) -> str:
        """The judge's id, once it is loaded; raises what making it raised."""
        return self._ready.result()

    def ask(self, prompt: Prompt) -> Judgment:
        """The judgment, after the batch it falls into; queue.Full when too many wait already."""
        answer: Future[Judgment] = Future()
        self._asked.put_nowait((prompt, answer))
        return answer.result()

    def close(self) -> None:
        """Ends the thread after what was asked so far."""
        self._asked.put(None)
        self._thread.join()

    def _run(self, make: Callable[[], Judge]) -> None:
        try:
            judge = make()
        except BaseException as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(judge.id)
        while batch := self._collect():
            try:
                answers = ask(judge, [prompt for prompt, _ in batch])
            except Exception as error:  # one bad batch must not end the service
                for _, future in batch:
                    future.set_exception(error)
            else:
                for (_, future), answer in zip(batch, answers, strict=True):
                    future.set_result(answer)
        if isinstance(judge, JudgeCache):
            judge.close()

    def _collect(self) -> list[tuple[Prompt, "Future[Judgment]"]]:
        """The next questions, [] at the end."""
        first = self._asked.get()
        if first is None:
            return []
        batch, until = [first], time.monotonic() + self._wait
        while len(batch) < self._batch:
            try:
                more = self._asked.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if more is None:
                self._asked.put(None)
                break
            batch.append(more)
        return batch


class JudgeServer(ThreadingHTTPServer):
    """Answers /v1/models and /v1/chat/completions with a judge."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], batcher: Batcher, names: tuple[str, ...], key: str = "") -> None:
        super().__init__(address, JudgeHandler)
        self.batcher, self.names, self.key = batcher, names, key

    @property
    def url(self) -> str:
        """The base address for clients."""
        host, port = self.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}/v1"


class JudgeHandler(BaseHTTPRequestHandler):
    """One client's connection."""

    server: JudgeServer
    protocol_version = "HTTP/1.1"
    timeout = IDLE

    def do_GET(self) -> None:
        """The models that are served: one."""
        if not self._allowed():
            return
        if self.path.rstrip("/") != "/v1/models":
            return self.refuse(404, "there are /v1/models and /v1/chat/completions here")
        models = [{"id": name, "object": "model", "owned_by": "lmgt"} for name in self.server.names]
        self.answer(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        """A judgment in the form of a chat completion."""
        body = self._body()
        if body is None or not self._allowed():
            return
        if self.path.rstrip("/") != "/v1/chat/completions":
            return self.refuse(404, "there are /v1/models and /v1/chat/completions here")
        try:
            request = json.loads(body)
            prompt = read_request(request, self.headers.get(HEADER, ""))
        except (ValueError, RecursionError) as error:
            return self.refuse(400, f"the request is not JSON ({error})")
        except BadRequest as error:
            return self.refuse(400, str(error))
        if request.get("model") not in self.server.names:
            return self.refuse(404, f"model {request.get('model')!r} is not served; there is {self.server.names[0]}")
        self.complete(request, prompt)

    def complete(self, request: dict[str, Any], prompt: Prompt) -> None:
        """Asks the judge and answers."""
        try:
            judgment = self.server.batcher.ask(prompt)
        except queue.Full:
            return self.refuse(429, "too many questions are waiting", {"Retry-After": "1"})
        except Exception as error:
            print(f"lmgt judge serve: {type(error).__name__}: {error}", file=sys.stderr)
            return self.refuse(500, "the judge failed; see the server's messages")
        if judgment.abstained or (judgment.verdict is Verdict.UNREADABLE and not judgment.reply):
            return self.refuse(400, judgment.reason)
        self.answer(200, completion(request, prompt, judgment))

    def answer(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        """Sends JSON."""
        body = json.dumps(content).encode()
        self.send_response(status)
        own = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in {**own, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        """Sends an error in the protocol's form."""
        self.answer(status, {"error": {"message": message, "type": "lmgt", "code": status}}, headers)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: what is asked is the clients' business."""

    def _allowed(self) -> bool:
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not self.server.key or hmac.compare_digest(shown.encode(), self.server.key.encode()):
            return True
        self.refuse(401, "this server wants a key")
        return False

    def _body(self) -> bytes | None:
        """The request's body; None when it has no length or is too long, which is then answered."""
        length = self.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and int(length) <= BODY_LIMIT:
            return self.rfile.read(int(length))
        self.close_connection = True
        self.refuse(413, f"a request has a Content-Length of at most {BODY_LIMIT}")
        return None


def read_request(request: Any, answers: str = "") -> Prompt:
    """The question in a chat-completion request: system texts, then one user turn; BadRequest for anything else.

    `answers` is the header with the answers that the question offers, "" for none.
    """
    messages = request.get("messages") if isinstance(request, dict) else None
    if not isinstance(messages, list) or not messages:
        raise BadRequest("a request has a list of messages")
    if request.get("stream"):
        raise BadRequest("answers are not streamed here; leave out stream")
    system: list[str] = []
    user: list[str] = []
    images: list[Image] = []
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        if role in ("system", "developer"):
            system.append(_content(message.get("content"))[0])
        elif role == "user" and not user:
            text, images = _content(message.get("content"))
            user.append(text)
        else:
            raise BadRequest("a judge answers one question: system turns and a single user turn")
    if not user:
        raise BadRequest("there is no user turn")
    try:
        offered = read_answers(answers)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    try:  # half a character would end in an error for everybody in the same batch
        "".join([*system, *user, *(word for word, _ in offered)]).encode()
    except UnicodeEncodeError:
        raise BadRequest("the question holds half a character (a lone surrogate)") from None
    return Prompt("\n".join(system), user[0], tuple(images), answers=offered)


def _content(content: Any) -> tuple[str, list[Image]]:
    """The text and the images of a turn."""
    if isinstance(content, str):
        return content, []
    texts: list[str] = []
    images: list[Image] = []
    for part in content if isinstance(content, list) else [None]:
        if not isinstance(part, dict):
            raise BadRequest(CONTENT)
        text, picture = part.get("text"), part.get("image_url")
        if part.get("type") == "text" and isinstance(text, str):
            texts.append(text)
        elif part.get("type") == "image_url" and isinstance(picture, dict):
            images.append(_image(picture.get("url")))
        else:
            raise BadRequest(CONTENT)
    return "\n".join(texts), images


def _image(url: Any) -> Image:
    """The picture in a data URL; addresses are not fetched."""
    from PIL import Image as Picture

    head, comma, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise BadRequest("an image is given as data:image/...;base64,...")
    try:
        with Picture.open(io.BytesIO(base64.b64decode(data, validate=True))) as picture:
            return np.asarray(picture.convert("RGB"), dtype=np.uint8)
    except (binascii.Error, OSError, ValueError, Picture.DecompressionBombError):
        raise BadRequest("an image cannot be read") from None


def completion(request: dict[str, Any], prompt: Prompt, judgment: Judgment) -> dict[str, Any]:
    """The chat completion that says `judgment`."""
    menu = menu_of(prompt)
    words = {v: (menu.get(v) or WORDS[v])[0] for v in MENU}
    text = judgment.reply or words[judgment.verdict]
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    if request.get("logprobs") and judgment.probabilities is not None and text in words.values():
        chances = dict(zip((words[v] for v in MENU), judgment.probabilities, strict=True))
        scores = {word: math.log(p) if p > 0 else IMPOSSIBLE for word, p in chances.items()}
        top = [{"token": w, "logprob": s} for w, s in sorted(scores.items(), key=lambda item: -item[1])]
        choice["logprobs"] = {"content": [{"token": text, "logprob": scores[text], "top_logprobs": top}]}
    read, wrote = judgment.cost.prompt_tokens, max(judgment.cost.reply_tokens, 1)
    return {
        "id": f"lmgt-{prompt.digest[:16]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote},
    }


def open_server(config: ServeConfig) -> JudgeServer:
    """The server of `config`, its judge loaded, listening but not yet answering; UserError where that cannot be."""
    key = os.environ.get(KEY, "").strip()
    if config.host not in LOOPBACK and not key:
        raise UserError(f"--host {config.host}: other machines are let in only with a key; set {KEY}")
    if not 0 <= config.port < 65536 or config.batch < 1 or not config.wait_ms >= 0:
        raise UserError("--port is 0 to 65535, --batch 1 or more, --wait-ms 0 or more")
    batcher = Batcher(lambda: _make(config), config.batch, config.wait_ms / 1000)
    batcher.ready()
    names = tuple(dict.fromkeys([str(parse_spec(config.judge)), parse_spec(config.judge).provider]))
    try:
        return JudgeServer((config.host, config.port), batcher, names, key)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"--port {config.port}: cannot listen on {config.host} ({reason}); choose another") from None


def _make(config: ServeConfig) -> Judge:
    judge = make_judge(config.judge, JudgeContext("serve"))
    if judge is None:
        raise UserError("--judge none: there is nothing to serve")
    return JudgeCache(judge, config.cache) if config.cache is not None else judge


def main(config: ServeConfig) -> None:
    """Serves until it is interrupted."""
    with open_server(config) as server:
        name = server.names[-1]
        print(f"serving {config.judge} at {server.url}; ask it with --judge openai:{name}@{server.url}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped", flush=True)
        finally:
            server.batcher.close()
