"""Policies of the skills: doing nothing, acting at random, a trained network."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.agent.drrn import DrrnAgent
from apps.housekeep.agent.features import Vocabulary, observe
from apps.housekeep.metrics import episode_metrics
from apps.housekeep.skills import Kind, Skill, SkillRunner, candidates
from apps.housekeep.task import Task

if TYPE_CHECKING:
    from apps.housekeep.knowledge.votes import Votes


class Policy(Protocol):
    """Chooses a skill, or None to leave the home as it is."""

    def __call__(self, task: Task, skills: list[Skill]) -> Skill | None: ...


class NothingPolicy:
    """Leaves everything as it is: the floor that every other policy must beat."""

    def __call__(self, task: Task, skills: list[Skill]) -> Skill | None:
        return None


class RandomPolicy:
    """A uniform choice among the candidates."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def __call__(self, task: Task, skills: list[Skill]) -> Skill | None:
        return skills[int(self.rng.integers(len(skills)))]


Advice = Callable[[Task, list[Skill]], "NDArray[np.float32] | None"]  # [candidate]; None: none is asked for


def no_advice(task: Task, skills: list[Skill]) -> None:
    """None: the agent's rule needs no advice."""
    return None


class AgentPolicy:
    """The candidate that a trained network prefers after `step` decisions (with probability `epsilon` a random one)."""

    def __init__(
        self,
        agent: DrrnAgent,
        vocabulary: Vocabulary,
        rng: np.random.Generator,
        epsilon: float,
        step: int = 0,
        advice: Advice = no_advice,
    ) -> None:
        self.agent, self.vocabulary, self.rng, self.epsilon = agent, vocabulary, rng, epsilon
        self.step, self.advice = step, advice

    def __call__(self, task: Task, skills: list[Skill]) -> Skill | None:
        observation, advice = observe(task, skills, self.vocabulary), self.advice(task, skills)
        return skills[self.agent.act([observation], [self.epsilon], self.rng, [advice], self.step)[0]]


class PatientPolicy:
    """What `policy` chooses, until `patience` skills in a row were only looking and going about with an empty hand and
    nothing left to explore: then the home is left as it is, and what remains of the budget is saved."""

    def __init__(self, policy: Policy, patience: int) -> None:
        self.policy, self.patience = policy, patience
        self._idle = 0

    def __call__(self, task: Task, skills: list[Skill]) -> Skill | None:
        if task.steps == 0:
            self._idle = 0
        chosen = self.policy(task, skills)
        idle = task.held is None and chosen is not None and chosen.kind in (Kind.LOOK, Kind.GO)
        explored = not any(skill.kind is Kind.EXPLORE for skill in skills)
        self._idle = self._idle + 1 if idle and explored else 0
        return chosen if self._idle <= self.patience else None


def play(task: Task, policy: Policy, votes: "Votes | None" = None) -> dict[str, float | None]:
    """The metrics of one episode (already reset) played to its end; no judge is asked and no shift is seen."""
    runner = SkillRunner(task)
    while not task.over:
        skill = policy(task, candidates(task))
        if skill is None:
            break
        runner.run(skill)
    return episode_metrics(task, votes)
