import io
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lmgt_core.report.figures import (
    COLOURS,
    Bar,
    Curve,
    Dots,
    bars_with_intervals,
    dots_with_intervals,
    learning_curves,
)

ROOT = Path(__file__).resolve().parents[3]
CURVES = [
    Curve("none", [0, 100, 200], [[0.0, 0.1], [0.0, 0.2], [0.1, 0.1]], baseline=True),
    Curve("oracle", [0, 100, 200], [[0.0, 0.1], [0.4, 0.6], [0.8, 0.9]]),
]


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)


def has_colour(png: bytes, colour: str) -> bool:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((pixels(png) == wanted).all(axis=1).any())


def test_an_svg_is_well_formed_and_equal_for_equal_data() -> None:
    image = learning_curves(CURVES, "decisions", "success")
    assert ElementTree.fromstring(image).tag.endswith("svg")
    assert image == learning_curves(CURVES, "decisions", "success")
    assert b"<dc:date>" not in image


def test_every_curve_is_drawn_in_its_own_colour() -> None:
    image = learning_curves(CURVES, "decisions", "success", "title", "png")
    assert has_colour(image, COLOURS[0]) and has_colour(image, "#333333")
    assert not has_colour(image, COLOURS[1])


def band(image: bytes) -> int:
    """Pixels in the tint of the first colour's band on white: .15 of it, .85 white."""
    tint = np.array([0.15 * int(COLOURS[0][i : i + 2], 16) + 0.85 * 255 for i in (1, 3, 5)])
    return int((np.abs(pixels(image) - tint).max(axis=1) < 2.5).sum())


def test_several_seeds_have_a_band_and_a_single_one_has_none() -> None:
    spread = [[0.0, 1.0, 0.5, 0.2]] * 3
    assert band(learning_curves([Curve("a", [0, 1, 2], spread)], "x", "y", "", "png")) > 5000
    assert band(learning_curves([Curve("a", [0, 1, 2], [[0.3]] * 3)], "x", "y", "", "png")) < 100


def test_seeds_may_stop_early() -> None:
    ragged = Curve("a", [0, 100, 200], [[0.0, 0.1, 0.2], [0.4, 0.6], [0.8]])
    assert len(learning_curves([ragged], "decisions", "success", file_format="png")) > 1000


@pytest.mark.parametrize("length", [30, 50, 120])
def test_a_legend_stays_inside_its_figure(length: int) -> None:
    named = [Curve("a run of many words and of many settings " * 3 + str(i), [0, 1], [[1.0], [2.0]]) for i in range(3)]
    short = [Curve(curve.label[:length], curve.x, curve.values) for curve in named]
    image = np.asarray(Image.open(io.BytesIO(learning_curves(short, "x", "y", "", "png"))).convert("RGB"))
    assert (image[:, [0, -1]] == 255).all()


def test_a_name_with_dollar_signs_is_text_and_not_a_formula() -> None:
    odd = Curve("$\\frac{$ 50%", [0, 1], [[1.0], [2.0]])
    assert learning_curves([odd], "x_{", "$y$")
    assert bars_with_intervals([Bar("$\\bad{$", 1.0)], "x")


def test_nan_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(ValueError, match="not finite"):
        learning_curves([Curve("a", [0, 1], [[0.0, 1.0], [float("nan"), 1.0]])], "x", "y")


def test_positions_and_points_must_match() -> None:
    with pytest.raises(ValueError, match="curve a: 2 positions do not go with 1 points"):
        Curve("a", [0, 1], [[0.0]])


def test_bars_show_value_interval_and_seeds() -> None:
    bars = [Bar("none", 0.1, (0.0, 0.2), [0.0, 0.2], baseline=True), Bar("oracle", 0.8, (0.7, 0.9))]
    with_whiskers = bars_with_intervals(bars, "success", "last", "png")
    without = bars_with_intervals([Bar(bar.label, bar.value) for bar in bars], "success", "last", "png")
    assert has_colour(with_whiskers, COLOURS[0])  # the whisker is opaque, the bar is not
    assert not has_colour(without, COLOURS[0])


def test_a_chart_grows_with_its_bars() -> None:
    heights = [
        Image.open(io.BytesIO(bars_with_intervals([Bar(str(i), i) for i in range(n)], "x", "", "png"))).height
        for n in (2, 12)
    ]
    assert heights[1] > 2 * heights[0]


def test_many_curves_and_none_at_all_are_drawn() -> None:
    many = [Curve(str(i), [0, 1], [[i], [i + 1]], colour=i) for i in range(20)]
    assert learning_curves(many, "x", "y")
    assert learning_curves([], "x", "y")


def test_matplotlib_is_imported_only_when_a_figure_is_drawn_and_pyplot_never() -> None:
    script = """
import sys
from lmgt_core.report.figures import Bar, bars_with_intervals
assert "matplotlib" not in sys.modules
bars_with_intervals([Bar("a", 1.0)], "x")
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_every_series_of_dots_has_its_colour_and_an_empty_line_where_it_says_nothing() -> None:
    some = Dots("some", [1.0, None], [(1.0, 1.5), None])
    both = Dots("both", [2.0, 1.0], [None, (1.0, 2.0)], colour=1)
    image = dots_with_intervals([some, both], ["first", "second"], "rank", "title", "png")
    assert has_colour(image, COLOURS[0]) and has_colour(image, COLOURS[1])
    assert not has_colour(dots_with_intervals([both], ["first", "second"], "rank", "", "png"), COLOURS[0])
    with pytest.raises(ValueError, match="some: 1 values and 2 intervals"):
        Dots("some", [1.0], [None, None])
