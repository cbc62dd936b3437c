"""The Judge protocol: prompts in, judgments out, batch first."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt


class JudgeKind(StrEnum):
    """What a judge is; shown beside its name in every table, so that nobody takes an oracle for a model."""

    LANGUAGE_MODEL = "language model"
    VISION_LANGUAGE_MODEL = "vision-language model"
    EMBEDDING = "embedding model"
    ORACLE = "oracle (privileged)"
    TRAINED = "trained on labels"
    BASELINE = "baseline (no model)"
    CONTROL = "baseline (no model)"  # its name before 0.2, for judges of other packages


class Judge(Protocol):
    """Answers good / neutral / bad.

    `id` names everything that changes answers (model, revision, decoding, calibration): it is part of the cache key.
    `cacheable` is False for judges that are cheaper than a lookup.
    """

    @property
    def id(self) -> str: ...

    @property
    def kind(self) -> JudgeKind: ...

    @property
    def cacheable(self) -> bool: ...

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """One judgment a prompt, in the same order; [] for []; never raises for what a prompt says."""
        ...


def seeded(judge: Judge, seed: int) -> Judge:
    """The judge with the lots of `seed`; itself where it draws none (has no method `seeded`)."""
    again: Judge = judge.seeded(seed) if hasattr(judge, "seeded") else judge
    return again


def ask(judge: Judge, prompts: Sequence[Prompt]) -> list[Judgment]:
    """The judge's answers; RuntimeError when it does not give one a prompt, lest answers reach the wrong decision."""
    answers = judge.judge(prompts)
    if len(answers) != len(prompts):
        raise RuntimeError(f"judge {judge.id} gave {len(answers)} answers to {len(prompts)} prompts")
    return answers


def ask_all(judge: Judge, prompts: Sequence[Prompt], advance: Callable[[int], object], batch: int) -> list[Judgment]:
    """The judge's answers, asked `batch` prompts at a time; `advance` is told how many were answered in each."""
    answers: list[Judgment] = []
    for start in range(0, len(prompts), batch):
        some = prompts[start : start + batch]
        answers += ask(judge, some)
        advance(len(some))
    return answers
