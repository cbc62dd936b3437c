"""Action-dependent optimality-preserving shaping, after Forbes et al. 2025 (ICML, arXiv 2505.12611), for critics of Q.

The paper's idea: two critics, one of the task's reward (E) and one of the shifts (I); a shift is left as it is unless
it would turn the order of an optimal and a suboptimal action round, and is then corrected by just what is needed:

    optimal action, Q_E = V_E:     F' = F + max(0, V_E - Q_E + V_I - gamma V_I(s') - F)
    suboptimal action, Q_E < V_E:  F' = F + min(0, V_E - Q_E + V_I - gamma V_I(s') - F - epsilon)

The paper does it with the state values of PPO's critics, rewards being all that it can reach. An agent with Q values
needs no corrected reward: it can act on the corrected value Q_E + F' + gamma V_I(s') at once, which is what
`preference` is. Ours differs in two points, both in favour of advice, and both harmless to the promise:
optimal actions are not lifted to V_E + V_I (among equally good actions the judge may choose), and "optimal" allows for
a `tolerance` that falls to 0, since values are still being learnt.

Proof. Let O(s) be the actions with Q_E(s, a) >= V_E(s) - tolerance, T(s) = max over O(s) of Q_E + Q_I. Actions outside
O(s) get min(Q_E + Q_I, T(s) - epsilon) < T(s), so every greedy action lies in O(s). Where the tolerance is below the
least difference between the best and the next best value, and Q_E = Q*, O(s) is the set of optimal actions: acting on
`preference` is optimal whatever Q_I is. Q_E reaches Q* as in plain Q-learning: it never sees a shift. (For Sarsa: the
policy is then greedy for Q_E in the limit, which is Sarsa's own condition.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lmgt_core.judging.judgment import Judgment
from lmgt_core.rules.agent_rule import AgentRule, Values
from lmgt_core.rules.shift import labels

EPSILON = 1e-6  # units of reward; the paper's own size of the correction that keeps an order strict


@dataclass(frozen=True)
class Adops(AgentRule):
    """delta = label * scale, for the critic of shifts; the tolerance falls linearly from `scale` to 0 at `horizon`."""

    scale: float
    horizon: int  # steps
    name: ClassVar[str] = "adops"
    learns_advice: ClassVar[bool] = True

    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        return (self.scale * labels(judgments)).astype(np.float32)

    def tolerance(self, step: int) -> float:
        """How much of the task's own value the judge may cost at step t of training, in units of reward."""
        return self.scale * max(0.0, 1.0 - step / self.horizon)

    def preference(self, q: Values, advice: Values, step: int) -> Values:
        best = q.max(axis=-1, keepdims=True)
        optimal = q >= best - self.tolerance(step)
        both = q + advice
        ceiling = np.where(optimal, both, -np.inf).max(axis=-1, keepdims=True)
        return np.where(optimal, both, np.minimum(both, ceiling - EPSILON))
