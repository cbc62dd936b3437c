"""Homes side by side: each acts out its robot's skills in a process of its own, by Gymnasium's vector interface.

What travels is small: to a home the number of a candidate, back from it the next decision as the network and the judge
see it. A simulator cannot be saved; a home is resumed by acting its episode's skills out again, as equal episodes and
skills give equal states.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from apps.housekeep.agent.episode_row import EpisodeRow, row_of
from apps.housekeep.agent.features import Observation, Vocabulary, observe
from apps.housekeep.config import TrainConfig
from apps.housekeep.describe import Decision
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.factory import make_simulator
from apps.housekeep.skills import Skill, SkillRunner, candidates, decision_of
from apps.housekeep.task import Task
from lmgt_core.errors import UserError

MOST_CANDIDATES = 2**15


@dataclass(frozen=True)
class Choice:
    """What is decided on: the candidates as the network sees them, and each as the judge does (None: not judged)."""

    observation: Observation
    skills: list[Skill]
    decisions: list[Decision | None]


class Choices(gym.Space[Choice]):
    """The space of `Choice`, whose candidates differ in number, so that no array holds a batch of them."""

    def contains(self, x: Any) -> bool:
        """Whether it is one."""
        return isinstance(x, Choice)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choices)


class SkillsEnv(gym.Env[Choice | None, int]):
    """One home after another, of `episodes` in an order of this home's own; an action is the number of a candidate.

    `info` of an episode's last step holds its row for episodes.csv. `state`, plain numbers, is where it stands; set
    before a reset, the next reset goes there.
    """

    def __init__(
        self, config: TrainConfig, episodes: Sequence[Episode], vocabulary: Vocabulary, seed: int, home: int
    ) -> None:
        self.episodes, self.vocabulary, self.lots = episodes, vocabulary, (seed, 0, home)
        self.task = Task(make_simulator(config), config.reward)
        self.runner = SkillRunner(self.task)
        self.observation_space = Choices()
        self.action_space = gym.spaces.Discrete(MOST_CANDIDATES)  # type: ignore[assignment]
        self._begun, self._resumed = 0, False
        self._acted: list[int] = []

    @property
    def state(self) -> dict[str, Any]:
        """How many episodes were begun, and which candidates were taken in the last of them."""
        return {"begun": self._begun, "acted": list(self._acted)}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._begun, self._acted, self._resumed = state["begun"], list(state["acted"]), True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Choice, dict[str, Any]]:
        """Begins the next episode, or goes on with the one that `state` was set to; a seed changes nothing."""
        if not self._resumed:
            self._begun, self._acted = self._begun + 1, []
        self._resumed = False
        round_, place = divmod(self._begun - 1, len(self.episodes))
        order = np.random.default_rng([*self.lots, round_]).permutation(len(self.episodes))
        self.task.reset(self.episodes[order[place]])
        self._skills = candidates(self.task)
        for action in self._acted:
            self.runner.run(self._skills[action])
            self._skills = candidates(self.task)
        return self._choice(), {}

    def step(self, action: int) -> tuple[Choice | None, float, bool, bool, dict[str, Any]]:
        """Acts out the candidate."""
        self._acted.append(int(action))
        outcome = self.runner.run(self._skills[action])
        if self.task.over:
            return None, outcome.reward, self.task.terminated, self.task.truncated, {"row": self.row}
        self._skills = candidates(self.task)
        return self._choice(), outcome.reward, False, False, {}

    @property
    def row(self) -> EpisodeRow:
        """The running episode as it stands."""
        return row_of(self.task, len(self._acted))

    def _choice(self) -> Choice:
        decisions = [decision_of(self.task, skill) for skill in self._skills]
        return Choice(observe(self.task, self._skills, self.vocabulary), self._skills, decisions)

    def close(self) -> None:
        """Ends the simulator."""
        self.task.simulator.close()


@contextmanager
def alive() -> Iterator[None]:
    """UserError where a home's process turns out to be gone."""
    try:
        yield
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise UserError(
            "the process of a home died (out of memory, or killed): what was saved is kept; start again with --resume, "
            "and another --out with fewer --envs if memory is short"
        ) from None


def side_by_side(
    config: TrainConfig, episodes: Sequence[Episode], vocabulary: Vocabulary, seed: int
) -> "AsyncVectorEnv[Any, Any, Any]":
    """`config.envs` homes; each begins its next episode within the step that ended the one before."""
    makers = [partial(SkillsEnv, config, episodes, vocabulary, seed, home) for home in range(config.envs)]
    return AsyncVectorEnv(makers, shared_memory=False, context="spawn", autoreset_mode=AutoresetMode.SAME_STEP)
