"""Look-ahead advice: Wiewiora, Cottrell, Elkan 2003, "Principled Methods for Advising Reinforcement Learning Agents".

Phi(s, a) = scale * (P(good) - P(bad)). The agent learns from r + gamma Phi(s', a') - Phi(s, a) and acts on Q + Phi.

Why it keeps the best policy: let P = Q + Phi. The update of Q, written for P, is
P(s, a) += alpha * (r + gamma P(s', a') - P(s, a)): the plain update of a learner that acts on P and began at Phi and
not at 0. Whatever makes the plain learner converge from any start (all actions tried for ever, falling step sizes)
makes this one converge to P = Q*. So advice costs time when it is wrong, and nothing else. Acting on Q alone would not
do: its limit is Q* - Phi.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lmgt_core.judging.judgment import Judgment
from lmgt_core.rules.agent_rule import AgentRule, Values


@dataclass(frozen=True)
class LookAhead(AgentRule):
    """delta is Phi(s, a), and has to be known for every action of a state; the agent acts on q + Phi."""

    scale: float = 1.0
    name: ClassVar[str] = "lookahead"
    learns_advice: ClassVar[bool] = False

    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        expected = np.array([0.0 if j is None else j.expected_label for j in judgments], dtype=np.float64)
        return (self.scale * expected).astype(np.float32)

    def preference(self, q: Values, advice: Values, step: int) -> Values:
        return q + advice
