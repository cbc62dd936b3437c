"""What a sequence is learned from: n-step double Q targets, priorities and importance weights, as pure functions."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apps.atari_vision.r2d2.value_rescaling import rescale, unrescale


def n_step_returns(rewards: Tensor, discounts: Tensor, values: Tensor, mask: Tensor, n: int) -> Tensor:
    """[batch, time] n-step returns that bootstrap from `values` [batch, time + 1], one for each observation.

    `discounts` are gamma, and 0 at a terminal decision; `mask` is True for the decisions that exist, the first ones of
    each row. Near the end of a sequence the horizon shrinks to what is left of it, so the last returns bootstrap from
    the last observation (rlax does the same).
    """
    returns = values
    for _ in range(n):
        bootstrapped = torch.where(mask, rewards + discounts * returns[:, 1:], values[:, :-1])
        returns = torch.cat([bootstrapped, values[:, -1:]], dim=1)
    return returns[:, :-1]


def double_q_targets(
    online: Tensor, target: Tensor, rewards: Tensor, discounts: Tensor, mask: Tensor, n: int, eps: float
) -> Tensor:
    """[batch, time] rescaled targets h(r + ... + gamma^n h^-1(Q_target(s, argmax Q_online(s)))).

    `online` and `target` are rescaled values [batch, time + 1, action] (Kapturowski et al. 2019, section 2.3; double
    Q-learning: van Hasselt et al. 2016, arXiv 1509.06461).
    """
    best = online.argmax(dim=-1, keepdim=True)
    values = unrescale(target.gather(-1, best).squeeze(-1), eps)
    return rescale(n_step_returns(rewards, discounts, values, mask, n), eps)


def sequence_priorities(errors: Tensor, mask: Tensor, maximum: float) -> Tensor:
    """[batch] maximum * max |error| + (1 - maximum) * mean |error| over the decisions that exist (section 2.3)."""
    sizes = errors.abs() * mask
    mean = sizes.sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return maximum * sizes.amax(dim=1) + (1 - maximum) * mean


def importance_weights(probabilities: NDArray[np.float64], stored: int, exponent: float) -> NDArray[np.float32]:
    """[batch] (stored * p) ** -exponent, divided by the batch's largest, so that weights only scale down.

    Schaul et al. 2016 (arXiv 1511.05952), section 3.4.
    """
    weights = (stored * probabilities) ** -exponent
    return (weights / weights.max()).astype(np.float32)


def exploration_rates(actors: int, epsilon: float, spread: float) -> NDArray[np.float64]:
    """[actor] epsilon ** (1 + spread * i / (actors - 1)), from `epsilon` down to almost none.

    Horgan et al. 2018 (arXiv 1803.00933), section 4.1.
    """
    place = np.arange(actors) / max(actors - 1, 1)
    return epsilon ** (1 + spread * place)
