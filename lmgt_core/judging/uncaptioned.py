"""A picture without a caption is not judged: the answer is unreadable, and says why."""

from collections.abc import Sequence

from lmgt_core.judging.judge import Judge, JudgeKind, ask
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt

UNCAPTIONED = "no caption"  # the fact that holds the reason


class CaptionedOnly:
    """A judge around a judge that is not asked about pictures whose caption failed."""

    def __init__(self, judge: Judge) -> None:
        self.judged = judge

    @property
    def id(self) -> str:
        return self.judged.id

    @property
    def kind(self) -> JudgeKind:
        return self.judged.kind

    @property
    def cacheable(self) -> bool:
        return self.judged.cacheable

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The judge's answers; UNREADABLE with the captioner's reason where there was no caption."""
        answered = [i for i, prompt in enumerate(prompts) if UNCAPTIONED not in prompt.facts]
        answers = dict(zip(answered, ask(self.judged, [prompts[i] for i in answered]), strict=True))
        return [answers[i] if i in answers else _uncaptioned(prompt) for i, prompt in enumerate(prompts)]


def _uncaptioned(prompt: Prompt) -> Judgment:
    reason = " ".join(prompt.facts[UNCAPTIONED].split())
    return Judgment(Verdict.UNREADABLE, reason=f"the picture has no caption: {reason}")
