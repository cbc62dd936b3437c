"""Means, ranks and regrets of policies under several user models, with a bootstrap over users and training seeds.

All policies serve the same users with the same luck under every model, so one draw of users counts for all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.slateq.evaluation_rows import BLOCKS
from lmgt_core.training.statistics import RESAMPLES

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Means:
    """Mean returns of policies under user models, and what resampling makes of them."""

    models: Sequence[str]
    policies: Sequence[str]
    found: Floats  # [model, policy]
    resampled: Floats  # [resample, model, policy]

    def of(self, policies: Sequence[str]) -> "Means":
        """The same of some policies."""
        places = [list(self.policies).index(name) for name in policies]
        return Means(self.models, policies, self.found[:, places], self.resampled[:, :, places])


def resampled_means(returns: Mapping[str, Mapping[str, Floats]], seed: int = 0, n: int = RESAMPLES) -> Means:
    """The means of `returns` {user model: {policy: [training seed, user]}}, with `n` resamples.

    A resample draws users, in at most BLOCKS blocks of neighbours, the same for all policies and models; and each
    policy's training seeds, the same for all models. ValueError where policies served different numbers of users.
    """
    models, policies = list(returns), list(next(iter(returns.values())))
    sizes = {one.shape[1] for found in returns.values() for one in found.values()}
    if len(sizes) != 1:
        raise ValueError(f"all policies have to serve the same users, not {sorted(sizes)} of them")
    rng = np.random.default_rng(seed)
    begins = np.array([part[0] for part in np.array_split(np.arange(sizes.pop()), BLOCKS) if part.size])
    blocks = rng.multinomial(len(begins), np.full(len(begins), 1 / len(begins)), size=n)  # [resample, block]
    shape = len(models), len(policies)
    found, resampled = np.empty(shape), np.empty((n, *shape))
    for column, policy in enumerate(policies):
        trained = len(returns[models[0]][policy])
        seeds = rng.multinomial(trained, np.full(trained, 1 / trained), size=n)  # [resample, training seed]
        for row, model in enumerate(models):
            one = returns[model][policy]
            users = blocks @ np.diff([*begins, one.shape[1]])
            totals = np.add.reduceat(one, begins, axis=1)  # [training seed, block]
            found[row, column] = one.mean()
            resampled[:, row, column] = np.einsum("rs,sb,rb->r", seeds, totals, blocks) / (trained * users)
    return Means(models, policies, found, resampled)


def ranks(means: Floats) -> Floats:
    """[..., policy] places by `means` [..., policy]: 1 is the highest; equal ones share the mean of their places."""
    better = (means[..., None, :] > means[..., :, None]).sum(axis=-1)
    equal = (means[..., None, :] == means[..., :, None]).sum(axis=-1)
    return np.asarray(1 + better + (equal - 1) / 2)


def regrets(means: Floats) -> Floats:
    """[..., policy] how far each of `means` [..., policy] is behind the highest; 0 for that one."""
    return np.asarray(means.max(axis=-1, keepdims=True) - means)


def worst_regrets(means: Floats) -> Floats:
    """[..., policy] the largest regret under any user model of `means` [..., model, policy] (Savage 1951)."""
    return np.asarray(regrets(means).max(axis=-2))
