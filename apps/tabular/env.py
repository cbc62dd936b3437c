"""A finite problem as a Gymnasium environment, for learners that see one-hot vectors and judges that see words."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from apps.tabular.labels import Labels, Table, judgments
from apps.tabular.mdp import FiniteMDP
from lmgt_core.guidance.shift_source import RewardShifter, Shifts, Tickets
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.rules.shift import ShiftRule

TEMPLATE = PromptTemplate("", "{state}, {action}")  # of judges that read facts, not words


class OneHotEnv(gym.Env[NDArray[np.float32], int]):
    """Observation: 1 at the state's number; episodes are cut after `horizon` steps.

    `exploring_starts` begins episodes in any state, not only where the problem says.
    """

    def __init__(self, mdp: FiniteMDP, horizon: int = 100, exploring_starts: bool = False) -> None:
        self.mdp, self.horizon = mdp, horizon
        self.observation_space = gym.spaces.Box(0, 1, (mdp.states,), np.float32)
        self.action_space = gym.spaces.Discrete(mdp.actions)  # type: ignore[assignment]
        anywhere = np.where(mdp.terminal, 0.0, 1.0)
        self._starts = anywhere / anywhere.sum() if exploring_starts else mdp.start
        self._state = self._length = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """A start."""
        super().reset(seed=seed)
        self._state = int(self.np_random.choice(self.mdp.states, p=self._starts))
        self._length = 0
        return self._observation(), {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One transition."""
        before, self._length = self._state, self._length + 1
        self._state = int(self.np_random.choice(self.mdp.states, p=self.mdp.transitions[before, action]))
        reward = float(self.mdp.rewards[before, action, self._state])
        return self._observation(), reward, bool(self.mdp.terminal[self._state]), self._length >= self.horizon, {}

    def _observation(self) -> NDArray[np.float32]:
        return np.asarray(np.eye(self.mdp.states)[self._state], dtype=np.float32)


class LabelJudge:
    """Answers from a table of labels; privileged, as the table is made from the best values."""

    id = "labels"
    kind = JudgeKind.ORACLE
    cacheable = False

    def __init__(self, said: Table) -> None:
        self._said = said
        self._last: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The label of each prompt's state and action."""
        return [self._said[int(p.facts["state"])][int(p.facts["action"])] for p in prompts]


def described(state: int, action: int) -> Description:
    """The numbers of a state and an action, in words."""
    return Description(f"state {state}", f"action {action}", facts={"state": str(state), "action": str(action)})


def describe(observation: NDArray[np.float32], action: Any) -> Description:
    """The state of a one-hot observation and the action, in words."""
    return described(int(np.argmax(observation)), int(action))


def make_shifter(labels: Labels, rule: ShiftRule) -> RewardShifter:
    """A shifter for `OneHotEnv` from a table of labels."""
    return RewardShifter(describe, TEMPLATE, LabelJudge(judgments(labels)), rule)


class TableShifts(RewardShifter):
    """The shifts of a judge whose judgments lie in a table, for learners whose observations are states by number.

    Nothing is described, rendered or counted, since a training in a small world takes less time than that. Each batch
    has to be resolved before the next one is submitted.
    """

    def __init__(self, said: Table, rule: ShiftRule) -> None:
        super().__init__(describe, TEMPLATE, LabelJudge(said), rule)
        self._said = said
        self._last: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def __call__(self, observations: Sequence[Any], actions: Sequence[Any], outcomes: Sequence[Any] = ()) -> Shifts:
        """The shifts of these decisions, in their order."""
        judgments: list[Judgment | None] = [self._said[s][a] for s, a in zip(observations, actions, strict=True)]
        return Shifts(self.rule.delta(judgments), judgments, [None] * len(judgments))

    def submit(self, observations: Sequence[Any], actions: Sequence[Any], outcomes: Sequence[Any] = ()) -> Tickets:
        """[decision] the shifts' places in this batch."""
        self.step = self.decisions
        self.decisions += len(actions)
        self._last = self.rule.delta([self._said[s][a] for s, a in zip(observations, actions, strict=True)])
        return np.arange(len(actions))

    def resolve(self, tickets: Tickets) -> NDArray[np.float32]:
        """[ticket] the shifts of the last batch."""
        return self._last[tickets]
