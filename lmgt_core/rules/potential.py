"""Potential-based shifts from judgments: Ng, Harada, Russell 1999, "Policy invariance under reward transformations".

The shift is gamma Phi(s') - Phi(s) with Phi(end) = 0, so along any episode it adds up to -Phi(start), whatever is
done: every policy loses the same and the best one stays the best. gamma has to be the learner's own. A time limit is no
end: where an episode is truncated, Phi(s') stays, as the learner bootstraps there too.

Phi(s) is the judge's opinion of a state: scale * the mean over all its actions of P(good) - P(bad). Where every state
has as many good as bad actions it is 0 everywhere: safe, and no help.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmgt_core.judging.judgment import Judgment


@dataclass(frozen=True)
class Potential:
    """delta is each judgment's part in Phi; `phi` is their mean over the actions of a state."""

    scale: float = 1.0
    name: ClassVar[str] = "potential"

    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        """[batch] scale * expected label; 0 where nothing was said."""
        expected = np.array([0.0 if j is None else j.expected_label for j in judgments], dtype=np.float64)
        return (self.scale * expected).astype(np.float32)

    def phi(self, judgments: Sequence[Judgment | None]) -> float:
        """Phi(s) from the judgments of all of a state's actions, in units of reward; within +- scale."""
        return float(self.delta(judgments).mean(dtype=np.float64)) if judgments else 0.0

    def weight(self, step: int) -> float:
        """1: a weight that changed between two steps would break the sum."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """Nothing: Phi is a function of the judge."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""


def potential_shift(phi_tm1: float, phi_t: float, discount_t: float) -> float:
    """discount_t * Phi(s_t) - Phi(s_tm1); discount_t is gamma, and 0 where the episode terminated."""
    return discount_t * phi_t - phi_tm1
