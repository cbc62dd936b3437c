"""The one sum of a reward and its shift: r_t + w_t * delta_t (Deng et al. 2024, arXiv 2409.04744, equation 1)."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalars = TypeVar("Scalars", float, NDArray[Any])  # one number, or one for each decision


def shifted_reward(reward: Scalars, shift: Any, weight: float) -> Scalars:
    """reward + weight * shift, floating point whatever the world pays; the reward's own value where the shift is 0.

    Arrays keep the precision of a floating-point reward; whole numbers become float64, since a shift below 1 would be
    cut off. Where the shift is 0 nothing is added, because adding 0.0 would turn -0.0 into 0.0, and a training with
    `neutral` has to equal one with `none`. SlateQ's sum of tensors (apps/slateq/agent.py) is checked against this one.
    """
    if not isinstance(reward, np.ndarray):
        return float(reward) if shift == 0 else float(reward) + weight * float(shift)
    rewards = reward if np.issubdtype(reward.dtype, np.floating) else reward.astype(np.float64)
    shifted = rewards + np.asarray(weight * shift, dtype=rewards.dtype)
    return np.where(np.asarray(shift) == 0, rewards, shifted)
