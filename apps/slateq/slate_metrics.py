"""What slates show, clicked or not: metrics of the recommendation literature, of one session of each of B users.

A document is told from another by its topic here, since documents are drawn anew for every slate. Formulas, ranges and
sources: docs/glossary.md, SlateQ.
"""

import numpy as np
from numpy.typing import NDArray

from apps.slateq.simulator.protocol import Bools, Integers

SLATE_METRICS = ("click_through_rate", "ndcg", "catalogue_coverage", "intra_list_diversity", "novelty")
Floats = NDArray[np.float64]


def ndcg(gains: Floats, slates: Integers) -> Floats:
    """[B] the discounted gain of `slates` [B, K], over that of the K best candidates, best first; 0 to 1.

    `gains` [B, N], 0 or more, are what each candidate is worth to the user; the i-th place counts 1 / log2(i + 1)
    (Järvelin and Kekäläinen 2002, with gains as they are). NaN where all candidates gain 0, or gains are not known.
    """
    k = slates.shape[1]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    best = -np.sort(-gains, axis=1)[:, :k] @ discounts
    found = np.take_along_axis(gains, slates, axis=1) @ discounts
    return _share(found, best)


def intra_list_diversity(topics: Integers) -> Floats:
    """[B] the share of pairs of documents in slates of `topics` [B, K] whose topics differ; NaN for slates of one.

    The mean distance of two documents of a list (Ziegler et al. 2005; Zhang and Hurley 2008), which is 1 between
    topics and 0 within one.
    """
    k = topics.shape[1]
    if k < 2:
        return np.full(len(topics), np.nan)
    one, other = np.triu_indices(k, 1)
    return np.asarray((topics[:, one] != topics[:, other]).mean(axis=1))


def novelty(topics: Integers, shown: Floats) -> Floats:
    """[B] mean surprise, in bits, of the `topics` [B, K] of a slate to a user who was `shown` [B, T] of each before.

    Minus the logarithm of a topic's share of what the session has shown so far, each topic counted once more than it
    was: self-information (Zhou et al. 2010) in the context of the user (Vargas and Castells 2011).
    """
    share = (np.take_along_axis(shown, topics, axis=1) + 1) / (shown.sum(axis=1, keepdims=True) + shown.shape[1])
    return np.asarray(-np.log2(share).mean(axis=1))


class ShownTally:
    """Adds up what B users are shown until their first session is over."""

    def __init__(self, users: int, topics: int) -> None:
        self.shown = np.zeros((users, topics))
        self.sums = {name: np.zeros(users) for name in ("ndcg", "intra_list_diversity", "novelty")}
        self.counts = {name: np.zeros(users) for name in self.sums}

    def add(self, served: Bools, topics: Integers, gains: Floats, slates: Integers) -> None:
        """Counts the `slates` [B, K] of users who are `served` [B]: `topics` [B, K], and candidates' `gains` [B, N]."""
        values = {
            "ndcg": ndcg(gains, slates),
            "intra_list_diversity": intra_list_diversity(topics),
            "novelty": novelty(topics, self.shown),
        }
        for name, value in values.items():
            known = served & np.isfinite(value)
            self.sums[name] += np.where(known, value, 0.0)
            self.counts[name] += known
        np.add.at(self.shown, (np.flatnonzero(served)[:, None], topics[served]), 1)

    def values(self, clicks: Floats) -> dict[str, Floats]:
        """{metric: [B]} of SLATE_METRICS, of users who clicked so often; NaN where a metric says nothing of a user."""
        found = {name: _share(total, self.counts[name]) for name, total in self.sums.items()}
        found["click_through_rate"] = _share(clicks, self.shown.sum(axis=1))
        found["catalogue_coverage"] = (self.shown > 0).mean(axis=1)
        return {name: found[name] for name in SLATE_METRICS}


def _share(part: Floats, whole: Floats) -> Floats:
    """part / whole [B], NaN where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))
