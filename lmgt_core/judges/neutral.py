"""The judge that never takes sides."""

from collections.abc import Sequence

from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec, without_argument

NEUTRAL = Judgment(Verdict.NEUTRAL, (0.0, 1.0, 0.0))


class NeutralJudge:
    """Always neutral, and sure of it: a run with it equals a run without a judge, bit for bit."""

    id = "neutral"
    kind = JudgeKind.BASELINE
    cacheable = False

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """Neutral for every prompt."""
        return [NEUTRAL] * len(prompts)


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `neutral`."""
    without_argument(spec)
    return NeutralJudge()
