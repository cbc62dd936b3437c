"""Figures as bytes: learning curves and bars with intervals, legible in print and to the colour-blind.

Colours are those of Okabe and Ito 2008 ("Color Universal Design"); line styles and markers repeat what colours say, so
that a grey print still tells the lines apart. Nothing global is touched: no pyplot, no state of matplotlib's.
"""

import io
import textwrap
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lmgt_core.training.statistics import Interval, bootstrap_ci, iqm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["svg", "png"]
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F5F00")
BASELINES = ("#333333", "#888888", "#b4b4b4")
STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))
MARKERS = "os^Dv<>P"
WIDTH, HEIGHT = 6.6, 3.6  # inches
MARKED = 30  # curves with more points than this get no markers
LONG = 40  # letters: longer labels of a legend get a line of their own
RC: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "savefig.dpi": 150,
    "text.parse_math": False,  # a run's name may hold a dollar sign
    "svg.hashsalt": "lmgt",  # equal figures have equal bytes
}


@dataclass(frozen=True)
class Curve:
    """One line: `values[i]` holds the values of the seeds that have one at `x[i]`; `baseline` draws it in a grey.

    `colour` numbers the curve among those of its sort; it decides colour, line style and marker.
    """

    label: str
    x: Sequence[float]
    values: Sequence[Sequence[float]]
    baseline: bool = False
    colour: int = 0

    def __post_init__(self) -> None:
        if len(self.x) != len(self.values):
            raise ValueError(f"curve {self.label}: {len(self.x)} positions do not go with {len(self.values)} points")


@dataclass(frozen=True)
class Bar:
    """One bar: a value, its interval (None: unknown, and no whisker), and the seeds' own values as dots."""

    label: str
    value: float
    interval: Interval | None = None
    points: Sequence[float] = ()
    baseline: bool = False
    colour: int = 0


@dataclass(frozen=True)
class Dots:
    """One series of dots: `values[i]` and its interval stand in the i-th line; None leaves it empty."""

    label: str
    values: Sequence[float | None]
    intervals: Sequence[Interval | None]
    baseline: bool = False
    colour: int = 0

    def __post_init__(self) -> None:
        if len(self.values) != len(self.intervals):
            raise ValueError(f"dots {self.label}: {len(self.values)} values and {len(self.intervals)} intervals")


def learning_curves(
    curves: Sequence[Curve], x_label: str, y_label: str, title: str = "", file_format: Format = "svg"
) -> bytes:
    """An image of the interquartile means over seeds with their 95 % bootstrap intervals as bands.

    A curve of a single seed has no band, and its legend says so.
    """
    with figure_of(HEIGHT) as (figure, axes):
        for curve in curves:
            _draw_curve(axes, curve)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        finish(figure, axes, title, legend=bool(curves))
        return rendered(figure, file_format)


def bars_with_intervals(bars: Sequence[Bar], x_label: str, title: str = "", file_format: Format = "svg") -> bytes:
    """An image of horizontal bars, first on top, with 95 % intervals as whiskers and single seeds as dots."""
    with figure_of(max(1.4, 0.75 + 0.34 * len(bars))) as (figure, axes):
        for position, bar in enumerate(bars):
            colour = _colour(bar)
            axes.barh(position, bar.value, color=colour, alpha=0.35, height=0.62, edgecolor=colour)
            if bar.interval is not None:
                axes.plot(bar.interval, [position, position], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot(bar.points, [position] * len(bar.points), ".", color="black", markersize=4, alpha=0.7)
        axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(x_label)
        finish(figure, axes, title, legend=False)
        return rendered(figure, file_format)


def dots_with_intervals(
    dots: Sequence[Dots], lines: Sequence[str], x_label: str, title: str = "", file_format: Format = "svg"
) -> bytes:
    """An image of a line for each of `lines`, first on top, and in it each series' dot with its 95 % interval."""
    height = 0.2 + 0.1 * len(dots)
    with figure_of(1.1 + height * len(lines) + 0.16 * -(-len(dots) // 2)) as (figure, axes):
        for number, one in enumerate(dots):
            there = [
                (line + 0.7 * ((number + 0.5) / len(dots) - 0.5), value, ends)
                for line, (value, ends) in enumerate(zip(one.values, one.intervals, strict=True))
                if value is not None
            ]
            for at, _, ends in there:
                if ends is not None:
                    axes.plot(ends, [at, at], color=_colour(one), linewidth=1.8, solid_capstyle="butt")
            x, y = [value for _, value, _ in there], [at for at, _, _ in there]
            marker = MARKERS[one.colour % len(MARKERS)]
            axes.plot(x, y, marker, color=_colour(one), label=one.label, markersize=5)
        axes.set_yticks(range(len(lines)), lines)
        axes.set_ylim(len(lines) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        for edge in range(1, len(lines)):
            axes.axhline(edge - 0.5, color="#dddddd", linewidth=0.6)
        axes.set_xlabel(x_label)
        finish(figure, axes, title, legend=bool(dots))
        return rendered(figure, file_format)


def _draw_curve(axes: "Axes", curve: Curve) -> None:
    if not curve.x:
        return
    seeds = max(len(values) for values in curve.values)
    label = f"{curve.label} ({seeds} seeds)" if seeds > 1 else f"{curve.label} (1 seed, no interval)"
    number, colour = curve.colour, _colour(curve)
    axes.plot(
        curve.x,
        [iqm(values) for values in curve.values],
        label=label,
        color=colour,
        linewidth=1.6,
        linestyle="--" if curve.baseline else STYLES[number // len(COLOURS) % len(STYLES)],
        marker=MARKERS[number % len(MARKERS)] if len(curve.x) <= MARKED else None,
        markersize=4,
    )
    intervals = [bootstrap_ci(values) for values in curve.values]
    known = np.array([interval is not None for interval in intervals])
    low, high = (np.array([i[side] if i is not None else 0.0 for i in intervals]) for side in (0, 1))
    axes.fill_between(curve.x, low, high, where=known, color=colour, alpha=0.15, linewidth=0)


def _colour(mark: Curve | Bar | Dots) -> str:
    palette = BASELINES if mark.baseline else COLOURS
    return palette[mark.colour % len(palette)]


@contextmanager
def figure_of(height: float) -> "Iterator[tuple[Figure, Axes]]":
    """A figure of this height in inches and its axes, in the style of all figures."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        yield figure, figure.add_subplot()


def finish(figure: "Figure", axes: "Axes", title: str, legend: bool) -> None:
    """Gives the figure its title, if there is one, and its legend below, in one column where labels are long."""
    if title:
        axes.set_title(title, loc="left", fontsize=10)
    if legend:
        handles, labels = axes.get_legend_handles_labels()
        columns = 2 if max(map(len, labels), default=0) <= LONG else 1
        labels = [textwrap.fill(label, 2 * LONG) for label in labels]
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8)


def rendered(figure: "Figure", file_format: Format) -> bytes:
    """The figure as an image; equal figures have equal bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    canvas: Any = (FigureCanvasSVG if file_format == "svg" else FigureCanvasAgg)(figure)
    image = io.BytesIO()
    # A date or a version in the file would make equal figures differ.
    empty = {"Date": None, "Creator": None} if file_format == "svg" else {"Software": None}
    canvas.print_figure(image, format=file_format, metadata=empty)
    return image.getvalue()
