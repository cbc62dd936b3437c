"""From a judge's raw score to a probability: a threshold for each group, one temperature (Platt scaling)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DECIMALS = 6  # of what is fitted: below it lies the noise of linear algebra on different machines


@dataclass(frozen=True)
class Calibration:
    """P(yes) = 1 / (1 + exp(-(score - threshold) / temperature)); `groups` overrides the threshold by group name."""

    threshold: float
    temperature: float
    groups: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature {self.temperature} is not above 0")

    def probability(self, scores: NDArray[np.float64], groups: Sequence[str]) -> NDArray[np.float64]:
        """P(yes) in (0, 1) of `scores` [question], whose groups are `groups`; unknown groups use `threshold`."""
        thresholds = np.array([self.groups.get(group, self.threshold) for group in groups])
        odds = (scores - thresholds) / self.temperature
        probability: NDArray[np.float64] = np.exp(-np.logaddexp(0.0, -odds))
        return probability

    @property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of all its numbers."""
        content = json.dumps([self.threshold, self.temperature, sorted(self.groups.items())])
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def fit_calibration(
    scores: NDArray[np.float64],
    groups: Sequence[str],
    labels: NDArray[np.bool_],
    base_rate: float = 0.5,
    penalty: float = 1e-3,
) -> Calibration:
    """The most probable calibration of `scores` [question] for the answers `labels`, as a weighted logistic regression.

    Questions are weighted such that a share `base_rate` of them is yes. `penalty` pulls the groups' thresholds, in
    units of log odds, together, so that a group with few questions does not go its own way; the shared threshold
    serves groups that were not seen here. ValueError where labels are all alike, or higher scores do not mean yes.
    """
    from scipy.optimize import minimize

    if labels.all() or not labels.any():
        raise ValueError("a calibration needs questions with the answer yes and questions with the answer no")
    names = sorted(set(groups))
    group = np.searchsorted(names, groups)
    weights = np.where(labels, base_rate / labels.mean(), (1 - base_rate) / (1 - labels.mean())) / len(labels)
    center, spread = float(scores.mean()), float(scores.std()) or 1.0
    z, sign = (scores - center) / spread, np.where(labels, 1.0, -1.0)

    def loss(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, shared, own = v[0], v[1], v[2:]
        odds = sign * (slope * z + shared + own[group])
        value = weights @ np.logaddexp(0.0, -odds) + penalty * (own @ own)
        pull = -weights * sign * np.exp(-np.logaddexp(0.0, odds))
        by_group = np.bincount(group, pull, len(names))
        return value, np.concatenate([[pull @ z, pull.sum()], by_group + 2 * penalty * own])

    found = minimize(loss, np.concatenate([[1.0, 0.0], np.zeros(len(names))]), jac=True, method="L-BFGS-B").x
    slope, shared, own = float(found[0]), float(found[1]), found[2:]
    if slope <= 0:
        raise ValueError("higher scores do not mean yes here")

    def threshold(offset: float) -> float:
        return round(center - offset * spread / slope, DECIMALS)

    by_name = {name: threshold(shared + float(o)) for name, o in zip(names, own, strict=True)} if len(names) > 1 else {}
    return Calibration(threshold(shared), round(spread / slope, DECIMALS), by_name)
