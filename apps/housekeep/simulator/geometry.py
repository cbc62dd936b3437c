"""The furniture of an apartment as boxes, inferred from one episode's receptacles.

An episode gives a receptacle's category, its footprint (an axis-aligned rectangle on the floor) and one height y.
Nothing says how tall it is or whether it stands or hangs, so these rules infer it; they were fitted to the heights at
which the benchmark's own objects stand, and every one is a guess where the data is silent:

1. Standing furniture has its centre at y, so it reaches from the floor to 2 y. Objects stand lower than that on some
   categories whose box includes a rim, a back or a tap (TOP_SHARE).
2. Flat things on walls (picture, mirror, window, door, towel rack, television) and top cabinets hang: y is their
   centre, and their half height follows from the category (HUNG_HALF_HEIGHT).
3. A counter above 0.6 m is a slab at y: a worktop over cabinets that the file lists apart, or a board on a wall.
4. A shelf above SHELF_HUNG_METRES is a board on a wall; below it a shelf is never taller than y + 1.1 m.
5. Any other thing above RAISED_METRES stands on something else (a dryer on a washer), and so does a television that is
   said to stand above 0.7 m: y is its centre.
6. y near zero is the origin of a model that starts at its bottom: a carpet is flat, anything else LOW_TOP_METRES tall.
7. What reaches above the knee and hangs lower than a standing agent's head is an obstacle: a thing is none when its
   top is at most STEP_METRES high, when its bottom is above HEAD_METRES, or when it is flat on a wall (window,
   picture, door...).
"""

from __future__ import annotations  # worlds in a worker process import this file under Python 3.9

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.housekeep.episodes.episode import Receptacle

STEP_METRES = 0.05  # an agent walks over this
HEAD_METRES = 1.6  # and under this
RAISED_METRES = 1.2
SHELF_HUNG_METRES = 1.5
LOW_TOP_METRES = 0.45
SLAB_HALF_METRES = 0.025

FLAT_ON_WALL = frozenset({"window", "mirror", "picture", "door", "towel_rack", "wall_mounted_tv", "wall_clock"})
HUNG_HALF_HEIGHT = {
    "window": 0.6, "mirror": 0.4, "picture": 0.3, "door": 1.0, "towel_rack": 0.15, "wall_mounted_tv": 0.3,
    "wall_clock": 0.15, "top_cabinet": 0.38, "monitor": 0.25, "range_hood": 0.25, "microwave": 0.18,
}  # fmt: skip
TOP_SHARE = {
    "bathtub": 0.8,
    "coffee_table": 0.86,
    "table": 0.86,
    "sofa": 0.88,
    "chair": 0.93,
    "bed": 0.92,
    "sink": 1.04,
}


@dataclass(frozen=True)
class Rect:
    """An axis-aligned rectangle in the ground plane, metres."""

    x0: float
    z0: float
    x1: float
    z1: float

    @property
    def centre(self) -> tuple[float, float]:
        return ((self.x0 + self.x1) / 2, (self.z0 + self.z1) / 2)

    @property
    def size(self) -> tuple[float, float]:
        return (self.x1 - self.x0, self.z1 - self.z0)

    def grown(self, by: float) -> Rect:
        """This rectangle with every side moved outwards by `by` metres."""
        return Rect(self.x0 - by, self.z0 - by, self.x1 + by, self.z1 + by)

    def nearest(self, x: float, z: float) -> tuple[float, float]:
        """The point of the rectangle nearest to (x, z)."""
        return (min(max(x, self.x0), self.x1), min(max(z, self.z0), self.z1))

    def overlaps(self, other: Rect) -> bool:
        """Whether the interiors meet."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.z0 < other.z1 and other.z0 < self.z1


def around(rects: Sequence[Rect]) -> Rect:
    """The smallest rectangle that holds all of `rects`."""
    return Rect(min(r.x0 for r in rects), min(r.z0 for r in rects), max(r.x1 for r in rects), max(r.z1 for r in rects))


@dataclass(frozen=True)
class Furniture:
    """A receptacle as a box: `rect` on the ground, from `bottom` to `top` metres above the floor.

    `surface` is where things can be put, at height `top` (flat things on walls: a strip in front of them, at `bottom`).
    """

    category: str
    room_id: str
    rect: Rect
    bottom: float
    top: float
    obstacle: bool
    flat: bool  # hangs flat on a wall
    surface: Rect
    nav: tuple[float, float]  # a standing place (x, z)

    @property
    def surface_height(self) -> float:
        return self.bottom if self.flat else self.top


def vertical_extent(category: str, y: float) -> tuple[float, float]:
    """(bottom, top) in metres of a thing of `category` at height `y` (rules 1 to 6)."""
    if category in HUNG_HALF_HEIGHT:
        half = HUNG_HALF_HEIGHT[category]
        return (max(0.0, y - half), y + half)
    if category == "carpet":
        return (0.0, max(0.01, min(2 * y, 0.03)))
    if y < STEP_METRES:
        return (0.0, LOW_TOP_METRES)
    if category == "counter" and y > 0.6:
        return (y - SLAB_HALF_METRES, y + SLAB_HALF_METRES)
    if category == "shelf":
        return (y - 0.16, y + 0.16) if y > SHELF_HUNG_METRES else (0.0, min(2 * y, y + 1.1))
    if y > RAISED_METRES or (category == "standing_tv" and y > 0.7):
        return (y - 0.4, y + 0.4)
    return (0.0, 2 * y * TOP_SHARE.get(category, 0.97))


def furniture_of(receptacle: Receptacle) -> Furniture:
    """`receptacle` as a box with a surface."""
    x, z, dx, dz = receptacle.footprint
    rect = Rect(x, z, x + max(dx, 0.01), z + max(dz, 0.01))
    bottom, top = vertical_extent(receptacle.category, receptacle.position[1])
    flat = receptacle.category in FLAT_ON_WALL
    nav = (receptacle.nav_position[0], receptacle.nav_position[2])
    obstacle = not flat and top > STEP_METRES and bottom < HEAD_METRES
    surface = strip_before(rect, nav) if flat else rect
    return Furniture(receptacle.category, receptacle.room_id, rect, bottom, top, obstacle, flat, surface, nav)


SILL_METRES = 0.25


def strip_before(rect: Rect, nav: tuple[float, float]) -> Rect:
    """A strip SILL_METRES deep in front of a flat thing, on the side of its standing place."""
    width, depth = rect.size
    if width >= depth:
        if nav[1] >= rect.centre[1]:
            return Rect(rect.x0, rect.z1, rect.x1, rect.z1 + SILL_METRES)
        return Rect(rect.x0, rect.z0 - SILL_METRES, rect.x1, rect.z0)
    if nav[0] >= rect.centre[0]:
        return Rect(rect.x1, rect.z0, rect.x1 + SILL_METRES, rect.z1)
    return Rect(rect.x0 - SILL_METRES, rect.z0, rect.x0, rect.z1)
