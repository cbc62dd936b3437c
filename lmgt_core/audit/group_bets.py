"""Tests of a precision on whole groups, by bets that need no independence within a group.

A group's gain is the share of its questions that were answered right, less the demand times the share that were
answered at all (with the verdict and confidence in question). It lies between -demand and 1 - demand, and if the
precision is the demand or less, its mean is 0 or less, whatever happens within groups. Somebody bets on gains, group
after group in random order: with a stake s his money is multiplied by 1 + s gain. If the precision is too small, his
money is not expected to grow, and reaches 1 / level with probability `level` at most: 1 / money is a p-value
(Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting", JRSS B; arXiv 2010.09686).
The stakes are theirs for a sample of known size, eq. 26: sqrt(2 log(1 / level) / (n variance)), with the variance of
the groups seen so far, so that the test is sharp where groups differ little. The money of a few random orders is
averaged, which is no less honest and depends less on luck.
"""

import numpy as np
from numpy.typing import NDArray

ORDERS = 3
MOST = 0.95  # of all money at stake, at most
START_VARIANCE = 0.05  # of gains, counted as one group

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def p_values_of_groups(met: Mask, gains: Floats, demand: float, level: float, rng: np.random.Generator) -> Floats:
    """For each region, a p-value of "the mean gain of groups is 0 at most".

    `met` and `gains` are [group, region]; a group that is not `met` has no answer in a region, and takes no part in it.
    `level` is where the test is to be sharp; any is honest.
    """
    n = np.maximum(met.sum(axis=0), 1)
    money = []  # its logarithm
    for _ in range(ORDERS):
        order = rng.permutation(len(gains))
        x, present = gains[order], met[order]
        seen = 1 + np.cumsum(present, axis=0)
        mean = np.cumsum(x, axis=0) / seen
        variance = (START_VARIANCE + np.cumsum(np.where(present, (x - mean) ** 2, 0.0), axis=0)) / seen
        before = np.vstack([np.full((1, x.shape[1]), START_VARIANCE), variance[:-1]])
        stake = np.minimum(np.sqrt(2 * np.log(1 / level) / (n * before)), MOST / demand)
        money.append(np.log1p(stake * x).sum(axis=0))
    return np.asarray(ORDERS * np.exp(-np.logaddexp.reduce(np.array(money), axis=0)))


def gains_by_rank(group: NDArray[np.int64], right: Mask, size: NDArray[np.int64], demand: float) -> tuple[Mask, Floats]:
    """[group, rank] whether a group has one of the first answers, and its gain from these; 0 without any.

    `size` is [answer] the number of its group's questions.
    """
    _, index = np.unique(group, return_inverse=True)
    member = index[None, :] == np.arange(index.max(initial=-1) + 1)[:, None]
    return member.cumsum(axis=1) > 0, np.cumsum(member * ((right - demand) / size)[None, :], axis=1)


def ranks_of_groups(met: Mask, groups: list[int]) -> list[int]:
    """For each number of groups, the last rank whose first answers are of so many groups."""
    return [int(np.searchsorted(met.sum(axis=0), number, side="right")) for number in groups]
