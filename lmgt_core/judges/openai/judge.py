"""A language model behind any OpenAI-compatible server as a judge: vLLM, llama.cpp, Ollama, a hosted one, `lmgt judge
serve`.

`openai:MODEL@URL[?option=value&...]`; see settings.py. The key comes from the environment (LMGT_API_KEY, else
OPENAI_API_KEY) and goes nowhere but to the server.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lmgt_core.judges.label_place import label_probabilities
from lmgt_core.judges.label_scoring import likeliest, menu_of, reasons_first, written_judgment
from lmgt_core.judges.openai.reply import Completion
from lmgt_core.judges.openai.server import ChatServer, NoAnswer, Question, UsedUp
from lmgt_core.judges.openai.settings import REASON_TOKENS, WORD_TOKENS, ServerSettings, read_settings
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec

_log = logging.getLogger(__name__)


class OpenAIJudge:
    """Asks a server, many questions at once.

    A question without an answer after all tries is unreadable with the last reason; one that would overspend the
    budget is abstained from. UserError only while the server has not answered anything yet.
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
        self.id = f"openai:{settings.model}@{settings.url}:{settings.mode}:{settings.max_tokens or 'auto'}:t=0"
        self.server = ChatServer(settings, rng, clock, sleep)
        self._clock = clock

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
        self.server.budget.spend(seconds=self._clock() - start)
        silenced = next((j.reason for j in judgments if j.abstained), "")
        if silenced:
            _log.warning("judge %s: %s; it abstains from here on", self.id, silenced)
        return judgments

    def check(self) -> None:
        """UserError when the server is out of reach or refuses the key; a server without /models is fine."""
        self.server.check()

    def close(self) -> None:
        """Closes the connections."""
        self.server.close()

    def _judge(self, prompt: Prompt, start: float) -> Judgment:
        """The answer to one question."""
        begun, writes = self._clock(), self._writes(prompt)
        room = self.settings.max_tokens or (REASON_TOKENS if reasons_first(prompt) else WORD_TOKENS)
        question = Question(prompt.system, prompt.user, prompt.images, room, not writes, prompt.answers)
        try:
            completion = self.server.ask(question, lambda: self._used_up(start))
        except UsedUp as used_up:
            return Judgment(Verdict.NEUTRAL).abstain(str(used_up))
        except NoAnswer as failure:
            return Judgment(Verdict.UNREADABLE, reason=str(failure))
        return self._read(prompt, completion, writes, self._clock() - begun)

    def _used_up(self, start: float) -> str:
        """Which budget is used up, those seconds counted that this batch has taken so far."""
        budget, limit = self.server.budget, self.settings.limits.seconds
        if limit is not None and budget.seconds + self._clock() - start >= limit:
            return f"the budget of {limit:g} seconds is used up"
        return budget.used_up()

    def _writes(self, prompt: Prompt) -> bool:
        return self.settings.mode == "generate" or (self.settings.mode == "auto" and reasons_first(prompt))

    def _read(self, prompt: Prompt, completion: Completion, writes: bool, seconds: float) -> Judgment:
        read, wrote = completion.prompt_tokens, completion.reply_tokens
        cost, text = Cost(seconds, read, wrote, self.server.dollars(read, wrote)), completion.text
        if completion.filtered or completion.refused:
            reason = "the server's content filter cut it" if completion.filtered else "the reply is a refusal"
            return Judgment(Verdict.UNREADABLE, reply=text, reason=reason, cost=cost)
        found = None if writes else label_probabilities(text, completion.alternatives, menu_of(prompt))
        if found is None:
            return written_judgment(prompt, text, cost, completion.cut)
        return Judgment(likeliest(found), found, reply=text, cost=cost)


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `openai:MODEL@URL`; UserError when it is not to be reached or lets nobody in."""
    judge = OpenAIJudge(read_settings(spec), np.random.default_rng(context.seed))
    judge.check()
    return judge
