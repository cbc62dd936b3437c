"""The judge that draws lots."""

import hashlib
from collections.abc import Sequence

from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec, without_argument

MENU = (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD)


def content_draws(seed: int, prompt: Prompt) -> tuple[float, float]:
    """Two independent numbers in [0, 1) that only the seed and the question decide: equal questions, equal numbers.

    No generator is touched, so a judge that draws leaves the agent's random numbers alone.
    """
    content = hashlib.sha256(f"{seed}:{prompt.digest}".encode()).digest()
    first, second = (int.from_bytes(content[i : i + 8], "big") >> 11 for i in (0, 8))  # 53 bits: exact in a float
    return first / 2**53, second / 2**53


class RandomJudge:
    """Good, neutral or bad with equal chances; the same question gets the same answer under one seed.

    It gives no probabilities: one third each would be true, but then `continuous` would shift by 0, and no control
    for a judge that speaks would be left.
    """

    kind = JudgeKind.BASELINE
    cacheable = False

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.id = f"random:seed={seed}"

    def seeded(self, seed: int) -> "RandomJudge":
        """The judge that draws the lots of `seed`."""
        return RandomJudge(seed)

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """A verdict drawn for every prompt."""
        return [Judgment(MENU[int(3 * content_draws(self.seed, p)[0])]) for p in prompts]


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `random`, under the context's seed."""
    without_argument(spec)
    return RandomJudge(context.seed)
