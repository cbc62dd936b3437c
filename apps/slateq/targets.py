"""What an item's value is drawn towards: SARSA and Q-learning targets of SlateQ, over one step or several.

After Ie et al. 2019 (arXiv 1905.12767, section 4.2). All values here are of the *next* state, from the target network;
RecSim's own agent builds them on the current one (google-research/recsim, issue 26). NumPy arrays or tensors.
"""

from apps.slateq.decomposition import Array, namespace, slate_value
from apps.slateq.optimisers import Optimiser


def n_step(rewards: Array, discounts: Array) -> tuple[Array, Array]:
    """(R [B], discount [B]) of rewards and discounts [B, n]: r_1 + d_1 r_2 + d_1 d_2 r_3 ..., and d_1 ... d_n.

    A discount is gamma, and 0 where the session terminated; what comes after belongs to another user and counts for
    nothing.
    """
    total, factor = rewards[..., 0], discounts[..., 0]
    for step in range(1, rewards.shape[-1]):
        total = total + factor * rewards[..., step]
        factor = factor * discounts[..., step]
    return total, factor


def sarsa_value(scores: Array, values: Array, slates: Array) -> Array:
    """[B] the value of the slates [B, K] that were served in the next state."""
    return slate_value(scores, values, slates)


def q_value(scores: Array, values: Array, optimise: Optimiser, k: int, choose_by: Array | None = None) -> Array:
    """[B] the value of the slates that `optimise` would serve in the next state.

    `choose_by` [B, N + 1] are other values to choose the slates by: the online network's for double Q-learning (van
    Hasselt et al. 2016, arXiv 1509.06461).
    """
    return slate_value(scores, values, optimise(scores, values if choose_by is None else choose_by, k))


def td_target(rewards: Array, discounts: Array, next_values: Array) -> Array:
    """[B] R + discount * V(s'); R itself where the discount is 0, whatever stands for V there."""
    xp = namespace(rewards)
    return rewards + xp.where(discounts > 0, discounts * next_values, xp.zeros_like(rewards))
