"""Shift rules that work inside the agent: the judge bends which action is taken, and never what a value means.

Such an agent has values of the task's own reward, q [batch, action], and beside them an *advice* of the same shape: the
judgments of all actions, or a second critic that learns the discounted sum of shifts. It acts on
`rule.preference(q, advice, step)`, explores as it always did, and learns as the rule says.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmgt_core.judging.judgment import Judgment

Values = NDArray[np.floating[Any]]  # [..., action]


class AgentRule(ABC):
    """A rule that needs the agent's values.

    `learns_advice` says what `advice` is. True: a critic of shifts, moved towards
    shift_t + discount_t * advice(s_t, a_t) with a_t the preferred next action, while q learns from the task's reward.
    False: `delta` of the judgments of every action, and q learns from r_t + `advice_shift`.
    """

    name: ClassVar[str]
    learns_advice: ClassVar[bool]

    @abstractmethod
    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        """[batch] the shifts of these decisions; 0 where nothing was said."""

    @abstractmethod
    def preference(self, q: Values, advice: Values, step: int) -> Values:
        """[..., action] what the agent acts on greedily at step t of training; as q would, where the advice is 0."""

    def weight(self, step: int) -> float:
        """1: these rules do their weighing in `preference`."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """Nothing: these rules are functions of the step."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave, which is nothing."""
        return None


def advice_shift(advice_tm1: Values, advice_t: Values, discount_t: Values) -> Values:
    """discount_t * advice(s_t, a_t) - advice(s_tm1, a_tm1), look-ahead advice's shift; discount_t is 0 at an end."""
    return np.asarray(discount_t * advice_t - advice_tm1)
