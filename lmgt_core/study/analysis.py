"""What a study's results say: a row a setting with intervals, and where along an axis a judge begins to pay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.files import to_json
from lmgt_core.study.app import Scalar, Settings
from lmgt_core.study.folder import StudyFolder
from lmgt_core.study.plan import Cell, Plan
from lmgt_core.training.statistics import Interval, bootstrap_ci, iqm, mean, probability_of_improvement

RESAMPLES = 2000


@dataclass(frozen=True)
class Summary:
    """A metric over seeds: mean, interquartile mean, the mean's 95 % bootstrap interval, and the values; None: none."""

    mean: float | None
    iqm: float | None
    ci95: Interval | None
    values: tuple[float, ...]
    missing: int
    """Seeds that have no value."""


@dataclass(frozen=True)
class Group:
    """One combination of settings: `own` are those that vary or differ from the grid's."""

    settings: Settings
    own: Mapping[str, Scalar]
    metrics: Mapping[str, Summary]
    is_baseline: bool
    improvement: float | None
    """How likely a seed of this group beats one of the baseline in the first metric (ties count half)."""


def analyse(plan: Plan, folder: StudyFolder) -> list[Group]:
    """A group for every combination of settings, in the plan's order; every cell must have its result."""
    results = {to_json(settings): _results(plan, folder, settings) for settings in plan.groups()}
    first = plan.show.metrics[0]
    groups = []
    for settings in plan.groups():
        rows = results[to_json(settings)]
        base = plan.baseline(settings)
        metrics = {name: _summary([row[name] for row in rows]) for name in rows[0]}
        groups.append(
            Group(
                settings,
                {name: settings[name] for name in _varying(plan)},
                metrics,
                base is not None and to_json(base) == to_json(settings),
                _improvement(metrics[first], None if base is None else results[to_json(base)], first),
            )
        )
    return groups


def _varying(plan: Plan) -> list[str]:
    return list(dict.fromkeys([*plan.vary, *(name for extra in plan.also for name in extra)]))


def _results(plan: Plan, folder: StudyFolder, settings: Settings) -> list[dict[str, Any]]:
    found = [folder.result(Cell(settings, seed)) for seed in range(plan.seeds)]
    if any(result is None for result in found):
        raise ValueError("the study is not finished: a result is missing")
    return [result for result in found if result is not None]


def _summary(values: Sequence[float | None]) -> Summary:
    there = [float(v) for v in values if v is not None]
    if not there:
        return Summary(None, None, None, (), len(values))
    return Summary(mean(there), iqm(there), bootstrap_ci(there, "mean"), tuple(there), len(values) - len(there))


def _improvement(mine: Summary, base: Sequence[Mapping[str, Any]] | None, metric: str) -> float | None:
    theirs = [float(row[metric]) for row in base or () if row[metric] is not None]
    return probability_of_improvement(mine.values, theirs).probability if mine.values and theirs else None


@dataclass(frozen=True)
class BreakEven:
    """Where a line first rises to its baseline's level.

    -inf: it is there at the smallest x already (or ties); inf: never on the grid. The interval holds 95 % of the
    resamples and may reach either.
    """

    facet: Scalar
    by: Scalar
    at: float
    low: float
    high: float


def break_evens(plan: Plan, groups: Sequence[Group], rng: np.random.Generator | int = 0) -> list[BreakEven]:
    """One a line of the plan's figures, from the means of the first metric along x, seeds resampled everywhere."""
    generator = np.random.default_rng(rng)
    metric = plan.show.metrics[0]
    found = []
    for facet, lines in by_facet(plan, groups).items():
        base = next((g.metrics[metric].values for g in groups if g.is_baseline and _facet(plan, g) == facet), ())
        for by, line in lines.items():
            points = sorted(((float(g.settings[plan.show.x] or 0), g) for g in line), key=lambda p: p[0])
            samples = [g.metrics[metric].values for _, g in points]
            if not base or not all(samples):
                continue
            xs = np.array([x for x, _ in points])
            gaps = _resampled(samples, generator) - _resampled([base], generator)
            exact = np.array([[np.mean(s) - np.mean(base) for s in samples]])
            low, high = np.percentile(crossings(xs, gaps), [2.5, 97.5], method="nearest")
            found.append(BreakEven(facet, by, float(crossings(xs, exact)[0]), float(low), float(high)))
    return found


def crossings(x: NDArray[np.float64], gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """[resample] where `gaps` [resample, x] first reach 0, between two x by a straight line.

    -inf where the first gap is above 0 already, inf where none is.
    """
    found = np.full(len(gaps), np.inf)
    for i, row in enumerate(gaps):
        above = np.flatnonzero(row >= 0)
        if not above.size:
            continue
        right = int(above[0])
        if right == 0:
            found[i] = -np.inf
            continue
        share = -row[right - 1] / (row[right] - row[right - 1])
        found[i] = x[right - 1] + share * (x[right] - x[right - 1])
    return found


def _resampled(samples: Sequence[Sequence[float]], rng: np.random.Generator) -> NDArray[np.float64]:
    """[resample, sample] means of samples drawn with replacement."""
    arrays = [np.asarray(sample) for sample in samples]
    return np.stack([a[rng.integers(len(a), size=(RESAMPLES, len(a)))].mean(axis=1) for a in arrays], axis=1)


def by_facet(plan: Plan, groups: Sequence[Group]) -> dict[Scalar, dict[Scalar, list[Group]]]:
    """The grid's groups by facet and line, in the plan's order; what stands beside the grid is left out."""
    found: dict[Scalar, dict[Scalar, list[Group]]] = {}
    for group in groups:
        if plan.on_grid(group.settings):
            found.setdefault(_facet(plan, group), {}).setdefault(group.settings[plan.show.by], []).append(group)
    return found


def beside(plan: Plan, groups: Sequence[Group], facet: Scalar) -> list[Group]:
    """The groups of a facet that stand beside the grid, the baseline first."""
    return [g for g in groups if _facet(plan, g) == facet and not plan.on_grid(g.settings)]


def _facet(plan: Plan, group: Group) -> Scalar:
    return group.settings[plan.show.facet] if plan.show.facet else None


@dataclass(frozen=True)
class BestRegion:
    """The best point of a heat map, and how flat the map is around it."""

    facet: Scalar
    at: Mapping[str, Scalar]
    value: float
    ci95: Interval | None
    share: float
    """Of the map's points, those whose interval reaches into the best one's."""


def best_regions(plan: Plan, groups: Sequence[Group]) -> list[BestRegion]:
    """One a facet, by the mean of the first metric."""
    metric = plan.show.metrics[0]
    found = []
    for facet, lines in by_facet(plan, groups).items():
        points = [g for line in lines.values() for g in line if g.metrics[metric].mean is not None]
        if not points:
            continue
        best = max(points, key=lambda g: g.metrics[metric].mean or 0.0)
        interval = best.metrics[metric].ci95
        low = interval[0] if interval else best.metrics[metric].mean or 0.0
        reaching = [g for g in points if (g.metrics[metric].ci95 or (0.0, g.metrics[metric].mean or 0.0))[1] >= low]
        at = {name: best.settings[name] for name in (plan.show.x, plan.show.by)}
        share = len(reaching) / len(points)
        found.append(BestRegion(facet, at, best.metrics[metric].mean or 0.0, interval, share))
    return found
