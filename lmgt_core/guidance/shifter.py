"""Observations and actions in, shifts out: describer, prompt, judge and rule in a row."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.judging.description import Describer
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate, RememberedTemplate
from lmgt_core.rules.shift import ShiftRule


@dataclass
class JudgeStats:
    """How often a judge was heard, and what that took.

    `judgments`: decisions judged; `cache_hits`: those answered by a cache; `unreadable`, `abstained`: those that
    shifted by 0 for that reason; `seconds`: wall clock spent waiting for the judge. Hits and seconds are facts of one
    machine: a resumed run may count others.
    """

    judgments: int = 0
    cache_hits: int = 0
    unreadable: int = 0
    abstained: int = 0
    seconds: float = 0.0

    def count(self, judgment: Judgment) -> None:
        """Adds one decision."""
        self.judgments += 1
        self.cache_hits += judgment.cached
        self.unreadable += judgment.verdict is Verdict.UNREADABLE
        self.abstained += judgment.abstained and judgment.verdict is not Verdict.UNREADABLE

    def as_dict(self) -> dict[str, int | float]:
        """The fields by name, for summary.json."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Shifts:
    """What one batch of decisions got; `judgments` and `prompts` are None where there was nothing to judge."""

    delta: NDArray[np.float32]  # [batch]
    judgments: list[Judgment | None]
    prompts: list[Prompt | None]


class RewardShifter:
    """Judges a batch of (state before the action, action) and turns the judgments into shifts.

    It draws no random numbers, so that a run with `neutral` equals one with `none`.
    """

    def __init__(
        self, describer: Describer, template: PromptTemplate | RememberedTemplate, judge: Judge, rule: ShiftRule
    ) -> None:
        self.describer = describer
        self.template = template if isinstance(template, RememberedTemplate) else RememberedTemplate(template)
        self.judge = judge
        self.rule = rule
        self.stats = JudgeStats()

    def __call__(self, observations: Sequence[Any], actions: Sequence[Any]) -> Shifts:
        """The shifts of these decisions, in their order; equal questions are asked once, all questions in one batch."""
        if len(observations) != len(actions):
            raise ValueError(f"{len(observations)} observations for {len(actions)} actions")
        prompts = [self._prompt(o, a) for o, a in zip(observations, actions, strict=True)]
        judgments = self._judge(prompts)
        return Shifts(self.rule.delta(judgments), judgments, prompts)

    def weight(self, step: int) -> float:
        """The rule's w_t at step t of training."""
        return self.rule.weight(step)

    def state_dict(self) -> dict[str, Any]:
        """The rule's state and the statistics, as plain JSON values."""
        return {"rule": self.rule.state_dict(), "stats": self.stats.as_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self.rule.load_state_dict(state["rule"])
        self.stats = JudgeStats(**{f.name: state["stats"][f.name] for f in fields(JudgeStats)})

    def _prompt(self, observation: Any, action: Any) -> Prompt | None:
        description = self.describer(observation, action)
        return None if description is None else self.template.render(description)

    def _judge(self, prompts: Sequence[Prompt | None]) -> list[Judgment | None]:
        questions = {prompt.digest: prompt for prompt in prompts if prompt is not None}
        if not questions:
            return [None] * len(prompts)
        start = time.perf_counter()
        answers = ask(self.judge, list(questions.values()))
        self.stats.seconds += time.perf_counter() - start
        by_digest = dict(zip(questions, answers, strict=True))
        judgments = [None if p is None else by_digest[p.digest] for p in prompts]
        for judgment in judgments:
            if judgment is not None:
                self.stats.count(judgment)
        return judgments


def ask(judge: Judge, prompts: Sequence[Prompt]) -> list[Judgment]:
    """The judge's answers; RuntimeError when it does not give one a prompt, lest answers reach the wrong decision."""
    answers = judge.judge(prompts)
    if len(answers) != len(prompts):
        raise RuntimeError(f"judge {judge.id} gave {len(answers)} answers to {len(prompts)} prompts")
    return answers
