"""How sure one can be of a judge: intervals of a precision and of an AUC, from probes that come in groups.

Probes of one group (one object, one card hand) share their errors, so they count for fewer than they are: a cluster
bootstrap draws whole groups. Clopper-Pearson takes probes as independent, but is exact for few of them, where the
bootstrap is not (having seen no error, it knows no doubt). An interval takes the wider side of the two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 500
ALPHA = 0.05  # one-sided, for lower bounds


@dataclass(frozen=True, eq=False)
class Answers:
    """One judge's answers to probes that it neither left unreadable nor abstained from.

    `said` and `truth` are labels, +1, 0, -1; `score` is P(good) - P(bad); `group` numbers the groups from 0.
    """

    said: NDArray[np.int64]  # [answer]
    truth: NDArray[np.int64]  # [answer]
    confidence: NDArray[np.float64]  # [answer], of what was said
    score: NDArray[np.float64]  # [answer]
    group: NDArray[np.int64]  # [answer]

    def __len__(self) -> int:
        return len(self.said)

    def where(self, mask: NDArray[np.bool_]) -> "Answers":
        """The answers under `mask`."""
        return self.at(np.flatnonzero(mask))

    def at(self, rows: NDArray[np.int64]) -> "Answers":
        """The answers at `rows`, in that order."""
        return Answers(self.said[rows], self.truth[rows], self.confidence[rows], self.score[rows], self.group[rows])

    @property
    def right(self) -> NDArray[np.bool_]:
        """[answer] whether the judge said the truth."""
        return np.asarray(self.said == self.truth)


def clopper_pearson(right: int, n: int, alpha: float = ALPHA) -> float:
    """The exact one-sided lower bound of a share, at confidence 1 - alpha; 0 of nothing (Clopper, Pearson 1934)."""
    from scipy.special import betaincinv

    return float(betaincinv(right, n - right + 1, alpha)) if right else 0.0


def group_weights(groups: int, rng: np.random.Generator, resamples: int = RESAMPLES) -> NDArray[np.float64]:
    """[resample, group] how often each group is drawn when as many are drawn, with replacement, as there are."""
    return rng.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples).astype(np.float64)


def auc(score: NDArray[np.float64], good: NDArray[np.bool_], weight: NDArray[np.float64] | None = None) -> float | None:
    """The chance that a good action scores above a bad one, ties counting half; None without both kinds."""
    _, level = np.unique(score, return_inverse=True)
    weight = np.ones(len(score)) if weight is None else weight
    goods = np.bincount(level, weights=weight * good)
    bads = np.bincount(level, weights=weight * ~good)
    pairs = goods.sum() * bads.sum()
    return float(goods @ (np.cumsum(bads) - bads / 2) / pairs) if pairs > 0 else None


def auc_interval(
    score: NDArray[np.float64], good: NDArray[np.bool_], group: NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float] | None:
    """The 95 % cluster bootstrap interval of the AUC; None for a single group, or without both kinds."""
    names, group = np.unique(group, return_inverse=True)
    if len(names) < 2:
        return None
    draws = (auc(score, good, weight[group]) for weight in group_weights(len(names), rng))
    known = [a for a in draws if a is not None]  # a draw may hold only one kind
    return (float(np.quantile(known, 0.025)), float(np.quantile(known, 0.975))) if known else None


def precision_interval(answers: Answers, rng: np.random.Generator) -> tuple[float, float] | None:
    """A two-sided 95 % interval of the share of right answers: the wider side each of exact and cluster bootstrap."""
    n, right = len(answers), int(answers.right.sum())
    if n == 0:
        return None
    exact = clopper_pearson(right, n, 0.025), 1.0 - clopper_pearson(n - right, n, 0.025)
    names, group = np.unique(answers.group, return_inverse=True)
    weight = group_weights(len(names), rng)[:, group]  # [resample, answer]
    shares = weight @ answers.right / weight.sum(1)
    return min(exact[0], float(np.quantile(shares, 0.025))), max(exact[1], float(np.quantile(shares, 0.975)))
