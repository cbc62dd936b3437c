"""One transition, with reward and shift kept apart until a learner samples it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scalars = float | NDArray[np.floating[Any]]  # one number, or [batch]


@dataclass(frozen=True, eq=False)
class Transition:
    """s_tm1, a_tm1 -> r_t, s_t: one decision, or a batch of them as arrays.

    `r_t` is the world's reward and `shift_t` the judge's delta, unweighted. `discount_t` is gamma, and 0 where the
    episode terminated.
    """

    s_tm1: Any
    a_tm1: Any
    r_t: Scalars
    shift_t: Scalars
    discount_t: Scalars
    s_t: Any


def shifted_reward(transition: Transition, weight: float) -> Scalars:
    """What the learner uses: r_t + weight * shift_t; r_t itself, bit for bit, where the shift is 0."""
    return add_shift(transition.r_t, transition.shift_t, weight)


def add_shift(reward: Scalars, shift: Scalars, weight: float) -> Scalars:
    """reward + weight * shift in the reward's own precision; the reward, bit for bit, where the shift is 0.

    Adding 0.0 would turn -0.0 into 0.0, and a run with `neutral` has to equal one with `none`.
    """
    if not isinstance(reward, np.ndarray):
        return reward if shift == 0 else reward + weight * float(shift)
    shifted = reward + np.asarray(weight * shift, dtype=reward.dtype)
    return np.where(np.asarray(shift) == 0, reward, shifted)
