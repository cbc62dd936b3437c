"""From sums to estimates: values, intervals, effective sample sizes, and what speaks against believing them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.slateq.logs.schema import Floats
from apps.slateq.off_policy.estimators import SESSION, SESSION_MODEL
from apps.slateq.off_policy.sums import Sums
from lmgt_core.training.statistics import percentile_interval

SELF_NORMALISED = "sn-"
ALWAYS_PLAIN = ("pdis-cv", "model", SESSION_MODEL)
FEW = 100.0  # an effective sample of fewer slates, or sessions, is no ground for a decision
ROUNDING = 1e-5  # of propensities that were logged in single precision
ODD = 4.0  # standard errors between the mean weight and 1 that chance does not explain


@dataclass(frozen=True, eq=False)
class Estimate:
    """What one estimator says of one policy.

    `resampled` [1 + R] is the value and the same of each resample; `effective` is how many slates or sessions of the
    evaluated policy's own would tell as much; `mean_weight` should be 1. `warning` is "" where there is none.
    """

    estimator: str
    per: str
    resampled: Floats
    effective: float
    mean_weight: float
    warning: str

    @property
    def value(self) -> float:
        """The estimate."""
        return float(self.resampled[0])

    @property
    def ci95(self) -> tuple[float, float] | None:
        """The 95 % interval; None where no resample has a value."""
        return interval(self.resampled)


def interval(resampled: Floats) -> tuple[float, float] | None:
    """The percentile interval of 95 % of the resamples [1 + R]; None where they have no value."""
    known = resampled[1:][np.isfinite(resampled[1:])]
    if len(known) < 2 or not np.isfinite(resampled[0]):
        return None
    return percentile_interval(known)


def estimates_of(sums: Sums) -> list[Estimate]:
    """Two for each estimator that was summed, plain and self-normalised, in the order of the sums.

    pdis-cv is not self-normalised: what it adds is 0 in the mean, and large parts of it would no longer cancel. model
    has no weights.
    """
    found = []
    for name in sums.families:
        effective, mean_weight, warning = health(sums, name)
        per = "session" if name in SESSION else "slate"
        plain, normalised = values_of(sums, name)
        found.append(Estimate(name, per, plain, effective, mean_weight, warning))
        if name in ALWAYS_PLAIN:
            continue
        found.append(Estimate(SELF_NORMALISED + name, per, normalised, effective, mean_weight, warning))
    return found


def values_of(sums: Sums, name: str) -> tuple[Floats, Floats]:
    """[1 + R] the estimates, plain and self-normalised; NaN where every weight is 0."""
    family = sums.families[name]
    count = sums.sessions if name in SESSION else sums.slates
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = family["weighted"].sum(axis=(0, 1)) / count
        normalised = (family["weighted"] / family["weight"]).sum(axis=(0, 1))
    return plain, normalised


def health(sums: Sums, name: str) -> tuple[float, float, str]:
    """The effective sample size, the mean weight that is furthest from 1, and a warning.

    (sum of weights)^2 / sum of squared weights, after Kong 1992; the smallest over an estimator's terms, and the
    harmonic mean over a session's steps, each counted as often as it was reached: variances are what adds up. Where the
    log has no slate that the policy would show, weights do not average 1: what is missing from the log is missing from
    the estimate.
    """
    family = sums.families[name]
    count, what = (sums.sessions, "sessions") if name in SESSION else (sums.slates, "slates")
    weight, squares = family["weight"], family["squares"]
    sizes = np.divide(weight[:, :, 0] ** 2, squares, out=np.zeros_like(squares), where=squares > 0)
    reached = sums.alive if sizes.shape[1] == len(sums.alive) else np.ones(sizes.shape[1])
    smallest = sizes.min(axis=0)
    effective = float(reached.sum() / (reached / smallest).sum()) if smallest.min() > 0 else 0.0
    means = weight / np.maximum(count, 1)  # [J, T, 1 + R]
    off = np.where(sizes >= min(FEW, sizes.max()), means[:, :, 0] - 1, 0.0)  # of too few weights nothing can be said
    worst = np.unravel_index(np.abs(off).argmax(), off.shape)
    mean_weight, error = 1 + float(off[worst]), float(means[worst][1:].std())
    few = f"as good as {effective:.0f} {what}" if effective < FEW else ""
    if sizes.max() == 0:
        return effective, mean_weight, "nothing that was logged is what this policy would show"
    if abs(mean_weight - 1) > max(ODD * error, ROUNDING):
        off_one = f"weights average {mean_weight:.2f}, not 1"
        reason = f"{few}, {off_one}: too few, or support is missing" if few else f"{off_one}: support is missing"
        return effective, mean_weight, reason
    return effective, mean_weight, f"{few}: too few" if few else ""


def difference(first: Estimate, second: Estimate) -> dict[str, Any]:
    """{"estimator", "per", "difference", "ci95", "warning"}: the second minus the first, on the same resamples."""
    resampled = second.resampled - first.resampled
    return {
        "estimator": first.estimator,
        "per": first.per,
        "difference": float(resampled[0]) if np.isfinite(resampled[0]) else None,
        "ci95": interval(resampled),
        "warning": first.warning or second.warning,
    }
