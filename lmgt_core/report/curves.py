"""The figures of a report: curves of evaluations and of training returns, and bars of the last values."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from lmgt_core.report.figures import Bar, Curve, bars_with_intervals, learning_curves
from lmgt_core.report.run import ReportRun, SeedTable
from lmgt_core.training.statistics import smooth

POSITIONS = ("decisions", "steps", "step", "episode")  # columns that may be the x axis, best first
RETURN = "return"
GRID = 60  # points of a smoothed training curve
LONGEST_WINDOW = 100  # episodes
Points: TypeAlias = Mapping[float, list[float]]  # position -> values, one a seed that was there


@dataclass(frozen=True)
class ReportFigure:
    """An image (SVG), what it shows in words, and a caption."""

    image: bytes
    alt: str
    caption: str

    @property
    def source(self) -> str:
        """The image as a data URI, for a page."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.image).decode()


def evaluation_figures(runs: Sequence[ReportRun], metrics: Sequence[str]) -> list[ReportFigure]:
    """A learning curve of each metric over all runs that evaluated it more than once."""
    position = position_column([run.evaluations for run in runs])
    figures = []
    for metric in metrics:
        curves = _drawable(runs, [evaluation_points(run, metric, position) for run in runs])
        if curves:
            shown = words(metric)
            caption = f"{shown}: evaluations without shift; interquartile mean over seeds, 95 % bootstrap interval."
            image = learning_curves(curves, axis_name(position), shown, shown)
            figures.append(ReportFigure(image, f"Learning curves of {shown}", caption))
    return figures


def training_figures(runs: Sequence[ReportRun]) -> list[ReportFigure]:
    """The smoothed unshifted return of the training episodes, one figure for all runs; [] when none recorded it."""
    position = position_column([run.episodes for run in runs])
    window = smoothing_window([run.episodes for run in runs])
    curves = _drawable(runs, [training_points(run, window, position) for run in runs])
    if not curves:
        return []
    caption = (
        f"Unshifted return of the training episodes (exploration included), mean of the last {window} episodes of each "
        "seed; interquartile mean over seeds, 95 % bootstrap interval."
    )
    image = learning_curves(curves, axis_name(position), "return", "return while training")
    return [ReportFigure(image, "Learning curves of the unshifted training return", caption)]


def final_figure(runs: Sequence[ReportRun], metric: str) -> list[ReportFigure]:
    """Bars of a metric's last values with their intervals; [] when no run has it."""
    bars = []
    for run, number in zip(runs, colour_numbers(runs), strict=True):
        if (entry := run.metrics.get(metric)) is not None:
            interval = None if entry.get("ci95") is None else (float(entry["ci95"][0]), float(entry["ci95"][1]))
            dots = list(run.last_values.get(metric, {}).values())
            bars.append(Bar(curve_label(run), float(entry["iqm"]), interval, dots, run.is_baseline, number))
    if not bars:
        return []
    shown = words(metric)
    caption = f"{shown} at the end: interquartile mean, 95 % bootstrap interval, and each seed as a dot."
    image = bars_with_intervals(bars, f"{shown}, interquartile mean", f"{shown} at the end")
    return [ReportFigure(image, f"Bars of {shown} at the end", caption)]


def evaluation_points(run: ReportRun, metric: str, position: str) -> Points:
    """{position: the values of `metric` at the k-th evaluation of each seed that has one}, k = 0, 1, ...

    Seeds are evaluated when an episode ends, so at slightly different positions: a point stands at their mean.
    """
    seeds = [rows for rows in run.evaluations.values() if rows]
    points: dict[float, list[float]] = {}
    for k in range(max((len(rows) for rows in seeds), default=0)):
        there = [rows[k] for rows in seeds if k < len(rows) and metric in rows[k] and position in rows[k]]
        if there:
            at = float(np.mean([row[position] for row in there]))
            points.setdefault(at, []).extend(row[metric] for row in there)
    return points


def training_points(run: ReportRun, window: int, position: str) -> Points:
    """{position: each seed's mean return over the `window` episodes up to there}, at GRID common positions.

    A seed speaks only where it was: nothing is extrapolated.
    """
    seeds = []
    for rows in run.episodes.values():
        kept = [row for row in rows if RETURN in row and position in row]
        smoothed = smooth([row[RETURN] for row in kept], window)
        if smoothed.size:
            seeds.append((np.array([row[position] for row in kept])[window - 1 :], smoothed))
    if not seeds:
        return {}
    grid = np.linspace(min(at[0] for at, _ in seeds), max(at[-1] for at, _ in seeds), GRID)
    found = {float(x): [float(np.interp(x, at, v)) for at, v in seeds if at[0] <= x <= at[-1]] for x in grid}
    return {x: values for x, values in found.items() if values}


def position_column(tables: Sequence[SeedTable]) -> str:
    """The x axis of runs that are drawn together: the first of POSITIONS that never falls within any of their seeds."""
    for name in POSITIONS:
        columns = [[row.get(name) for row in rows] for table in tables for rows in table.values() if rows]
        if columns and all(_rises(column) for column in columns):
            return name
    return POSITIONS[-1]


def axis_name(position: str) -> str:
    """What the x axis says."""
    return {"decisions": "decisions taken in training", "episode": "training episode"}.get(
        position, f"training {words(position)}"
    )


def colour_numbers(runs: Sequence[ReportRun]) -> list[int]:
    """For each run its place among the runs with a judge, or among those without."""
    return [sum(other.is_baseline == run.is_baseline for other in runs[:i]) for i, run in enumerate(runs)]


def smoothing_window(tables: Sequence[SeedTable]) -> int:
    """Episodes to average: a tenth of the shortest seed's, at least 1, at most 100; one window for all runs."""
    lengths = [sum(RETURN in row for row in rows) for table in tables for rows in table.values()]
    shortest = min((n for n in lengths if n), default=1)
    return max(1, min(LONGEST_WINDOW, shortest // 10))


def words(name: str) -> str:
    """A column's name as an axis says it."""
    return name.replace("_", " ")


def curve_label(run: ReportRun) -> str:
    """A run's name in a legend, with its judge where the name does not say it."""
    label = run.name if run.judge in run.name else f"{run.name} ({run.judge})"
    return label if run.finished else f"{label}, unfinished"


def _rises(column: Sequence[float | None]) -> bool:
    values = [value for value in column if value is not None]
    return len(values) == len(column) and all(a <= b for a, b in pairwise(values))


def _drawable(runs: Sequence[ReportRun], points: Sequence[Points]) -> list[Curve]:
    """A curve for each run with at least two points."""
    curves = []
    for run, found, number in zip(runs, points, colour_numbers(runs), strict=True):
        if len(found) > 1:
            x = sorted(found)
            curves.append(Curve(curve_label(run), x, [found[at] for at in x], run.is_baseline, number))
    return curves
