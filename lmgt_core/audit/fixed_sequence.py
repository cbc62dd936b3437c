"""Which of many thresholds hold what was demanded, from one look at the labels and with one promise for all of them.

Fixed-sequence testing (Angelopoulos et al. 2021, "Learn then Test", arXiv 2110.01052, section 2.1 and its multi-start
version; used for judges by Jung et al. 2024, arXiv 2407.18370): answers are sorted by falling confidence, and every
threshold is tested in turn, "the precision above it is too small", until a test fails. To pass a threshold that is too
low, the first one that is too low has to be passed, and that happens with probability delta at most. So no correction
is paid for the number of thresholds, and every threshold may be tried: there is no grid.

Where to begin? The most confident answer alone proves nothing, so tests begin at fixed ranks: at all n answers, at n/2,
n/4 and n/8 (`start_ranks`), with an equal share of delta for each. A run of passed tests that reaches the next start
keeps its share and takes the new one on top (the fallback procedure of Wiens 2003). Every share is lost at most once,
at the first threshold too low that is tested with it, so all together false passes have probability delta at most.

Why the starts do no harm although they fix a rank and not a confidence: let equal confidences be sorted at random, and
cut the confidences where the excess of right answers over the demanded share, summed from the top, crosses zero. Within
each piece between two zeros right answers have exactly the demanded share, so that, however many answers fell in which
piece, the number of right ones above the first zero is binomial with that share; and within the piece where a start
may fall, it is no larger. The argument asks for independent answers and for nothing else: confidence may be discrete,
and precision need not rise with confidence. If it does not, testing stops at the first failure: what lies below is not
found, coverage is lost, and the promise stays.
"""

from collections.abc import Sequence
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

STARTS = 4


def start_ranks(groups: NDArray[np.int64], demand: float, delta: float, starts: int = STARTS) -> list[int]:
    """The ranks at which tests begin: n, n/2, n/4, ... rounded up, at most `starts` of them.

    `groups[k - 1]` is the number of groups that the first k of n answers are of (k, where every answer is its own).

    Parts in which even right answers alone could not pass at their share of delta are left out: a share spent there
    would be lost for certain. Where that leaves n alone, the smallest part that could pass at half of delta joins it.
    """
    n = len(groups)
    ranks = {-(-n // 2**halvings) for halvings in range(starts)}
    found = sorted(rank for rank in ranks if rank == n or demand ** int(groups[rank - 1]) <= delta / starts)
    least = int(np.searchsorted(groups, ceil(log(delta / 2) / log(demand)))) + 1
    return [least, n] if len(found) == 1 and least < n else found


def passed_ranks(
    p_values: NDArray[np.float64], ends: NDArray[np.bool_], starts: Sequence[int], delta: float
) -> list[int]:
    """The ranks of passed tests, all of which hold together with probability 1 - delta.

    `p_values[k - 1]` is of "the precision of the first k answers' region is too small"; `ends[k - 1]` says that the
    k-th answer is the last of its confidence, so that the first k answers are all above some threshold. Tests are made
    at ends and at starts; only ends are returned.
    """
    share = delta / max(len(starts), 1)
    begins = set(starts)
    passed: list[int] = []
    level = 0.0  # what the run of passed tests may spend; 0: there is no such run
    for rank in (np.flatnonzero(ends | np.isin(np.arange(1, len(ends) + 1), list(begins))) + 1).tolist():
        if rank in begins:
            level += share
        if level > 0 and p_values[rank - 1] <= level:
            if ends[rank - 1]:
                passed.append(rank)
        else:
            level = 0.0
    return passed
