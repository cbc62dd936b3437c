"""What differs from user to user: parameters of interest evolution that every user draws from a range of their own.

A recommender knows how users choose but not these numbers, so its choice scores stand at the world's own parameters.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lmgt_core.errors import UserError

DEFAULT = "default"


class Range(NamedTuple):
    """Where a user's number is drawn from, evenly."""

    low: float
    high: float


RANGES: Mapping[str, Range] = {  # half to double of RecSim's values where nothing else bounds them
    "no_click_mass": Range(0.5, 2.0),  # 1
    "step_penalty": Range(0.25, 1.0),  # minutes; .5
    "user_update_alpha": Range(0.13, 0.265),  # .265, which is .9 / 3.4: above it, good videos cost next to nothing
    "alpha_y_intercept": Range(0.1, 0.5),  # .3: how fast interests move
    "budget": Range(100.0, 300.0),  # minutes; 200
    "attention_prob": Range(0.4, 0.9),  # .65; cascades only, and so is the next
    "score_scaling": Range(0.025, 0.1),  # .05
}
LIMITS: Mapping[str, Range] = {  # of what may be asked for
    "no_click_mass": Range(0.0, 100.0),
    "step_penalty": Range(0.01, 1e4),
    "user_update_alpha": Range(0.0, 0.28),  # so that a video of the best topic still costs some of the budget
    "alpha_y_intercept": Range(0.0, 1.0),
    "budget": Range(0.01, 1e5),
    "attention_prob": Range(0.0, 1.0),
    "score_scaling": Range(0.0, 0.36),  # of scores up to e
}


def user_ranges(given: Sequence[str]) -> dict[str, Range]:
    """{parameter: range} of `--users-ranges`, like no_click_mass=.5:2, or `default` for all of RANGES.

    What is given by name takes the default's place. UserError naming what cannot be drawn.
    """
    ranges: dict[str, Range] = {}
    for text in given:
        if text == DEFAULT:
            ranges = {**RANGES, **ranges}
            continue
        name, low, high = _parts(text)
        if name not in LIMITS:
            raise UserError(f"--users-ranges {text}: users can differ in {', '.join(LIMITS)}; or give {DEFAULT}")
        if not LIMITS[name].low <= low <= high <= LIMITS[name].high:
            limits = f"{LIMITS[name].low:g} to {LIMITS[name].high:g}"
            raise UserError(f"--users-ranges {text}: give a lower and an upper end, in this order, from {limits}")
        ranges[name] = Range(low, high)
    return {name: ranges[name] for name in LIMITS if name in ranges}  # the order of drawing


def _parts(text: str) -> tuple[str, float, float]:
    name, _, ends = text.partition("=")
    low, _, high = ends.partition(":")
    try:
        return name.strip().replace("-", "_"), float(low), float(high)
    except ValueError:
        raise UserError(f"--users-ranges {text}: give {DEFAULT}, or NAME=LOW:HIGH like no_click_mass=0.5:2") from None
