"""Tests of a precision on the means of groups, by bets that need no independence within a group.

Somebody bets, group after group in random order, that a group's share of right answers will be above the demand d:
with a stake s his money is multiplied by 1 + s (share - d). Where the mean share is d or less, whatever happens within
groups, his money is not expected to grow, and reaches 1 / level with probability `level` at most: 1 / money is a
p-value (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting", JRSS B; arXiv
2010.09686). The stakes are theirs for a sample of known size, eq. 26: sqrt(2 log(1 / level) / (n variance)), with
the variance of the groups seen so far, so that the test is sharp where groups differ little. The money of a few random
orders is averaged, which is no less honest and depends less on luck.
"""

import numpy as np
from numpy.typing import NDArray

ORDERS = 3
MOST = 0.95  # of all money at stake, at most
START_VARIANCE = 0.1875  # of a coin with a chance of .75, counted as one group

Counts = NDArray[np.int64]


def p_values_of_groups(
    admitted: Counts, right: Counts, demand: float, level: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """For each region, a p-value of "the mean over groups of the share of right answers is `demand` at most".

    `admitted` and `right` are [group, region]; a group without an answer in a region takes no part in it. `level` is
    where the test is to be sharp; any is honest.
    """
    met = admitted > 0
    share = np.where(met, right / np.maximum(admitted, 1), 0.0)
    n = np.maximum(met.sum(axis=0), 1)
    money = []  # its logarithm
    for _ in range(ORDERS):
        order = rng.permutation(len(share))
        x, present = share[order], met[order]
        seen = 1 + np.cumsum(present, axis=0)
        mean = (demand + np.cumsum(np.where(present, x, 0.0), axis=0)) / seen
        variance = (START_VARIANCE + np.cumsum(np.where(present, (x - mean) ** 2, 0.0), axis=0)) / seen
        before = np.vstack([np.full((1, x.shape[1]), START_VARIANCE), variance[:-1]])
        stake = np.minimum(np.sqrt(2 * np.log(1 / level) / (n * before)), MOST / demand)
        money.append(np.log1p(np.where(present, stake * (x - demand), 0.0)).sum(axis=0))
    return np.asarray(ORDERS * np.exp(-np.logaddexp.reduce(np.array(money), axis=0)))


def counts_by_rank(group: Counts, right: NDArray[np.bool_]) -> tuple[Counts, Counts]:
    """[group, rank] how many of the first answers are of each group, and how many of them are right."""
    _, index = np.unique(group, return_inverse=True)
    member = index[None, :] == np.arange(index.max(initial=-1) + 1)[:, None]
    return np.cumsum(member, axis=1), np.cumsum(member & right[None, :], axis=1)


def ranks_of_groups(admitted: Counts, groups: list[int]) -> list[int]:
    """For each number of groups, the last rank whose first answers are of so many groups."""
    met = (admitted > 0).sum(axis=0)
    return [int(np.searchsorted(met, number, side="right")) for number in groups]
