"""Summaries of few seeds that say how little is known.

After Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (arXiv 2108.13264):
interquartile means, stratified bootstrap intervals and probabilities of improvement in place of bare means.
Non-finite input is a ValueError everywhere: a seed that diverged must be named, not averaged away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Floats], Floats]  # [..., value] -> [...]
Interval: TypeAlias = tuple[float, float]

RESAMPLES = 2000
CUT = 0.25  # share of the values that the interquartile mean drops at each end


def _last_axis_mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=-1))


def _last_axis_iqm(values: Floats) -> Floats:
    """scipy.stats.trim_mean(values, .25, axis=-1), without importing scipy."""
    n = values.shape[-1]
    low = int(CUT * n)
    high = n - low
    return np.asarray(np.partition(values, (low, high - 1), axis=-1)[..., low:high].mean(axis=-1))


def mean(values: ArrayLike) -> float:
    """The mean of `values` [value]; ValueError when there is none or one is not finite."""
    return float(_last_axis_mean(_checked(values)))


def iqm(values: ArrayLike) -> float:
    """The interquartile mean of `values` [value]: the mean without the lowest and the highest quarter.

    Each end loses int(.25 n) values, as in scipy.stats.trim_mean: with fewer than four values nothing is cut and the
    result is the plain mean; with five, only the lowest and the highest go.
    """
    return float(_last_axis_iqm(_checked(values)))


def bootstrap_ci(
    values: ArrayLike | Sequence[ArrayLike],
    statistic: Statistic | str = "iqm",
    rng: np.random.Generator | int = 0,
    n: int = RESAMPLES,
    confidence: float = 0.95,
) -> Interval | None:
    """The stratified bootstrap percentile interval of a statistic, or None when the data cannot give one.

    `values` is one sample [value], or a list of strata (one a task or environment) that are resampled separately and
    pooled, as in Agarwal et al. 2021, section 4. `statistic` is "mean", "iqm" or a function [..., value] -> [...].
    None when a stratum has a single value: resampling it would repeat it and claim a certainty that nobody has. Equal
    values (all seeds at 0) do give an interval of no width; with few seeds it is too narrow, so show n beside it.
    """
    strata = _strata(values)
    if any(stratum.size < 2 for stratum in strata):
        return None
    generator = np.random.default_rng(rng)
    compute = _statistic(statistic)
    resampled = [s[generator.integers(0, s.size, size=(n, s.size))] for s in strata]  # each [resample, value]
    return percentile_interval(compute(np.concatenate(resampled, axis=1)), confidence)


def nested_bootstrap_ci(
    groups: Sequence[ArrayLike], rng: np.random.Generator | int = 0, n: int = RESAMPLES, confidence: float = 0.95
) -> Interval | None:
    """The percentile interval of the pooled mean when values come in groups, such as the episodes of each seed.

    Groups are drawn with replacement, then values within each drawn group (Davison, Hinkley 1997, section 3.8). With
    one group it speaks about its values only, not about other seeds. None when there is only one value in all.
    """
    samples = [_checked(group) for group in groups]
    if sum(sample.size for sample in samples) < 2:
        return None
    generator = np.random.default_rng(rng)
    drawn = generator.multinomial(len(samples), np.full(len(samples), 1 / len(samples)), size=n)  # [resample, group]
    totals, sizes = np.zeros(n), np.zeros(n)
    for times, sample in zip(drawn.T, samples, strict=True):
        # A group drawn c times gives c * size draws from it: counting them needs no array of all values.
        counts = generator.multinomial(times * sample.size, np.full(sample.size, 1 / sample.size))
        totals += counts @ sample
        sizes += times * sample.size
    return percentile_interval(totals / sizes, confidence)


@dataclass(frozen=True)
class Improvement:
    """How likely a run of X beats a run of Y, in [0, 1], with its interval (None when a side has one value)."""

    probability: float
    ci95: Interval | None

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return {"probability": self.probability, "ci95": None if self.ci95 is None else list(self.ci95)}


def probability_of_improvement(
    x: ArrayLike, y: ArrayLike, rng: np.random.Generator | int = 0, n: int = RESAMPLES
) -> Improvement:
    """P(X > Y) + P(X = Y) / 2 over all pairs of `x` [value] and `y` [value], with a 95 % bootstrap interval.

    This is the Mann-Whitney U of x divided by the number of pairs (Agarwal et al. 2021, section 4.3). Both sides are
    resampled separately.
    """
    a, b = _checked(x), _checked(y)
    wins = (a[:, None] > b[None, :]) + 0.5 * (a[:, None] == b[None, :])  # [x, y]
    probability = float(wins.mean())
    if a.size < 2 or b.size < 2:
        return Improvement(probability, None)
    generator = np.random.default_rng(rng)
    # Counting how often each value was drawn keeps memory at [resample, x] instead of [resample, x, y].
    drawn_a = generator.multinomial(a.size, np.full(a.size, 1 / a.size), size=n)
    drawn_b = generator.multinomial(b.size, np.full(b.size, 1 / b.size), size=n)
    resampled = ((drawn_a @ wins) * drawn_b).sum(axis=1) / (a.size * b.size)
    return Improvement(probability, percentile_interval(resampled))


def smooth(values: ArrayLike, window: int) -> Floats:
    """Trailing means over `window` values [value - window + 1]; empty when there are fewer values than that."""
    if window < 1:
        raise ValueError(f"a window has at least one value, not {window}")
    array = np.asarray(values, dtype=np.float64)
    if array.size < window:
        return np.empty(0)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(array, window).mean(axis=-1))


def steps_to_threshold(steps: ArrayLike, values: ArrayLike, threshold: float, window: int = 1) -> float | None:
    """The first of `steps` [value] at which the mean of the last `window` values reaches `threshold`; None if never.

    Only full windows count, so that a lucky first episode does not pass for a learned policy.
    """
    at, array = _checked(steps), _checked(values)
    if at.shape != array.shape:
        raise ValueError(f"{at.size} steps do not go with {array.size} values")
    if np.any(np.diff(at) < 0):
        raise ValueError("steps must not decrease")
    reached = np.flatnonzero(smooth(array, window) >= threshold)
    return float(at[reached[0] + window - 1]) if reached.size else None


def summarise(values: ArrayLike | Sequence[ArrayLike], rng: np.random.Generator | int = 0) -> dict[str, Any]:
    """{"mean", "iqm", "ci95": [low, high] of the interquartile mean or None, "n"} of one sample or of pooled strata."""
    pooled = np.concatenate(_strata(values))
    interval = bootstrap_ci(values, "iqm", rng)
    return {
        "mean": mean(pooled),
        "iqm": iqm(pooled),
        "ci95": None if interval is None else list(interval),
        "n": int(pooled.size),
    }


def _statistic(statistic: Statistic | str) -> Statistic:
    if callable(statistic):
        return statistic
    named: dict[str, Statistic] = {"mean": _last_axis_mean, "iqm": _last_axis_iqm}
    if statistic not in named:
        raise ValueError(f"no statistic {statistic!r}; there are: {', '.join(named)}")
    return named[statistic]


def percentile_interval(resampled: Floats, confidence: float = 0.95) -> Interval:
    """The percentile interval of what resampling gave [resample]."""
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)


def _strata(values: ArrayLike | Sequence[ArrayLike]) -> list[Floats]:
    """One sample as a list of one; a list of samples as it is."""
    if isinstance(values, Sequence) and values and not np.isscalar(values[0]) and np.ndim(values[0]) == 1:
        return [_checked(stratum) for stratum in values]
    return [_checked(values)]  # type: ignore[arg-type]


def _checked(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"need at least one value in one dimension, got shape {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"value {int(np.flatnonzero(~np.isfinite(array))[0])} is not finite")
    return array
