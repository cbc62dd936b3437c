"""Tests of a precision on whole groups, by bets that need no independence within a group.

Of a region of answers (those of a verdict above a threshold), group g has n_g, of which r_g are right. Its gain is
r_g - demand n_g, and if the precision is the demand or less, gains are not expected to be above 0 in sum, whatever
happens within groups. Somebody bets on every group: with a stake s his money is multiplied by 1 + s gain. Groups are
independent, so his expected money is the product of 1 + s E[gain_g], which is at most (1 + s mean)^groups, and so at
most 1 (the arithmetic mean is above the geometric). By Markov's inequality 1 / money is a p-value. So one number serves
where Waudby-Smith and Ramdas (2024, JRSS B; arXiv 2010.09686, section 4) have stakes that follow the past: the order of
groups does not matter.

The stake may depend on the n_g, which no label tells, but not on the r_g. It is theirs for a sample of known size (eq.
26), sqrt(2 log(1 / level) / variance of the sum), once with the variance of groups that are right or wrong as a whole
and once with that of independent answers; the money of both is averaged.
"""

import numpy as np
from numpy.typing import NDArray

MOST = 0.95  # of what can be lost at most

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]


def p_values_of_groups(counts: Counts, right: Counts, demand: float, level: float) -> NDArray[np.float64]:
    """For each region, a p-value of "its precision is the demand or less", from [group, region] answers and right ones.

    `level` is where the test is to be sharp; any is honest. 1 for a region without answers.
    """
    gains = right - demand * counts
    largest = np.maximum(counts.max(axis=0, initial=0), 1)
    money = []  # its logarithm
    for spread in ((counts**2).sum(axis=0), counts.sum(axis=0)):
        sharp = np.sqrt(2 * np.log(1 / level) / (demand * (1 - demand) * np.maximum(spread, 1)))
        stake = np.minimum(sharp, MOST / (demand * largest))
        money.append(np.log1p(stake * gains).sum(axis=0))
    return np.asarray(np.minimum(1.0, 2 * np.exp(-np.logaddexp(*money))))


def counts_by_rank(group: NDArray[np.int64], right: Mask) -> tuple[Counts, Counts]:
    """[group, rank] how many of the first answers each group has, and how many of those are right."""
    _, index = np.unique(group, return_inverse=True)
    member = index[None, :] == np.arange(index.max(initial=-1) + 1)[:, None]
    return member.cumsum(axis=1), (member & right[None, :]).cumsum(axis=1)


def ranks_of_groups(counts: Counts, groups: list[int]) -> list[int]:
    """For each number of groups, the last rank whose first answers are of so many groups."""
    return [int(np.searchsorted((counts > 0).sum(axis=0), number, side="right")) for number in groups]
