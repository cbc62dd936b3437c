"""Where a thing can be put down: free spots on a receptacle's top."""

from __future__ import annotations  # worlds in a worker process import this file under Python 3.9

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.geometry import Furniture, Rect

SPACING = 0.08  # metres between candidate spots
CROWDING = 0.75  # things may stand this much closer than their widths say: capacity is generous


def footprint(x: float, z: float, half: Sequence[float], share: float = 1.0) -> Rect:
    """The rectangle that a thing with half extents (x, y, z) covers around (x, z), scaled by `share`."""
    return Rect(x - share * half[0], z - share * half[2], x + share * half[0], z + share * half[2])


def free_spot(
    surface: Rect, half: Sequence[float], taken: Iterable[Rect], avoid: Iterable[Rect], wish: tuple[float, float]
) -> tuple[float, float] | None:
    """The free (x, z) on `surface` nearest to `wish`; None when nothing of this size fits any more.

    `taken` are other things on the surface; `avoid` are places inside other furniture, used only when nothing else is
    left.
    """
    spots = _spots(surface, half)
    spots = spots[np.argsort((spots[:, 0] - wish[0]) ** 2 + (spots[:, 1] - wish[1]) ** 2, kind="stable")]
    free = spots[~_covered(spots, half, taken, CROWDING)]
    if not len(free):
        return None
    open_ones = free[~_covered(free, half, avoid, 1.0)]
    x, z = open_ones[0] if len(open_ones) else free[0]
    return (float(x), float(z))


def _spots(surface: Rect, half: Sequence[float]) -> NDArray[np.float64]:
    """[spot, 2] candidates: a grid that keeps the thing on the surface, or the middle where it is too narrow."""
    axes = []
    for low, high, reach in ((surface.x0, surface.x1, half[0]), (surface.z0, surface.z1, half[2])):
        first, last = low + reach, high - reach
        if last <= first:
            axes.append(np.array([(low + high) / 2]))
        else:
            axes.append(np.linspace(first, last, int((last - first) / SPACING) + 2))
    x, z = np.meshgrid(*axes)
    return np.stack([x.ravel(), z.ravel()], axis=1)


def _covered(
    spots: NDArray[np.float64], half: Sequence[float], rects: Iterable[Rect], share: float
) -> NDArray[np.bool_]:
    """[spot] whether a thing put there would overlap one of `rects`."""
    out = np.zeros(len(spots), bool)
    x, z = spots[:, 0], spots[:, 1]
    hx, hz = share * half[0], share * half[2]
    for r in rects:
        out |= (x + hx > r.x0) & (x - hx < r.x1) & (z + hz > r.z0) & (z - hz < r.z1)
    return out


def standing_on(furniture: Sequence[Furniture], k: int, height: float, tall: float) -> list[Rect]:
    """Footprints of other furniture that would stand inside a thing `tall` metres tall at `height` on receptacle k."""
    own = furniture[k].surface
    return [
        f.rect
        for i, f in enumerate(furniture)
        if i != k and f.bottom < height + tall and f.top > height + 0.02 and f.rect.overlaps(own)
    ]
