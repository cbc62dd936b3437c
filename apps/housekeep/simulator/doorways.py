"""Doorways: while a standing place can only be reached through a wall, one more is cut.

The cheapest way from the start (crossing a wall costs WALL_COST metres, so that doorways are shared, and six times as
much where a whole doorway has no room) tells where the next one goes; beside a door of the data it is moved into line
with it.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.geometry import Furniture, around
from apps.housekeep.simulator.grid import Grid, steps_graph
from apps.housekeep.simulator.protocol import AGENT_RADIUS_METRES
from apps.housekeep.simulator.walls import WALL_METRES, Point, Segment, Space

DOOR_METRES = 1.0  # width of a doorway
DOOR_HEIGHT_METRES = 2.05
WALL_COST = 8.0  # metres
CARVE_STEP = 0.1
TOO_NEAR_METRES = 0.14  # of a wall's side, when looking for ways: the agent's radius less what a 10 cm grid may hide


def carve(
    walls: list[Segment], spaces: Sequence[Space], furniture: Sequence[Furniture], start: Point, points: Sequence[Point]
) -> tuple[list[Segment], list[Segment]]:
    """(walls with doorways cut out, the doorways), so that every one of `points` can be reached from `start` (rule
    4)."""
    doors: list[Segment] = []
    grid = Grid.over(around([s.rect for s in spaces]).grown(0.5), CARVE_STEP)
    inside = grid.near([s.rect for s in spaces], 1e-6)
    blocked = grid.near([f.rect for f in furniture if f.obstacle], AGENT_RADIUS_METRES)
    for _ in range(4 * len(walls)):
        way = _way_through_a_wall(grid, inside, blocked, walls, start, points)
        if not way:
            break
        walls, door = _with_door(walls, *_crossing(walls, way), furniture)
        doors.append(door)
    return walls, doors


def _way_through_a_wall(
    grid: Grid,
    inside: NDArray[np.bool_],
    blocked: NDArray[np.bool_],
    walls: Sequence[Segment],
    start: Point,
    points: Sequence[Point],
) -> list[Point]:
    """The first stretch that comes too near a wall on the cheapest way to the nearest point behind a wall; [] if
    none."""
    from scipy.sparse.csgraph import dijkstra

    wall = grid.near([w.rect for w in walls], TOO_NEAR_METRES)
    doorable = grid.near([s.rect for w in walls for s in _stretches(w, walls)], TOO_NEAR_METRES)
    per_metre = np.where(doorable, WALL_COST, 6 * WALL_COST) / (2 * TOO_NEAR_METRES + WALL_METRES)
    cost = np.where(blocked, 12.0, 1.0) + np.where(wall, per_metre, 0.0)
    graph, _ = steps_graph(inside, cost)
    rows, columns = np.nonzero(inside)
    clear = np.flatnonzero(~wall[rows, columns])  # nodes; a point beside a wall counts as the clear cell nearest to it

    def place(point: Point) -> int:
        row, column = grid.cell(*point)
        return int(clear[np.argmin((rows[clear] - row) ** 2 + (columns[clear] - column) ** 2)])

    source = place(start)
    length, before = dijkstra(graph, indices=source, return_predecessors=True)
    for goal in sorted({place(p) for p in points}, key=lambda n: length[n]):
        way = [goal]
        while way[-1] != source:
            way.append(int(before[way[-1]]))
        near = [bool(wall[rows[n], columns[n]]) for n in reversed(way)]
        if any(near):
            first = near.index(True)
            last = near.index(False, first)
            stretch = way[::-1][first - 1 : last + 1]
            return [grid.centre(int(rows[n]), int(columns[n])) for n in stretch]
    return []


def _crossing(walls: Sequence[Segment], way: Sequence[Point]) -> tuple[Segment, float]:
    """(wall, where along it) that `way` crosses first; the nearest wall where it squeezes past an end."""
    for a, b in itertools.pairwise(way):
        for wall in walls:
            across, along = (0, 1) if wall.vertical else (1, 0)
            if (a[across] - wall.at) * (b[across] - wall.at) <= 0 and a[across] != b[across]:
                at = a[along] + (b[along] - a[along]) * (wall.at - a[across]) / (b[across] - a[across])
                if wall.low <= at <= wall.high:
                    return wall, at
    x, z = way[len(way) // 2]

    def away(wall: Segment) -> float:
        near_x, near_z = wall.rect.nearest(x, z)
        return float(np.hypot(near_x - x, near_z - z))

    wall = min(walls, key=away)
    return wall, min(max(z if wall.vertical else x, wall.low), wall.high)


def _pieces(wall: Segment, walls: Sequence[Segment]) -> list[Segment]:
    """The wall cut at the walls that meet it: a doorway never reaches over one of those."""
    half = WALL_METRES / 2
    joints = sorted(
        w.at
        for w in walls
        if w.vertical != wall.vertical
        and w.low - WALL_METRES <= wall.at <= w.high + WALL_METRES
        and wall.low < w.at < wall.high
    )
    ends = [wall.low, *(e for j in joints for e in (j - half, j + half)), wall.high]
    return [Segment(wall.vertical, wall.at, a, b) for a, b in zip(ends[::2], ends[1::2], strict=True) if b > a]


def _stretches(wall: Segment, walls: Sequence[Segment]) -> list[Segment]:
    """Where along the wall the middle of a whole doorway may be."""
    half = DOOR_METRES / 2
    return [
        Segment(wall.vertical, wall.at, p.low + half, p.high - half)
        for p in _pieces(wall, walls)
        if p.high - p.low >= DOOR_METRES
    ]


def _with_door(
    walls: list[Segment], wall: Segment, along: float, furniture: Sequence[Furniture]
) -> tuple[list[Segment], Segment]:
    """`walls` with a doorway in `wall` at `along`, and the doorway."""
    pieces = _pieces(wall, walls)
    piece = min(pieces, key=lambda p: max(p.low - along, along - p.high, 0.0))
    along = _beside_a_door(wall, along, furniture)
    half = min(DOOR_METRES, piece.high - piece.low) / 2
    along = min(max(along, piece.low + half), piece.high - half)
    door = Segment(wall.vertical, wall.at, along - half, along + half)
    rest = [w for w in walls if w is not wall]
    for a, b in ((wall.low, door.low), (door.high, wall.high)):
        if b - a > WALL_METRES:
            rest.append(Segment(wall.vertical, wall.at, a, b))
    return rest, door


def _beside_a_door(wall: Segment, along: float, furniture: Sequence[Furniture]) -> float:
    """The middle of a door that lies in this wall within a metre of `along`, else `along`."""
    for f in furniture:
        if f.category == "door" and f.rect.overlaps(wall.rect.grown(0.1)):
            middle = f.rect.centre[1 if wall.vertical else 0]
            if abs(middle - along) < 1.0:
                return middle
    return along
