"""A study's figures: lines with intervals and heat maps, legible in print and to the colour-blind."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lmgt_core.report.figures import BASELINES, COLOURS, MARKERS, RC, STYLES, rendered
from lmgt_core.study.analysis import Group
from lmgt_core.study.app import Scalar
from lmgt_core.terminal.tables import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 6.6, 3.8  # inches
TALL = 44  # letters: a longer label of the y axis takes two lines
ASIDE = 0.006  # of the x axis: lines stand so far from one another, so that equal ones are seen
MAP = "cividis"  # even in lightness, and the same to the colour-blind


def line_figure(
    lines: Mapping[Scalar, Sequence[Group]],
    baselines: Sequence[Group],
    x: str,
    metric: str,
    labels: tuple[str, str, str],
) -> bytes:
    """An SVG of the mean of `metric` over `x`, a line each, whiskers being 95 % intervals; `labels` are x, y, title.

    Baselines are level bands in grey. Settings that are no numbers stand side by side in their order.
    """
    figure, axes = _figure()
    values = list(dict.fromkeys(group.settings[x] for line in lines.values() for group in line))
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    span = float(np.ptp([float(v or 0) for v in values])) if numeric else float(len(values))
    for position, (name, line) in enumerate(lines.items()):
        aside = ASIDE * span * (position - (len(lines) - 1) / 2)
        points = [(_at(g, x, values, numeric) + aside, g) for g in line]
        _draw_line(axes, name, line, points, metric, position, len(lines))
    for position, group in enumerate(baselines):
        _draw_baseline(axes, group, metric, position)
    if not numeric:
        axes.set_xticks(range(len(values)), [str(v) for v in values])
    _finish(figure, axes, labels)
    return _svg(figure)


def heat_figure(lines: Mapping[Scalar, Sequence[Group]], x: str, metric: str, labels: tuple[str, str, str]) -> bytes:
    """An SVG of the mean of `metric` by `x` and line; `labels` are x, y of the map, and the colour's meaning."""
    figure, axes = _figure()
    columns = list(dict.fromkeys(group.settings[x] for line in lines.values() for group in line))
    table = np.full((len(lines), len(columns)), np.nan)
    for row, line in enumerate(lines.values()):
        for group in line:
            if (value := group.metrics[metric].mean) is not None:
                table[row, columns.index(group.settings[x])] = value
    image = axes.imshow(table, cmap=MAP, aspect="auto", origin="lower")
    middle = (np.nanmax(table) + np.nanmin(table)) / 2
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            colour = "black" if value > middle else "white"
            axes.text(column, row, number(float(value)), ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(columns)), [str(c) for c in columns])
    axes.set_yticks(range(len(lines)), [str(name) for name in lines])
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=labels[2])
    return _svg(figure)


def _draw_line(
    axes: "Axes", name: Scalar, line: Sequence[Group], points: Any, metric: str, position: int, lines: int
) -> None:
    there = [(at, g.metrics[metric]) for at, g in points if g.metrics[metric].mean is not None]
    if not there:
        return
    means = np.array([s.mean for _, s in there])
    errors = np.array([[m - (s.ci95 or (m, m))[0], (s.ci95 or (m, m))[1] - m] for m, (_, s) in zip(means, there)])  # noqa: B905
    axes.errorbar(
        [at for at, _ in there],
        means,
        yerr=np.maximum(errors.T, 0),  # a mean outside of its own interval by rounding
        label=str(name),
        color=COLOURS[position % len(COLOURS)],
        linestyle=STYLES[position % len(STYLES)],
        marker=MARKERS[position % len(MARKERS)],
        markersize=4,
        linewidth=1.4,
        capsize=2,
        alpha=0.9,
        zorder=2 + position / max(lines, 1),
    )


def _draw_baseline(axes: "Axes", group: Group, metric: str, position: int) -> None:
    summary = group.metrics[metric]
    if summary.mean is None:
        return
    colour = BASELINES[position % len(BASELINES)]
    axes.axhline(summary.mean, color=colour, linestyle="--", linewidth=1.2, label=f"beside the grid: {describe(group)}")
    if summary.ci95 is not None:
        axes.axhspan(*summary.ci95, color=colour, alpha=0.12, linewidth=0)


def describe(group: Group) -> str:
    """A baseline's own settings in words."""
    return ", ".join(f"{name} {'none' if value is None else value}" for name, value in group.own.items())


def _at(group: Group, x: str, values: Sequence[Scalar], numeric: bool) -> float:
    value = group.settings[x]
    return float(value or 0) if numeric else float(values.index(value))


def _figure() -> "tuple[Figure, Axes]":
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        return figure, figure.add_subplot()


def _finish(figure: "Figure", axes: "Axes", labels: tuple[str, str, str]) -> None:
    axes.set(xlabel=labels[0], ylabel=textwrap.fill(labels[1], TALL))
    axes.set_title(labels[2], loc="left", fontsize=10)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)


def _svg(figure: "Figure") -> bytes:
    import matplotlib

    with matplotlib.rc_context(RC):  # the salt of the file's identifiers is read when it is written
        return rendered(figure, "svg")
