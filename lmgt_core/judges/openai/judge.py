"""A language model behind any OpenAI-compatible server as a judge: vLLM, llama.cpp, Ollama, a hosted one, `lmgt judge
serve`.

`openai:MODEL@URL[?option=value&...]`; see openai_settings.py. The key comes from the environment (LMGT_API_KEY, else
OPENAI_API_KEY) and goes nowhere but to the server.
"""

import base64
import io
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import menu_of, reasons_first, scored_judgment, written_judgment
from lmgt_core.judges.openai.rate_limits import Budget, MinuteLimit
from lmgt_core.judges.openai.reply import BadReply, Completion, label_probabilities, read_completion, server_message
from lmgt_core.judges.openai.settings import (
    BYTES_PER_TOKEN,
    KEYS,
    REASON_TOKENS,
    WORD_TOKENS,
    ServerSettings,
    read_settings,
)
from lmgt_core.judging.description import Image
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec

TRY_AGAIN = frozenset({408, 409, 425, 429})  # and everything from 500 on
REFUSES = frozenset({401, 403, 404})

_log = logging.getLogger(__name__)


class _Failed(Exception):
    """One try that gave no answer; `again` says whether another may, `after` how long the server asks to wait."""

    def __init__(self, reason: str, again: bool = True, after: float | None = None, status: int = 0) -> None:
        super().__init__(reason)
        self.again, self.after, self.status = again, after, status


class OpenAIJudge:
    """Asks a server, many questions at once, and survives what servers do.

    A question without an answer after all tries is unreadable with the last reason; one that would overspend the
    budget is abstained from. UserError only while the server has not answered anything yet: a wrong key, model or URL.
    """

    kind = JudgeKind.LANGUAGE_MODEL
    cacheable = True

    def __init__(
        self,
        settings: ServerSettings,
        rng: np.random.Generator,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.settings = settings
        self.budget = Budget(settings.limits)
        self.id = f"openai:{settings.model}@{settings.url}:{settings.mode}:{settings.max_tokens or 'auto'}:t=0"
        self._client = _client(settings)
        self._rng, self._rng_lock = rng, threading.Lock()
        self._requests = MinuteLimit(settings.rpm, clock, sleep)
        self._tokens = MinuteLimit(settings.tpm, clock, sleep)
        self._clock, self._sleep = clock, sleep
        self._dialect: dict[str, bool] = {"logprobs": settings.mode != "generate"}  # what this server understands
        self._answered = False

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """One judgment a prompt, in order; at most `concurrency` requests are in flight."""
        if not prompts:
            return []
        start = self._clock()
        with ThreadPoolExecutor(min(self.settings.concurrency, len(prompts))) as pool:
            asked = [pool.submit(self._judge, prompt, start) for prompt in prompts]
            try:
                judgments = [future.result() for future in asked]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        self.budget.spend(seconds=self._clock() - start)
        silenced = next((j.reason for j in judgments if j.abstained), "")
        if silenced:
            _log.warning("judge %s: %s; it abstains from here on", self.id, silenced)
        return judgments

    def check(self) -> None:
        """UserError when the server is out of reach or refuses the key; a server without /models is fine."""
        import httpx2
        import openai

        try:
            self._client.with_options(timeout=min(10.0, self.settings.timeout)).models.with_raw_response.list()
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            reason = self._clean(_cause(error))
            raise UserError(f"--judge openai: {self.settings.url} cannot be reached ({reason}); is it up?") from None
        except openai.APIStatusError as error:
            if error.status_code in (401, 403):
                raise UserError(self._refused(error.status_code)) from None

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _judge(self, prompt: Prompt, start: float) -> Judgment:
        """The answer to one question, with as many tries as it may take."""
        reason, begun = "", self._clock()
        for tries in range(1, self.settings.tries + 1):
            if used_up := self._used_up(start):
                return Judgment(Verdict.NEUTRAL).abstain(used_up)
            try:
                completion = self._try(prompt)
            except _Failed as failure:
                reason = self._clean(str(failure))
                if not self._answered and failure.status in REFUSES:
                    raise UserError(self._refused(failure.status, reason)) from None
                if not failure.again:
                    return Judgment(Verdict.UNREADABLE, reason=f"no answer: {reason}")
                if tries < self.settings.tries:
                    with self._rng_lock:
                        wait = self.settings.backoff.wait(tries, self._rng, failure.after)
                    self._sleep(wait)
                continue
            self._answered = True
            return self._read(prompt, completion, self._clock() - begun)
        return Judgment(Verdict.UNREADABLE, reason=f"no answer in {self.settings.tries} tries; the last: {reason}")

    def _used_up(self, start: float) -> str:
        """Which budget is used up, those seconds counted that this batch has taken so far."""
        limit = self.settings.limits.seconds
        if limit is not None and self.budget.seconds + self._clock() - start >= limit:
            return f"the budget of {limit:g} seconds is used up"
        return self.budget.used_up()

    def _try(self, prompt: Prompt) -> Completion:
        """One request, or more when the server does not know a parameter; _Failed when there is no answer."""
        room = self._room(prompt)
        estimate = len(prompt.system + prompt.user) // BYTES_PER_TOKEN + room
        while True:
            self._requests.take(1)
            self._tokens.take(estimate)
            try:
                completion = read_completion(self._send(prompt, room))
            except BadReply as error:
                self._spend(estimate - room, 0)
                raise _Failed(str(error)) from None
            except _Failed as failure:
                if failure.status == 400 and self._learn(str(failure)):
                    continue
                raise
            self._spend(completion.prompt_tokens or estimate - room, completion.reply_tokens or 1)
            return completion

    def _send(self, prompt: Prompt, room: int) -> Any:
        """The JSON that the server answered; _Failed for errors on the way, BadReply where it is no JSON."""
        import httpx2
        import openai

        try:
            answer = self._client.chat.completions.with_raw_response.create(**self._body(prompt, room))
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            raise _Failed(_cause(error)) from None
        except openai.APIStatusError as error:
            status, said = error.status_code, server_message(error.body)
            again = status in TRY_AGAIN or status >= 500
            reason = f"HTTP {status}" + (f", {said}" if said else "")
            raise _Failed(reason, again, _retry_after(error.response.headers), status) from None
        try:
            return json.loads(answer.http_response.content)
        except (ValueError, RecursionError):
            raise BadReply("its answer is not JSON") from None

    def _body(self, prompt: Prompt, room: int) -> dict[str, Any]:
        messages: list[dict[str, Any]] = [{"role": "system", "content": prompt.system}] if prompt.system else []
        text: list[dict[str, Any]] = [{"type": "text", "text": prompt.user}]
        pictures = [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in prompt.images]
        messages.append({"role": "user", "content": [*pictures, *text] if pictures else prompt.user})
        body: dict[str, Any] = {"model": self.settings.model, "messages": messages}
        body["max_completion_tokens" if self._dialect.get("max_completion_tokens") else "max_tokens"] = room
        if self._dialect.get("temperature", True):
            body["temperature"] = 0.0
        if self._dialect["logprobs"] and not self._writes(prompt):
            body |= {"logprobs": True, "top_logprobs": 20}
        return body

    def _learn(self, refusal: str) -> bool:
        """Whether a refused request names a parameter that can be left out or named otherwise from now on."""
        for word, name, value in (
            ("logprobs", "logprobs", False),
            ("max_tokens", "max_completion_tokens", True),
            ("temperature", "temperature", False),
        ):
            if word in refusal and self._dialect.get(name, not value) != value:
                self._dialect[name] = value
                return True
        return False

    def _writes(self, prompt: Prompt) -> bool:
        return self.settings.mode == "generate" or (self.settings.mode == "auto" and reasons_first(prompt))

    def _room(self, prompt: Prompt) -> int:
        return self.settings.max_tokens or (REASON_TOKENS if reasons_first(prompt) else WORD_TOKENS)

    def _spend(self, prompt_tokens: int, reply_tokens: int) -> None:
        self.budget.spend(prompt_tokens + reply_tokens, self._dollars(prompt_tokens, reply_tokens))

    def _dollars(self, prompt_tokens: int, reply_tokens: int) -> float:
        return prompt_tokens * self.settings.price_in + reply_tokens * self.settings.price_out

    def _read(self, prompt: Prompt, completion: Completion, seconds: float) -> Judgment:
        read, wrote = completion.prompt_tokens, completion.reply_tokens
        cost = Cost(seconds, read, wrote, self._dollars(read, wrote))
        text = self._clean(completion.text)
        if completion.filtered:
            return Judgment(Verdict.UNREADABLE, reply=text, reason="the server's content filter cut it", cost=cost)
        menu = menu_of(prompt)
        probabilities = None if self._writes(prompt) else label_probabilities(completion, menu)
        if probabilities is None:
            return written_judgment(text, cost, completion.cut)
        return scored_judgment(probabilities, menu, cost)

    def _refused(self, status: int, said: str = "") -> str:
        if status == 404:
            return f"--judge openai: {self.settings.url} has no model {self.settings.model} ({said}); name another"
        held = "the key in the environment" if self.settings.key else "to answer without a key"
        return f"--judge openai: {self.settings.url} refuses {held} (HTTP {status}); set {KEYS[0]}"

    def _clean(self, text: str) -> str:
        """`text` without the key: a server may send back what it was sent."""
        return text.replace(self.settings.key, "***") if self.settings.key else text


def _client(settings: ServerSettings) -> Any:
    """The openai package's client: no retries of its own, no redirects, every answer bounded."""
    import httpx2
    import openai

    from lmgt_core.judges.openai.bounded_http import BoundedTransport

    http = httpx2.Client(
        transport=BoundedTransport(settings.byte_limit, settings.timeout),
        timeout=settings.timeout,
        headers={"Accept-Encoding": "identity"},
    )
    return openai.OpenAI(
        api_key=settings.key or "none", base_url=settings.url, timeout=settings.timeout, max_retries=0, http_client=http
    )


def _cause(error: BaseException) -> str:
    """Why a connection failed, in one line."""
    cause = error.__cause__ or error
    text = " ".join(str(cause).split())
    return text or type(cause).__name__


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:  # absent, or a date
        return None


def data_url(image: Image) -> str:
    """An image [height, width, 3] as a PNG in a URL."""
    from PIL import Image as Picture

    file = io.BytesIO()
    Picture.fromarray(image).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `openai:MODEL@URL`; UserError when it is not to be reached or lets nobody in."""
    settings = read_settings(spec)
    try:
        judge = OpenAIJudge(settings, np.random.default_rng(context.seed))
    except ModuleNotFoundError as error:
        raise UserError(f"--judge {spec}: needs the package {error.name}; pip install openai") from None
    judge.check()
    return judge
