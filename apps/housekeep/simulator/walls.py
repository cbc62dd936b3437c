"""Walls, inferred: the apartment's floor is cut into rectangles by lines that part its rooms; doorways.py
cuts the doors.

1. `partition`: the rectangle around everything is cut, again and again, by the axis-aligned line that has whole rooms
   on both sides (a guillotine partition; a room may reach OVERLAP_METRES over the line, as footprints touch walls).
   Rooms that no line parts (an open kitchen in a living room) stay one space.
2. The line is drawn inside the gap between the rooms: where a door, picture or mirror lies, else as far as possible
   from the standing places, else in the middle.
3. Sides of a rectangle that look outwards are drawn in to what the rectangle holds (a margin for standing places), or
   to the window, mirror or picture that hangs just beyond: windows lie on walls. So the hull is rectilinear, not a box.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from apps.housekeep.simulator.geometry import Furniture, Rect, around

WALL_METRES = 0.1  # thickness
LEAST_BORDER = 1.0  # metres that two spaces share: room for a doorway
OVERLAP_METRES = 0.25
FURNITURE_MARGIN = 0.08  # a wall's middle stays this far outside furniture
STANDING_MARGIN = 0.35  # and this far from a standing place: the agent's radius, half a wall, a grid cell, some room
BESIDE_METRES = 1.5  # a standing place nearer than this is on the same side of a wall as its furniture
LEAST_CLEARANCE = 0.07  # of an inner wall's middle from every standing place


@dataclass(frozen=True)
class Segment:
    """A wall's middle line: along z at x = `at` if `vertical`, else along x at z = `at`; from `low` to `high`."""

    vertical: bool
    at: float
    low: float
    high: float

    @property
    def rect(self) -> Rect:
        half = WALL_METRES / 2
        if self.vertical:
            return Rect(self.at - half, self.low - half, self.at + half, self.high + half)
        return Rect(self.low - half, self.at - half, self.high + half, self.at + half)


@dataclass(frozen=True)
class Space:
    """A rectangle of floor and the rooms it holds."""

    rect: Rect
    rooms: frozenset[str]


Point = tuple[float, float]


def partition(furniture: Sequence[Furniture], points: Sequence[Point]) -> list[Space]:
    """The rectangles of floor; together they hold all furniture and all standing `points`."""
    solid = [f.rect.grown(FURNITURE_MARGIN) for f in furniture if not f.flat]
    hung = [Rect(*f.rect.centre, *f.rect.centre) for f in furniture if f.flat]
    hull = around([*solid, *hung, *_standing(points)])
    rooms = frozenset(f.room_id for f in furniture if f.room_id)
    return _trimmed(_split(Space(hull, rooms), furniture, points), hull, furniture, points)


def _standing(points: Sequence[Point]) -> list[Rect]:
    """The room that each standing place takes."""
    return [Rect(x, z, x, z).grown(STANDING_MARGIN) for x, z in points]


def _interval(rect: Rect, vertical: bool) -> tuple[float, float]:
    """The rectangle's extent across a wall that runs along z (`vertical`) or x."""
    return (rect.x0, rect.x1) if vertical else (rect.z0, rect.z1)


def _split(space: Space, furniture: Sequence[Furniture], points: Sequence[Point]) -> list[Space]:
    r = space.rect
    for _, vertical, low, high, below in sorted(_gaps(space, furniture), key=lambda gap: -gap[0]):
        at = _line(r, vertical, low, high, furniture, points)
        if at is None:
            continue
        first = Rect(r.x0, r.z0, at, r.z1) if vertical else Rect(r.x0, r.z0, r.x1, at)
        second = Rect(at, r.z0, r.x1, r.z1) if vertical else Rect(r.x0, at, r.x1, r.z1)
        halves = (Space(first, below), Space(second, space.rooms - below))
        return [s for half in halves for s in _split(half, furniture, points)]
    return [space]


def _gaps(space: Space, furniture: Sequence[Furniture]) -> Iterator[tuple[float, bool, float, float, frozenset[str]]]:
    """(width, vertical, low, high, rooms below) of every gap between the space's rooms; narrow overlaps count."""
    for vertical in (True, False):
        extents = []
        for room in sorted(space.rooms):
            own = [f for f in furniture if f.room_id == room]
            solid = [f for f in own if not f.flat] or own
            spans = [_interval(f.rect, vertical) for f in solid]
            extents.append((min(s[0] for s in spans), max(s[1] for s in spans), room))
        extents.sort()
        for i in range(1, len(extents)):
            low, high = max(e[1] for e in extents[:i]), extents[i][0]
            if high - low > -OVERLAP_METRES:
                yield high - low, vertical, low, high, frozenset(e[2] for e in extents[:i])


def _line(
    rect: Rect, vertical: bool, low: float, high: float, furniture: Sequence[Furniture], points: Sequence[Point]
) -> float | None:
    """Where in the gap [low, high] a wall can stand (rule 2); None where it would part things from their standing
    places."""
    across = 0 if vertical else 1
    places = np.array([p[across] for p in points if rect.x0 <= p[0] <= rect.x1 and rect.z0 <= p[1] <= rect.z1])
    own = [f for f in furniture if f.rect.overlaps(rect)]

    def clearance(at: float) -> float:
        return float(np.abs(places - at).min()) if len(places) else 1.0

    def parts(at: float) -> bool:
        return any(
            (f.nav[across] - at) * (f.rect.centre[across] - at) < 0
            for f in own
            if not f.flat and math.dist(f.nav, f.rect.nearest(*f.nav)) < BESIDE_METRES
        )

    for f in own:
        a, b = _interval(f.rect, vertical)
        width, depth = f.rect.size
        if f.flat and (depth > width) == vertical and low - 0.05 <= a and b <= high + 0.05:
            near_side = a if f.nav[across] > b else b
            if clearance(near_side) >= STANDING_MARGIN - 0.05 and not parts(near_side):
                return near_side
    middle, slack = (low + high) / 2, max((high - low) / 2 - FURNITURE_MARGIN, 0.2)  # narrow: into furniture's backs
    candidates = [float(at) for at in np.linspace(middle - slack, middle + slack, 41)]
    fit = [at for at in candidates if clearance(at) >= LEAST_CLEARANCE and not parts(at)]
    return max(fit, key=lambda at: (round(min(clearance(at), 0.4), 2), -round(abs(at - middle), 3)), default=None)


def _trimmed(spaces: list[Space], hull: Rect, furniture: Sequence[Furniture], points: Sequence[Point]) -> list[Space]:
    """`spaces` with their outer sides drawn in, unless a space would then touch no other (rule 3)."""
    out = list(spaces)
    for i, space in enumerate(spaces):
        smaller = replace(space, rect=_drawn_in(space.rect, hull, furniture, points))
        others = [*out[:i], *out[i + 1 :]]
        was = [_shared(space.rect, o.rect) > LEAST_BORDER for o in others]
        now = [_shared(smaller.rect, o.rect) > LEAST_BORDER for o in others]
        if now == was:
            out[i] = smaller
    return out


def _drawn_in(rect: Rect, hull: Rect, furniture: Sequence[Furniture], points: Sequence[Point]) -> Rect:
    inside = [p for p in points if rect.x0 <= p[0] <= rect.x1 and rect.z0 <= p[1] <= rect.z1]
    held = [f.rect.grown(FURNITURE_MARGIN) for f in furniture if not f.flat and f.rect.overlaps(rect)]
    if not inside and not held:
        return rect
    tight = around([*held, *_standing(inside)])
    on_walls = [f.rect for f in furniture if f.flat]
    sides = {}
    for name, vertical, outwards in (("x0", True, -1), ("x1", True, 1), ("z0", False, -1), ("z1", False, 1)):
        side, edge = getattr(tight, name), getattr(rect, name)
        if edge != getattr(hull, name):
            sides[name] = edge
            continue
        hung = [
            sum(_interval(w, vertical)) / 2
            for w in on_walls
            if (w.size[1] > w.size[0]) == vertical and _along(w, rect, vertical)
        ]
        beyond = [at for at in hung if (at - side) * outwards >= 0 and (edge - at) * outwards > -0.01]
        sides[name] = max(beyond, key=lambda at: at * outwards) if beyond else side
    return Rect(**sides)


def _along(flat: Rect, rect: Rect, vertical: bool) -> bool:
    """Whether the flat thing's middle lies between the ends of the rectangle's side that runs its way."""
    low, high = _interval(rect, not vertical)
    return low < sum(_interval(flat, not vertical)) / 2 < high


def _shared(a: Rect, b: Rect) -> float:
    """Metres of border that two rectangles have in common."""
    x = min(a.x1, b.x1) - max(a.x0, b.x0)
    z = min(a.z1, b.z1) - max(a.z0, b.z0)
    touching = abs(x) < 1e-6 or abs(z) < 1e-6
    return max(x, z) if touching else 0.0


def borders(spaces: Sequence[Space]) -> list[Segment]:
    """Every side of every space once, collinear pieces merged."""
    lines: dict[tuple[bool, float], list[tuple[float, float]]] = {}
    for s in spaces:
        r = s.rect
        for vertical, at, low, high in (
            (True, r.x0, r.z0, r.z1),
            (True, r.x1, r.z0, r.z1),
            (False, r.z0, r.x0, r.x1),
            (False, r.z1, r.x0, r.x1),
        ):
            lines.setdefault((vertical, round(at, 4)), []).append((low, high))
    merged = []
    for (vertical, at), spans in sorted(lines.items()):
        spans.sort()
        low, high = spans[0]
        for a, b in spans[1:]:
            if a > high + 1e-6:
                merged.append(Segment(vertical, at, low, high))
                low, high = a, b
            high = max(high, b)
        merged.append(Segment(vertical, at, low, high))
    return merged
