"""The arms of a comparison: each answers the same questions about the same pictures, in its own way."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lmgt_core.judging.description import Image
from lmgt_core.judging.judge import Judge, ask
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt

CAPTION, DIRECT = "caption", "direct"


@dataclass(frozen=True)
class Shown:
    """A picture with its true caption, and a true verdict for each action that was asked about in it."""

    image: Image
    truth: str
    actions: tuple[str, ...]
    labels: tuple[Verdict, ...]


@dataclass(frozen=True)
class Arm:
    """One way of letting a judge know a picture; `missing` is the line that would supply what it lacks, else "".

    `read` gives a caption a picture ("" where there is none) and is None for an arm that shows the picture itself.
    `render` gives the question about picture i, under its caption ("" without), for its action j.
    """

    name: str
    kind: str  # CAPTION or DIRECT
    about: str = ""  # what reads and who judges, and what of it is privileged or trained
    missing: str = ""
    judge: Judge | None = None
    read: Callable[[Sequence[Image]], list[str]] | None = None
    render: Callable[[int, str, int], Prompt] | None = None
    reasons: dict[int, str] = field(default_factory=dict)  # picture -> why it has no caption


@dataclass(frozen=True)
class Answers:
    """What an arm answered; judgments are [picture][action]."""

    arm: Arm
    captions: tuple[str, ...]  # one a picture; () for a direct arm
    exact: NDArray[np.bool_] | None  # [picture] whether the caption is the true one
    judgments: tuple[tuple[Judgment, ...], ...]
    ideal: tuple[tuple[Judgment, ...], ...] | None  # a perfect reader's on the same captions
    prompts: tuple[tuple[Prompt, ...], ...]
    caption_seconds: float  # a picture
    judge_seconds: float  # a judgment
    tokens: float  # read and written, a judgment
    memory_mb: float  # by which this process's peak grew while the arm was at work

    @property
    def seconds(self) -> float:
        """Seconds a judgment: a caption serves one decision, that is one judgment."""
        return self.caption_seconds + self.judge_seconds


def answer(arm: Arm, shown: Sequence[Shown], ideal: Judge | None = None) -> Answers:
    """Lets `arm` answer; `ideal` judges its captions once more, as a reader that makes no mistakes."""
    assert arm.judge is not None and arm.render is not None
    peak, start = peak_mb(), time.perf_counter()
    captions = arm.read([s.image for s in shown]) if arm.read else []
    captioning = time.perf_counter() - start
    prompts = [
        tuple(arm.render(i, captions[i] if captions else "", j) for j in range(len(s.actions)))
        for i, s in enumerate(shown)
    ]
    flat = [prompt for row in prompts for prompt in row]
    start = time.perf_counter()
    judgments = ask(arm.judge, flat)
    judging = time.perf_counter() - start
    asked = max(len(flat), 1)
    return Answers(
        arm,
        tuple(captions),
        np.array([c == s.truth for c, s in zip(captions, shown, strict=True)]) if captions else None,
        _rows(judgments, shown),
        _rows(ask(ideal, flat), shown) if ideal is not None and captions else None,
        tuple(prompts),
        captioning / max(len(shown), 1),
        max(judging, sum(j.cost.seconds for j in judgments if j.cached)) / asked,
        sum(j.cost.prompt_tokens + j.cost.reply_tokens for j in judgments) / asked,
        max(0.0, peak_mb() - peak),
    )


def _rows(judgments: Sequence[Judgment], shown: Sequence[Shown]) -> tuple[tuple[Judgment, ...], ...]:
    rows, at = [], 0
    for s in shown:
        rows.append(tuple(judgments[at : at + len(s.actions)]))
        at += len(s.actions)
    return tuple(rows)


def peak_mb() -> float:
    """The most memory that this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
