"""Judges that take one image are shown the strip of several."""

from collections.abc import Sequence
from dataclasses import replace

from captioners.strips import together
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt


class OneImage:
    """A judge of one image, asked about several: they lie side by side, each with its label."""

    def __init__(self, judge: Judge) -> None:
        self.judge_of_one = judge
        self.id, self.kind, self.cacheable = judge.id, judge.kind, judge.cacheable

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """One judgment a prompt."""
        return self.judge_of_one.judge([one_image(prompt) for prompt in prompts])


def one_image(prompt: Prompt) -> Prompt:
    """The prompt with its images side by side in one; as it is where there are fewer than two."""
    return replace(prompt, images=(together(prompt.images),)) if len(prompt.images) > 1 else prompt
