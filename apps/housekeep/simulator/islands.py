"""Which island of a navigation mesh an episode takes place on.

A benchmark's mesh has one for the floor, for the roof (the largest in all of its scenes) and for large table tops.
`finder` is habitat-sim's PathFinder, or what behaves like it. Runs in the worker under Python 3.9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

ABOVE_METRES = 0.5  # how far from the mesh, up or down, a point may be that stands on it


def island_of(finder: Any, start: Sequence[float], standing: Sequence[Sequence[float]]) -> tuple[int, float] | None:
    """(island, height of its floor in metres) of the start and of the places to stand at before the furniture.

    That is the start's island; where none of those places is on it (it is a table's top, or the roof above a start
    that stands too near to a wall), the island of most of them. None when no point has floor at its height.
    """
    below = [floor for place in standing if (floor := _floor_at(finder, place)) is not None]
    count = Counter(island for island, _ in below)
    begin = _floor_at(finder, start)
    if begin is not None and (begin[0] in count or not count):
        return begin
    if not count:
        return None
    most = count.most_common(1)[0][0]
    return most, float(np.median([height for island, height in below if island == most]))


def _floor_at(finder: Any, place: Sequence[float]) -> tuple[int, float] | None:
    """(island, height) of the mesh nearest to `place`; None where that is not the floor which the place stands on."""
    there = np.array(place, np.float32)
    floor = np.array(finder.snap_point(there), float)  # NaN far from any floor
    if not np.isfinite(floor).all() or abs(floor[1] - there[1]) > ABOVE_METRES:
        return None
    return int(finder.get_island(floor.astype(np.float32))), float(floor[1])
