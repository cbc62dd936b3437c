"""A task for tests of the judge commands: heat a cold room, cool a warm one; 240 states, two actions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lmgt_core.audit.audit import Probe
from lmgt_core.errors import UserError
from lmgt_core.guidance.domain import Render
from lmgt_core.guidance.shift_source import Describe, one_by_one
from lmgt_core.judges.label_scoring import likeliest
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.judging.registry import JudgeContext

ACTIONS = ("heat", "cool")
TEMPLATES = {
    "zero-shot": PromptTemplate("Say good, neutral or bad.", "The room has {state}. {action}?", "zero-shot"),
    "few-shot": PromptTemplate("30 degrees, cool: good. Say good or bad.", "{state}, {action}?", "few-shot"),
}


def description(tenths: int, action: str) -> Description:
    facts = {"temperature": str(tenths / 10), "action": action}
    return Description(f"{tenths / 10} degrees", action, facts=facts)


def expert(prompt: Prompt) -> Verdict:
    cold = float(prompt.facts["temperature"]) < 20
    return Verdict.GOOD if (prompt.facts["action"] == "heat") is cold else Verdict.BAD


class Warm:
    """A judge that knows what to do, but likes heating so much that it says good to it nearly everywhere."""

    kind = JudgeKind.LANGUAGE_MODEL
    cacheable = True

    def __init__(self, liking: float = 4.0) -> None:
        self.id = f"warm:{liking:g}"
        self.liking = liking
        self.asked: list[Prompt] = []

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        self.asked += prompts
        return [self._answer(p.facts, p.user) for p in prompts]

    def _answer(self, facts: Mapping[str, str], words: str) -> Judgment:
        heat = "heat" in words
        odds = self.liking if heat else 0.0
        if facts:
            too_cold = 20 - float(facts["temperature"])
            odds += too_cold if heat else -too_cold
        good = 1 / (1 + 2.718281828459045 ** (-odds))
        return Judgment(likeliest((good, 0.0, 1 - good)), (good, 0.0, 1 - good), cost=Cost(seconds=0.25))


class Thermostat:
    """The domain; `own` are providers of judges, argument -> judge."""

    name = "thermostat/Thermostat-v0"

    def __init__(self, **own: Any) -> None:
        self.own = own

    def context(self) -> JudgeContext:
        return JudgeContext("thermostat", expert, "test", {"warm": lambda argument: Warm(), **self.own})

    def describer(self, silent: bool = False) -> Describe:
        return one_by_one(lambda observation, action: description(observation, ACTIONS[action]))

    def template(self, strategy: str) -> PromptTemplate:
        if strategy not in TEMPLATES:
            raise UserError(f"--strategy {strategy}: no such strategy")
        return TEMPLATES[strategy]

    def probes(self, render: Render, rng: np.random.Generator) -> list[Probe]:
        return [Probe(p, expert(p), p.facts["temperature"]) for p in map(render, self.questions())]

    def questions(self) -> list[Description]:
        return [description(tenths, action) for tenths in range(81, 321) for action in ACTIONS]

    def read(self, state: str, action: str) -> Description:
        if action not in ACTIONS:
            raise UserError(f"--action {action}: choose one of heat, cool")
        return description(int(float(state) * 10), action)


def task(**own: Any) -> Thermostat:
    """The domain."""
    return Thermostat(**own)
