"""The family of policies that share a network, from exploiting (member 0) to exploring (Badia et al. 2020, A)."""

import numpy as np
from numpy.typing import NDArray


def exploration_weights(members: int, beta: float) -> NDArray[np.float32]:
    """[member] beta_j: 0 for the first, `beta` for the last, a sigmoid between."""
    if members == 1:
        return np.zeros(1, dtype=np.float32)
    j = np.arange(members)
    weights = beta / (1 + np.exp(-10 * (2 * j - (members - 2)) / max(members - 2, 1)))
    weights[0], weights[-1] = 0, beta
    return weights.astype(np.float32)


def member_discounts(members: int, exploit: float, explore: float) -> NDArray[np.float32]:
    """[member] gamma_j from `exploit` for the first to `explore` for the last, evenly in log(1 - gamma)."""
    share = np.arange(members) / max(members - 1, 1)
    logs = (1 - share) * np.log(1 - exploit) + share * np.log(1 - explore)
    return (1 - np.exp(logs)).astype(np.float32)
