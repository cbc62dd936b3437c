"""Walls, inferred: the apartment's floor is cut into rectangles by lines that part its rooms, and doors are carved.

1. `partition`: the rectangle around everything is cut, again and again, by the axis-aligned line that has whole rooms on
   both sides (a guillotine partition; a room may reach OVERLAP_METRES over the line, as footprints touch walls). Rooms that
   no line parts (an open kitchen in a living room) stay one space.
2. The line is drawn inside the gap between the rooms: where a door, picture or mirror lies, else as far as possible from
   the standing places, else in the middle.
3. Sides of a rectangle that look outwards are drawn in to what the rectangle holds (a margin for standing places), or to
   the window, mirror or picture that hangs just beyond: windows lie on walls. So the hull is rectilinear, not a box.
4. `carve`: while a standing place can only be reached through a wall, the cheapest way from the start (crossing a wall
   costs WALL_COST metres, so that doors are shared) tells where the next doorway goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from apps.housekeep.simulator.geometry import Furniture, Rect
from apps.housekeep.simulator.grid import Grid, steps_graph
from apps.housekeep.simulator.protocol import AGENT_RADIUS_METRES

WALL_METRES = 0.1  # thickness
DOOR_METRES = 1.0  # width of a doorway
DOOR_HEIGHT_METRES = 2.05
OVERLAP_METRES = 0.25
FURNITURE_MARGIN = 0.08  # a wall's middle stays this far outside furniture
STANDING_MARGIN = 0.35  # and this far from a standing place: the agent's radius, half a wall, a grid cell, some room
WINDOW_REACH_METRES = 0.7
WALL_COST = 8.0  # metres
CARVE_STEP = 0.1


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
    hull = _around([f.rect.grown(FURNITURE_MARGIN) for f in furniture if not f.flat], points)
    rooms = frozenset(f.room_id for f in furniture if f.room_id)
    return _trimmed(_split(Space(hull, rooms), furniture, points), hull, furniture, points)


def _around(rects: Sequence[Rect], points: Sequence[Point]) -> Rect:
    boxes = [*rects, *(Rect(x, z, x, z).grown(STANDING_MARGIN) for x, z in points)]
    return Rect(min(b.x0 for b in boxes), min(b.z0 for b in boxes), max(b.x1 for b in boxes), max(b.z1 for b in boxes))


def _interval(rect: Rect, vertical: bool) -> tuple[float, float]:
    """The rectangle's extent across a wall that runs along z (`vertical`) or x."""
    return (rect.x0, rect.x1) if vertical else (rect.z0, rect.z1)


def _split(space: Space, furniture: Sequence[Furniture], points: Sequence[Point]) -> list[Space]:
    cut = max(
        (c for vertical in (True, False) if (c := _best_cut(space, vertical, furniture)) is not None),
        key=lambda c: c[0],
        default=None,
    )
    if cut is None:
        return [space]
    _, vertical, low, high, below = cut
    at = _line(space.rect, vertical, low, high, furniture, points)
    r = space.rect
    first = Rect(r.x0, r.z0, at, r.z1) if vertical else Rect(r.x0, r.z0, r.x1, at)
    second = Rect(at, r.z0, r.x1, r.z1) if vertical else Rect(r.x0, at, r.x1, r.z1)
    halves = (Space(first, below), Space(second, space.rooms - below))
    return [s for half in halves for s in _split(half, furniture, points)]


def _best_cut(
    space: Space, vertical: bool, furniture: Sequence[Furniture]
) -> tuple[float, bool, float, float, frozenset[str]] | None:
    """(gap, vertical, gap's low, gap's high, rooms below it) of the widest gap between the space's rooms, or None."""
    extents = []
    for room in sorted(space.rooms):
        spans = [_interval(f.rect, vertical) for f in furniture if f.room_id == room and not f.flat]
        spans = spans or [_interval(f.rect, vertical) for f in furniture if f.room_id == room]
        extents.append((min(s[0] for s in spans), max(s[1] for s in spans), room))
    extents.sort()
    best = None
    for i in range(1, len(extents)):
        low, high = max(e[1] for e in extents[:i]), extents[i][0]
        gap = high - low
        if gap > -OVERLAP_METRES and (best is None or gap > best[0]):
            best = (gap, vertical, low, high, frozenset(e[2] for e in extents[:i]))
    return best


def _line(
    rect: Rect, vertical: bool, low: float, high: float, furniture: Sequence[Furniture], points: Sequence[Point]
) -> float:
    """Where in the gap [low, high] the wall stands (rule 2)."""
    if high - low < 2 * FURNITURE_MARGIN:
        return (low + high) / 2
    across = 0 if vertical else 1
    inside = [p[across] for p in points if rect.x0 <= p[0] <= rect.x1 and rect.z0 <= p[1] <= rect.z1]
    places = np.array([p for p in inside if low - 1 < p < high + 1])

    def clearance(at: float) -> float:
        return float(np.abs(places - at).min()) if len(places) else 1.0

    for f in furniture:
        a, b = _interval(f.rect, vertical)
        width, depth = f.rect.size
        if f.flat and (depth > width) == vertical and low - 0.05 <= a and b <= high + 0.05 and f.rect.overlaps(rect):
            near_side = a if f.nav[across] > b else b
            if clearance(near_side) >= STANDING_MARGIN - 0.05:
                return near_side
    candidates = np.linspace(low + FURNITURE_MARGIN, high - FURNITURE_MARGIN, 41)
    middle = (low + high) / 2
    return float(max(candidates, key=lambda at: (min(clearance(at), 0.6), -abs(at - middle))))


def _trimmed(spaces: list[Space], hull: Rect, furniture: Sequence[Furniture], points: Sequence[Point]) -> list[Space]:
    """`spaces` with their outer sides drawn in, unless a space would then touch no other (rule 3)."""
    out = list(spaces)
    for i, space in enumerate(spaces):
        smaller = replace(space, rect=_drawn_in(space.rect, hull, furniture, points))
        others = [*out[:i], *out[i + 1 :]]
        was = [_shared(space.rect, o.rect) > DOOR_METRES for o in others]
        now = [_shared(smaller.rect, o.rect) > DOOR_METRES for o in others]
        if now == was:
            out[i] = smaller
    return out


def _drawn_in(rect: Rect, hull: Rect, furniture: Sequence[Furniture], points: Sequence[Point]) -> Rect:
    inside = [p for p in points if rect.x0 <= p[0] <= rect.x1 and rect.z0 <= p[1] <= rect.z1]
    held = [f.rect.grown(FURNITURE_MARGIN) for f in furniture if not f.flat and f.rect.overlaps(rect)]
    if not inside and not held:
        return rect
    tight = _around(held, inside)
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
        beyond = [at for at in hung if 0 <= (at - side) * outwards < WINDOW_REACH_METRES]
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


def carve(
    walls: list[Segment], spaces: Sequence[Space], furniture: Sequence[Furniture], start: Point, points: Sequence[Point]
) -> tuple[list[Segment], list[Segment]]:
    """(walls with doorways cut out, the doorways), so that every one of `points` can be reached from `start` (rule 4)."""
    doors: list[Segment] = []
    grid = Grid.over(_around([s.rect.grown(0.5) for s in spaces], []), CARVE_STEP)
    inside = grid.near([s.rect for s in spaces], 1e-6)
    blocked = grid.near([f.rect for f in furniture if f.obstacle], AGENT_RADIUS_METRES)
    for _ in range(4 * len(walls)):
        crossing = _first_crossing(grid, inside, blocked, walls, start, points)
        if crossing is None:
            break
        walls, door = _with_door(walls, crossing, furniture, points)
        doors.append(door)
    return walls, doors


def _first_crossing(
    grid: Grid,
    inside: np.ndarray,
    blocked: np.ndarray,
    walls: Sequence[Segment],
    start: Point,
    points: Sequence[Point],
) -> Point | None:
    """Where the cheapest way to the nearest standing point that lies behind a wall meets its first wall; None: no such."""
    from scipy.sparse.csgraph import dijkstra

    wall = grid.near([w.rect for w in walls], grid.step / 2)
    near_wall = grid.near([w.rect for w in walls], AGENT_RADIUS_METRES)
    cost = np.where(blocked, 12.0, 1.0) + np.where(near_wall, 1.0, 0.0) + np.where(wall, WALL_COST / grid.step / 2, 0.0)
    graph, node = steps_graph(inside, cost)
    source = int(node[_inside_cell(grid, inside, start)])
    length, before = dijkstra(graph, indices=source, return_predecessors=True)
    rows, columns = np.nonzero(inside)
    goals = sorted({int(node[_inside_cell(grid, inside, p)]) for p in points}, key=lambda n: length[n])
    for goal in goals:
        way = [goal]
        while way[-1] != source:
            way.append(int(before[way[-1]]))
        hits = [n for n in reversed(way) if wall[rows[n], columns[n]]]
        if hits:
            return grid.centre(int(rows[hits[0]]), int(columns[hits[0]]))
    return None


def _inside_cell(grid: Grid, inside: np.ndarray, point: Point) -> tuple[int, int]:
    cell = grid.cell(*point)
    if inside[cell]:
        return cell
    rows, columns = np.nonzero(inside)
    nearest = int(np.argmin((rows - cell[0]) ** 2 + (columns - cell[1]) ** 2))
    return (int(rows[nearest]), int(columns[nearest]))


def _with_door(
    walls: list[Segment], at: Point, furniture: Sequence[Furniture], points: Sequence[Point]
) -> tuple[list[Segment], Segment]:
    """`walls` with a doorway at `at`, and the doorway."""

    def away(wall: Segment) -> float:
        x, z = wall.rect.nearest(*at)
        return float(np.hypot(x - at[0], z - at[1]))

    wall = min(walls, key=away)
    along = at[1] if wall.vertical else at[0]
    along = _beside_a_door(wall, along, furniture)
    half = min(DOOR_METRES, wall.high - wall.low) / 2
    along = min(max(along, wall.low + half), wall.high - half)
    door = Segment(wall.vertical, wall.at, along - half, along + half)
    rest = [w for w in walls if w is not wall]
    for low, high in ((wall.low, door.low), (door.high, wall.high)):
        if high - low > 0.12:
            rest.append(Segment(wall.vertical, wall.at, low, high))
    return rest, door


def _beside_a_door(wall: Segment, along: float, furniture: Sequence[Furniture]) -> float:
    """The middle of a door that lies in this wall within a metre of `along`, else `along`."""
    for f in furniture:
        if f.category == "door" and f.rect.overlaps(wall.rect.grown(0.1)):
            middle = f.rect.centre[1 if wall.vertical else 0]
            if abs(middle - along) < 1.0:
                return middle
    return along
