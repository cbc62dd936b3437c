"""Furniture heights fitted to an episode: where an object stands is a fact, how tall furniture is was a guess.

1. A receptacle's top is at least LEAST_HALF below the middle of every object on it, so that no object is buried.
2. A top above the eye comes down until the objects on it can be seen from the receptacle's standing place (the data
   puts objects on bounding-box tops as high as 2.6 m); such an object seems to float a little.
3. Other furniture that would hide an object inside its box gives way: a box that reaches over the object's middle is
   drawn from higher up (a dryer hung over a washer), one that ends near it is drawn lower.

Fitting only ever shrinks boxes. Where things can be walked and put does not change, except a surface's height.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.apartment import Apartment
from apps.housekeep.simulator.appearance import HALF_HEIGHTS
from apps.housekeep.simulator.geometry import Furniture, Rect

LEAST_HALF = HALF_HEIGHTS[0]
LEAST_HEIGHT = 0.02  # metres that remain of a box
GAP_METRES = 0.02
OPEN_BELOW = {
    "table": 0.88,
    "coffee_table": 0.88,
    "chair": 0.4,
    "office_chair": 0.4,
}  # share of the height that is open
CORE_METRES = 0.04  # an object's middle part, which must be free


def fit(
    apartment: Apartment, at: NDArray[np.float64], on: Sequence[int], eye: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(bottoms [receptacle], tops [receptacle], half heights [object]) for objects at `at` [object, 3], on
    receptacles `on`.

    `eye` is the camera's height.
    """
    furniture = apartment.furniture
    bottoms, tops = np.array([f.bottom for f in furniture]), np.array([f.top for f in furniture])
    for (_, y, _), k in zip(at, on, strict=True):
        if not furniture[k].flat:
            tops[k] = max(min(tops[k], y - LEAST_HALF), bottoms[k] + LEAST_HEIGHT)
    surface = np.where([f.flat for f in furniture], bottoms, tops)
    half = np.clip(at[:, 1] - surface[list(on)], *HALF_HEIGHTS)
    for (x, y, z), k in zip(at, on, strict=True):
        if y > eye and not furniture[k].flat:
            line = eye + (y - eye) * _share_outside(furniture[k].rect, furniture[k].nav, (x, z)) - GAP_METRES
            tops[k] = max(min(tops[k], line), bottoms[k] + LEAST_HEIGHT)
    for (x, y, z), k, h in zip(at, on, half, strict=True):
        core = Rect(x, z, x, z).grown(CORE_METRES)
        for j, f in enumerate(furniture):
            if j != k and not f.flat and f.category != "carpet" and f.rect.overlaps(core):
                bottoms[j], tops[j] = _given_way(f, float(bottoms[j]), float(tops[j]), y, h)
    return bottoms, tops, half


def _share_outside(rect: Rect, nav: tuple[float, float], at: tuple[float, float]) -> float:
    """The share of the straight way from `nav` to `at` that lies before it enters `rect`; 0 if it starts inside."""
    enter = 0.0
    for low, high, start, end in ((rect.x0, rect.x1, nav[0], at[0]), (rect.z0, rect.z1, nav[1], at[1])):
        if start < low < end or end < low < start:
            enter = max(enter, (low - start) / (end - start))
        elif start < high < end or end < high < start:
            enter = max(enter, (high - start) / (end - start))
    return enter


def _given_way(furniture: Furniture, bottom: float, top: float, y: float, half: float) -> tuple[float, float]:
    """(bottom, top) of furniture that leaves room for an object at height y within its footprint."""
    solid = bottom + OPEN_BELOW.get(furniture.category, 0.0) * (top - bottom)
    if not solid - half < y < top + half * 0.5:
        return bottom, top
    if y > (bottom + top) / 2 and y - half > bottom + LEAST_HEIGHT:
        return bottom, min(top, y - half)
    raised = min(y + half + GAP_METRES, top - LEAST_HEIGHT)
    return max(bottom, raised), top
