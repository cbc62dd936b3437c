"""Floor plans of generated apartments: rectangular rooms that tile a rectangle, and doorways that join them all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.housekeep.simulator.geometry import Rect

WALL = 0.1  # metres, thickness
DOORWAY = 1.0  # metres, width
DOOR_MARGIN = 0.15  # metres between a doorway and the corner of a room


@dataclass(frozen=True)
class Room:
    """A room and its floor; walls stand with half their thickness on it."""

    room_id: str  # kitchen_0
    rect: Rect

    @property
    def kind(self) -> str:
        """kitchen of kitchen_0."""
        return self.room_id.rsplit("_", 1)[0]

    @property
    def inner(self) -> Rect:
        """The floor between the walls."""
        return self.rect.grown(-WALL / 2)


@dataclass(frozen=True)
class Side:
    """A straight piece of wall line: along z at x = `at` if `vertical`, else along x at z = `at`; from low to high."""

    vertical: bool
    at: float
    low: float
    high: float

    @property
    def middle(self) -> tuple[float, float]:
        along = (self.low + self.high) / 2
        return (self.at, along) if self.vertical else (along, self.at)

    def rect(self, half: float) -> Rect:
        """The strip that reaches `half` metres to either side of the line."""
        if self.vertical:
            return Rect(self.at - half, self.low, self.at + half, self.high)
        return Rect(self.low, self.at - half, self.high, self.at + half)


@dataclass(frozen=True)
class FloorPlan:
    """Rooms, the doorways between them, what is left of the walls, and the sides that look outwards by room."""

    rooms: tuple[Room, ...]
    doorways: tuple[Side, ...]
    walls: tuple[Side, ...]
    outer: tuple[tuple[Room, Side], ...]


def draw_plan(rng: np.random.Generator) -> FloorPlan:
    """A plan of four to six rooms: kitchen, bathroom, bedroom, living room, perhaps dining room, study or corridor."""
    corridor = bool(rng.random() < 0.6)
    extra = rng.permutation(["dining_room", "home_office"])[: rng.integers(0, 1 if corridor else 2, endpoint=True)]
    kinds = ["kitchen", "bathroom", "bedroom", *(str(kind) for kind in extra)]
    rng.shuffle(kinds)
    rooms = _along_a_corridor(kinds, rng) if corridor else _around_a_living_room(kinds, rng)
    doorways = _doorways(rooms, rng)
    walls = tuple(piece for room in rooms for side in sides(room.rect) for piece in _without(side, doorways))
    hull = Rect(
        min(r.rect.x0 for r in rooms),
        min(r.rect.z0 for r in rooms),
        max(r.rect.x1 for r in rooms),
        max(r.rect.z1 for r in rooms),
    )
    edges = {(side.vertical, side.at) for side in sides(hull)}
    outer = tuple((room, side) for room in rooms for side in sides(room.rect) if (side.vertical, side.at) in edges)
    return FloorPlan(tuple(rooms), tuple(doorways), walls, outer)


def _along_a_corridor(kinds: Sequence[str], rng: np.random.Generator) -> list[Room]:
    """Two rows of rooms on either side of a corridor, the living room as the largest."""
    above = len(kinds) // 2
    rows = [["living_room", *kinds[:above]], list(kinds[above:])]
    width = _metres(rng, 3.1, 3.5) * max(len(row) for row in rows)
    depths = [_metres(rng, 3.2, 3.7), _metres(rng, 1.4, 1.6), _metres(rng, 3.2, 3.7)]
    lines = np.round(np.cumsum([0.0, *depths]), 2).tolist()
    rooms = [Room("corridor_0", Rect(0.0, lines[1], width, lines[2]))]
    for row, (z0, z1) in zip(rows, ((lines[0], lines[1]), (lines[2], lines[3])), strict=True):
        rng.shuffle(row)
        weights = [{"living_room": 1.35, "bathroom": 0.85}.get(kind, 1.0) for kind in row]
        cuts = np.round(np.cumsum([0.0, *weights]) / sum(weights) * width, 1).tolist()
        rooms += [Room(f"{kind}_0", Rect(cuts[i], z0, cuts[i + 1], z1)) for i, kind in enumerate(row)]
    return rooms


def _around_a_living_room(kinds: Sequence[str], rng: np.random.Generator) -> list[Room]:
    """A living room over the whole depth, and the other rooms above one another on one or both sides of it."""
    left = 0 if len(kinds) < 4 else 2
    columns = [list(kinds[:left]), ["living_room"], list(kinds[left:])]
    widths = [_metres(rng, 3.1, 3.5) if left else 0.0, _metres(rng, 3.4, 3.9), _metres(rng, 3.1, 3.5)]
    depth = _metres(rng, 6.4, 7.0) if left else _metres(rng, 8.4, 9.0)
    rooms, x = [], 0.0
    for column, width in zip(columns, widths, strict=True):
        for i, kind in enumerate(column):
            z0, z1 = round(depth * i / len(column), 1), round(depth * (i + 1) / len(column), 1)
            rooms.append(Room(f"{kind}_0", Rect(round(x, 2), z0, round(x + width, 2), z1)))
        x += width
    return rooms


def _metres(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 1)


def sides(rect: Rect) -> tuple[Side, Side, Side, Side]:
    """The four sides of a room's rectangle."""
    return (
        Side(True, rect.x0, rect.z0, rect.z1),
        Side(True, rect.x1, rect.z0, rect.z1),
        Side(False, rect.z0, rect.x0, rect.x1),
        Side(False, rect.z1, rect.x0, rect.x1),
    )


def _doorways(rooms: Sequence[Room], rng: np.random.Generator) -> list[Side]:
    """A doorway from the hub (first corridor, else living room) to each other room; every room borders the hub."""
    hub = next((room for room in rooms if room.kind == "corridor"), None)
    hub = hub or next(room for room in rooms if room.kind == "living_room")
    return [_doorway(_border(hub.rect, room.rect), rng) for room in rooms if room is not hub]


def _border(a: Rect, b: Rect) -> Side:
    """The stretch of wall that two rooms share."""
    for at in {a.x0, a.x1} & {b.x0, b.x1}:
        low, high = max(a.z0, b.z0), min(a.z1, b.z1)
        if high > low:
            return Side(True, at, low, high)
    for at in {a.z0, a.z1} & {b.z0, b.z1}:
        low, high = max(a.x0, b.x0), min(a.x1, b.x1)
        if high > low:
            return Side(False, at, low, high)
    raise ValueError(f"rooms {a} and {b} share no wall")


def _doorway(border: Side, rng: np.random.Generator) -> Side:
    margin = DOOR_MARGIN + WALL / 2
    low = _metres(rng, border.low + margin, border.high - margin - DOORWAY)
    return Side(border.vertical, border.at, low, round(low + DOORWAY, 2))


def _without(side: Side, doorways: Sequence[Side]) -> list[Side]:
    """What is left of `side` beside the doorways in it."""
    pieces, low = [], side.low
    for door in sorted(doorways, key=lambda d: d.low):
        if door.vertical == side.vertical and door.at == side.at and side.low <= door.low and door.high <= side.high:
            pieces.append(Side(side.vertical, side.at, low, door.low))
            low = door.high
    return [*pieces, Side(side.vertical, side.at, low, side.high)]
