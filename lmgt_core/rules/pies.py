"""Policy-invariant explicit shaping: Behboudian et al. 2020 (arXiv 2011.01297).

Two critics: Q learns from the task's reward alone, Phi learns on the way from the reward -delta, and the agent acts on
Q - xi_t Phi with xi_t -> 0. Our advice is -Phi, the discounted sum of shifts, so the agent acts on Q + xi_t * advice.

Why it keeps the best policy in the limit: Q never sees a shift, and at xi = 0 the agent is the plain one. An off-policy
Q (Q-learning) needs nothing else than that every action goes on being tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lmgt_core.judging.judgment import Judgment
from lmgt_core.rules.agent_rule import AgentRule, Values
from lmgt_core.rules.shift import labels


@dataclass(frozen=True)
class Pies(AgentRule):
    """delta = label * scale, for the critic of shifts; xi falls linearly from 1 to 0 at `horizon` steps."""

    scale: float
    horizon: int  # steps
    name: ClassVar[str] = "pies"
    learns_advice: ClassVar[bool] = True

    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        return (self.scale * labels(judgments)).astype(np.float32)

    def xi(self, step: int) -> float:
        """How much the agent listens at step t of training, in [0, 1]."""
        return max(0.0, 1.0 - step / self.horizon)

    def preference(self, q: Values, advice: Values, step: int) -> Values:
        return q + self.xi(step) * advice
