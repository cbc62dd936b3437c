"""One OpenAI-compatible server: questions in, completions out, whatever servers do meanwhile.

The openai package makes the requests and names the errors; tenacity tries again. Ours is what neither has: limits a
minute and a budget that every try counts for, answers in 200 that are none, waits drawn from a generator of our own
(both draw theirs from Python's shared one, which would change what agents draw), and learning what a server does not
understand. Judges and captioners use the same one.
"""

import base64
import io
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from lmgt_core.errors import UserError
from lmgt_core.judges.openai.answers_header import write_answers
from lmgt_core.judges.openai.dialect import TOP, Dialect
from lmgt_core.judges.openai.rate_limits import Budget, MinuteLimit
from lmgt_core.judges.openai.reply import BadReply, Completion, all_words, read_completion, server_message
from lmgt_core.judges.openai.settings import BYTES_PER_TOKEN, KEYS, ServerSettings
from lmgt_core.judging.answers import Offered
from lmgt_core.judging.description import Image

TRY_AGAIN = frozenset({408, 409, 425, 429})  # and everything from 500 on
NO_PAGE = frozenset({404, 405, 410})
_ABOUT_THE_KEY = re.compile(r"\bkey\b|api.?key|auth|credential|\btoken\b|log ?in|sign in|password")
_ABOUT_THE_MODEL = re.compile(r"model|deployment")
_ABOUT_THE_PAGE = re.compile(r"web page|page not found|endpoint|no route|cannot post|invalid url|\bpath\b|method")


class Question(NamedTuple):
    """What is asked once, how many tokens the answer may have, and the answers that the question offers."""

    system: str
    user: str
    images: tuple[Image, ...]
    room: int
    log_probabilities: bool = False
    answers: Offered = ()


class NoAnswer(Exception):
    """A question that stays without an answer; why, in one line."""


class UsedUp(Exception):
    """A budget is used up; which, in one line."""


class _Failed(Exception):
    """One try that gave no answer: all words of the refusal, its status, how long the server asks to wait."""

    def __init__(self, reason: str, status: int = 0, words: str = "", after: float | None = None) -> None:
        super().__init__(reason)
        self.status, self.words, self.after = status, words, after
        self.again = status < 300 or status in TRY_AGAIN or status >= 500


class ChatServer:
    """Asks one model on one server, from many threads at once.

    UserError only while the server has not answered anything yet: a wrong key, model or address.
    """

    def __init__(
        self,
        settings: ServerSettings,
        rng: np.random.Generator,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.settings = settings
        self.budget = Budget(settings.limits)
        self._client = _client(settings)
        self._rng, self._sleep = rng, sleep
        self._requests = MinuteLimit(settings.rpm, clock, sleep)
        self._tokens = MinuteLimit(settings.tpm, clock, sleep)
        self._dialect, self._lock = Dialect(), threading.Lock()
        self._answered = False

    def ask(self, question: Question, used_up: Callable[[], str] = lambda: "") -> Completion:
        """The completion, after as many tries as it may take.

        NoAnswer without one; UsedUp where `used_up`, asked before each request, names a budget.
        """
        from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

        def wait(state: RetryCallState) -> float:
            failure = state.outcome.exception() if state.outcome else None
            with self._lock:
                return self.settings.backoff.wait(state.attempt_number, self._rng, getattr(failure, "after", None))

        retrying = Retrying(
            stop=stop_after_attempt(self.settings.tries),
            wait=wait,
            sleep=self._pause,
            retry=retry_if_exception(lambda error: isinstance(error, _Failed) and error.again),
            reraise=True,
        )
        try:
            completion = retrying(self._try, question, used_up)
        except _Failed as failure:
            reason = self.clean(str(failure))
            if not self._answered and (mistake := self._mistake(failure.status, reason)):
                raise UserError(mistake) from None
            tries = f" in {self.settings.tries} tries; the last" if failure.again else ""
            raise NoAnswer(f"no answer{tries}: {reason}") from None
        self._answered = True
        return replace(completion, text=self.clean(completion.text))

    def _pause(self, seconds: float) -> None:
        self._sleep(seconds)

    def check(self) -> None:
        """UserError when the server is out of reach, refuses the key, or is at .../v1; one without /models is fine."""
        import openai

        short = self._client.with_options(timeout=min(10.0, self.settings.timeout))
        try:
            short.models.with_raw_response.list()
        except openai.APIStatusError as error:
            status, said = error.status_code, self.clean(server_message(_body(error.response)))
            if status == 401 or (status == 403 and _ABOUT_THE_KEY.search(said.casefold())):
                raise UserError(self._key_refused(status, said)) from None
            if (
                status in NO_PAGE
                and not self._has_path()
                and self._is_there(short.with_options(base_url=self._longer()))
            ):
                raise UserError(self._no_page(f"HTTP {status}")) from None
        except openai.APIConnectionError as error:
            url, reason = self.settings.url, self.clean(_cause(error))
            raise UserError(f"--judge openai: {url} cannot be reached ({reason}); is it up?") from None

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def dollars(self, prompt_tokens: int, reply_tokens: int) -> float:
        """What so many tokens cost."""
        return prompt_tokens * self.settings.price_in + reply_tokens * self.settings.price_out

    def clean(self, text: str) -> str:
        """`text` without the key: a server may send back what it was sent."""
        return text.replace(self.settings.key, "***") if self.settings.key else text

    def _try(self, question: Question, used_up: Callable[[], str]) -> Completion:
        """One request, and more of them while the refusals name what can be left out.

        Each question learns for itself, since all in flight were asked alike, and only what then got an answer is
        remembered for the others: a question's own failure teaches nothing.
        """
        dialect = self._dialect if question.log_probabilities else replace(self._dialect, top=0)
        estimate = len(question.system + question.user) // BYTES_PER_TOKEN
        while True:
            if why := used_up():
                raise UsedUp(why)
            self._requests.take(1)
            self._tokens.take(estimate + question.room)
            try:
                completion = self._send(question, dialect)
            except _Failed as failure:
                if failure.status < 300:
                    self._spend(estimate, 0)
                narrower = dialect.after(failure.words)
                if narrower is None:
                    raise
                dialect = narrower
                continue
            self._spend(completion.prompt_tokens or estimate, completion.reply_tokens or 1)
            with self._lock:
                learnt = dialect if question.log_probabilities else replace(dialect, top=TOP)
                self._dialect = self._dialect.also(learnt)
            return completion

    def _send(self, question: Question, dialect: Dialect) -> Completion:
        """What the server answered; _Failed for everything else."""
        import openai

        try:
            answer = self._client.chat.completions.with_raw_response.create(**self._request(question, dialect))
        except openai.APIConnectionError as error:
            raise _Failed(_cause(error)) from None
        except openai.APIStatusError as error:
            body, headers = _body(error.response), error.response.headers
            told = [f"HTTP {error.status_code}", server_message(body), headers.get("location", "")]
            raise _Failed(
                ", ".join(filter(None, told)), error.status_code, _words(body), _retry_after(headers)
            ) from None
        body = _body(answer.http_response)
        if isinstance(body, str):
            told = ["its answer is not JSON", server_message(body)]
            raise _Failed(", ".join(filter(None, told)), words=_words(body))
        try:
            return read_completion(body)
        except BadReply as error:
            raise _Failed(str(error), error.status if error.status >= 400 else 0, _words(body)) from None

    def _request(self, question: Question, dialect: Dialect) -> dict[str, Any]:
        system, user = question.system, question.user
        if system and not dialect.system:
            system, user = "", f"{system}\n\n{user}".strip()
        pictures = [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in question.images]
        content = [*pictures, {"type": "text", "text": user}] if pictures else user
        messages = [{"role": "system", "content": system}] if system else []
        request: dict[str, Any] = {
            "model": self.settings.model,
            "messages": [*messages, {"role": "user", "content": content}],
        }
        if dialect.room:
            request[dialect.room] = question.room
        if dialect.temperature:
            request["temperature"] = 0.0
        if question.answers:
            request["extra_headers"] = write_answers(question.answers)
        return request | ({"logprobs": True, "top_logprobs": dialect.top} if dialect.top else {})

    def _spend(self, prompt_tokens: int, reply_tokens: int) -> None:
        self.budget.spend(prompt_tokens + reply_tokens, self.dollars(prompt_tokens, reply_tokens))

    def _mistake(self, status: int, reason: str) -> str:
        """What the user can mend about a refusal, in one line; "" for a failure of the server or of one question."""
        said, words = reason.removeprefix(f"HTTP {status}").lstrip(", "), reason.casefold()
        if status == 401 or (status == 403 and (not said or _ABOUT_THE_KEY.search(words))):
            return self._key_refused(status, said)
        if status in NO_PAGE:
            if _ABOUT_THE_MODEL.search(words):
                url, model = self.settings.url, self.settings.model
                return f"--judge openai: {url} has no model {model} ({said}); name another"
            return self._no_page(reason)
        return self._no_page(reason) if not self._has_path() and _ABOUT_THE_PAGE.search(words) else ""

    def _key_refused(self, status: int, said: str) -> str:
        held = "the key in the environment" if self.settings.key else "to answer without a key"
        told = ", ".join(filter(None, [f"HTTP {status}", said]))
        return f"--judge openai: {self.settings.url} refuses {held} ({told}); set {KEYS[0]}"

    def _no_page(self, reason: str) -> str:
        way = "look up its path" if self._has_path() else f"its path may be missing, as in {self._longer()}"
        return f"--judge openai: there are no chat completions at {self.settings.url} ({reason}); {way}"

    def _has_path(self) -> bool:
        return bool(urlsplit(self.settings.url).path.strip("/"))

    def _longer(self) -> str:
        return f"{self.settings.url}/v1"

    @staticmethod
    def _is_there(client: Any) -> bool:
        import openai

        try:
            client.models.with_raw_response.list()
        except openai.OpenAIError:
            return False
        return True


def _client(settings: ServerSettings) -> Any:
    """The openai package's client, on a bounded one; UserError for a proxy in the environment that cannot be used."""
    import openai

    from lmgt_core.judges.openai.bounded_http import BoundedClient

    try:
        http = BoundedClient(settings.byte_limit, settings.timeout)
    except (ValueError, ImportError) as error:
        raise UserError(f"--judge openai: the proxy in the environment cannot be used ({error}); mend it") from None
    return openai.OpenAI(
        api_key=settings.key or "none", base_url=settings.url, timeout=settings.timeout, max_retries=0, http_client=http
    )


def _body(response: Any) -> Any:
    """The JSON of an answer, or its text where it is none."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return str(response.text)


def _words(body: Any) -> str:
    """The words of a refusal; none of a web page's, which names roles and much else."""
    return "" if isinstance(body, str) and body.lstrip()[:1] == "<" else all_words(body)


def _cause(error: BaseException) -> str:
    """Why a connection failed, in one line."""
    cause = error.__cause__ or error
    return " ".join(str(cause).split()) or type(cause).__name__


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, given in milliseconds, seconds or as a date; None where it asks nothing."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def data_url(image: Image) -> str:
    """An image [height, width, 3] as a PNG in a URL."""
    from PIL import Image as Picture

    file = io.BytesIO()
    Picture.fromarray(image).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
