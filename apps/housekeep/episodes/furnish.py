"""Furniture for a floor plan: against walls, in the middle, on walls; everything in reach of a standing place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from apps.housekeep.episodes.floor_plan import FloorPlan, Room, Side, sides
from apps.housekeep.simulator.geometry import Rect
from apps.housekeep.standing import Floor, Kind, Piece

WALL_GAP = 0.04  # between a wall and furniture
DOOR_ZONE = 0.8  # metres in front of a doorway that stay free
TRIES = 120

KINDS: dict[str, Kind] = {
    "bathtub": Kind(1.6, 0.75, 0.32, 0.51, "wall"),
    "bed": Kind(1.5, 2.0, 0.3, 0.55, "wall"),
    "bottom_cabinet": Kind(0.8, 0.45, 0.42, 0.81, "wall"),
    "carpet": Kind(1.2, 0.8, 0.005, 0.01, "middle"),
    "chair": Kind(0.42, 0.42, 0.26, 0.48, "table"),
    "chest": Kind(0.9, 0.45, 0.42, 0.81, "wall"),
    "coffee_table": Kind(1.0, 0.55, 0.26, 0.45, "middle"),
    "counter": Kind(1.2, 0.6, 0.46, 0.89, "wall"),
    "dishwasher": Kind(0.6, 0.6, 0.44, 0.85, "wall"),
    "floor_lamp": Kind(0.3, 0.3, 0.8, 0.0, "wall"),
    "fridge": Kind(0.65, 0.65, 0.75, 1.45, "wall"),
    "mirror": Kind(0.8, 0.04, 1.5, 0.0, "hung"),
    "office_chair": Kind(0.5, 0.5, 0.27, 0.52, "table"),
    "oven": Kind(0.6, 0.6, 0.46, 0.89, "wall"),
    "picture": Kind(0.7, 0.03, 1.5, 0.0, "hung"),
    "plant": Kind(0.4, 0.4, 0.6, 0.0, "wall"),
    "shelf": Kind(0.9, 0.35, 0.62, 1.2, "wall"),
    "sink": Kind(0.7, 0.55, 0.43, 0.89, "wall"),
    "sofa": Kind(1.8, 0.85, 0.28, 0.49, "wall"),
    "sofa_chair": Kind(0.85, 0.85, 0.26, 0.5, "wall"),
    "standing_tv": Kind(1.0, 0.25, 0.6, 0.0, "wall"),
    "table": Kind(1.4, 0.8, 0.43, 0.74, "middle"),
    "toilet": Kind(0.45, 0.65, 0.4, 0.78, "wall"),
    "top_cabinet": Kind(0.9, 0.35, 1.8, 2.18, "over"),
    "towel_rack": Kind(0.6, 0.06, 1.2, 0.0, "hung"),
    "washer": Kind(0.6, 0.6, 0.44, 0.85, "wall"),
}
DESK = Kind(1.3, 0.65, 0.43, 0.74, "wall")
WINDOW = Kind(1.2, 0.14, 1.4, 0.0, "hung")
DOOR = Kind(0.9, 0.14, 1.0, 0.0, "hung")  # deeper than the wall, so that one sees them

# What a room always has, and what it may have besides.
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "kitchen": (("counter", "sink", "oven", "fridge", "bottom_cabinet"), ("dishwasher", "top_cabinet", "counter")),
    "bathroom": (("bathtub", "sink", "toilet"), ("bottom_cabinet", "shelf", "washer", "mirror", "towel_rack")),
    "bedroom": (("bed", "chest", "bottom_cabinet"), ("shelf", "carpet", "mirror", "picture")),
    "living_room": (
        ("sofa", "coffee_table", "shelf", "bottom_cabinet"),
        ("sofa_chair", "standing_tv", "floor_lamp", "plant", "picture"),
    ),
    "dining_room": (("table", "chair"), ("chair", "bottom_cabinet", "picture")),
    "home_office": (("table", "shelf"), ("office_chair", "bottom_cabinet", "picture")),
    "corridor": (("chest", "shelf"), ("carpet",)),
}
EATING = ("table", "chair")  # in the kitchen of a home without a dining room
RECEPTACLES = (24, 34)  # how many a home has, its front door and windows included
WINDOWS = (2, 4)


def furnish(plan: FloorPlan, rng: np.random.Generator) -> tuple[list[Piece], tuple[float, float]] | None:
    """(pieces with standing places, start place), all joined by walkable floor; None when something found no room."""
    pieces = _in_outer_walls(plan, rng)
    floor = Floor(plan)
    for room, categories in _wanted(plan, int(rng.integers(*RECEPTACLES, endpoint=True)) - len(pieces), rng):
        for category in categories:
            piece = _place(category, room, pieces, floor, rng)
            if piece is None:
                return None
            pieces.append(piece)
    standing = floor.standing_places(pieces)
    start = floor.start(pieces)
    if standing is None or start is None:
        return None
    return [replace(piece, standing=at) for piece, at in zip(pieces, standing, strict=True)], start


def _wanted(plan: FloorPlan, count: int, rng: np.random.Generator) -> list[tuple[Room, list[str]]]:
    """What goes into each room: what it always has, and of the rest so much that it is `count` in all."""
    wanted = [(room, list(ROOMS[room.kind][0])) for room in plan.rooms]
    for room, categories in wanted:
        if room.kind == "kitchen" and all(other.kind != "dining_room" for other in plan.rooms):
            categories += EATING
    extra = [(categories, category) for room, categories in wanted for category in ROOMS[room.kind][1]]
    for i in rng.permutation(len(extra))[: max(0, count - sum(len(categories) for _, categories in wanted))]:
        extra[i][0].append(extra[i][1])
    return wanted


def _kind(category: str, room: Room) -> Kind:
    return DESK if (category, room.kind) == ("table", "home_office") else KINDS[category]


def _place(category: str, room: Room, pieces: Sequence[Piece], floor: Floor, rng: np.random.Generator) -> Piece | None:
    """A piece at a random place where it fits and cuts nothing off; None after TRIES tries."""
    kind = _kind(category, room)
    here = [p for p in pieces if p.room_id == room.room_id]
    for rect in _candidates(kind, room, here, rng):
        piece = Piece(category, room.room_id, kind, rect)
        if _fits(piece, room, here, floor.plan) and floor.standing_places([*here, piece], room) is not None:
            return piece
    return None


def _candidates(kind: Kind, room: Room, here: Sequence[Piece], rng: np.random.Generator) -> Iterator[Rect]:
    """Random places of the sort that the kind asks for; furniture goes to the emptiest wall first.

    Rooms that are furnished on all sides (corridors at both ends) let a reader of the file see how far they reach.
    """
    walls = [_Wall(room, i) for i in range(4)]
    taken = [_wall_behind(p.rect, room).index for p in here if p.kind.where == "wall"]
    first = walls[:2] if room.kind == "corridor" else walls
    emptiest = [w for w in first if taken.count(w.index) == min(taken.count(v.index) for v in first)]
    for i in range(TRIES):
        if kind.where == "middle":
            yield _in_the_middle(kind, room, rng)
        elif kind.where == "table":
            yield _beside(kind, next(p.rect for p in here if p.category == "table"), rng)
        elif kind.where == "over":
            counter = next(p.rect for p in here if p.category == "counter")
            yield _against(kind, _wall_behind(counter, room), rng, WALL_GAP)
        elif kind.where == "hung":
            yield _against(kind, walls[int(rng.integers(4))], rng, 0.01)
        else:
            among = emptiest if i < TRIES // 2 else walls
            yield _against(kind, among[int(rng.integers(len(among)))], rng, WALL_GAP)


@dataclass(frozen=True)
class _Wall:
    """One of a room's four walls, seen from inside."""

    room: Room
    index: int

    @property
    def side(self) -> Side:
        return sides(self.room.inner)[self.index]

    @property
    def inwards(self) -> int:
        return 1 if self.index % 2 == 0 else -1


def _wall_behind(rect: Rect, room: Room) -> _Wall:
    inner = room.inner
    gaps = (rect.x0 - inner.x0, inner.x1 - rect.x1, rect.z0 - inner.z0, inner.z1 - rect.z1)
    return _Wall(room, int(np.argmin(gaps)))


def _against(kind: Kind, wall: _Wall, rng: np.random.Generator, gap: float) -> Rect:
    """Along the wall, `gap` in front of it; corners are liked, so that furniture leaves wide floors."""
    side = wall.side
    low, high = side.low + gap, side.high - gap - kind.width
    along = round(float(np.clip(rng.uniform(low - 0.6, high + 0.6), low, max(low, high))), 2)
    near = side.at + wall.inwards * gap
    far = near + wall.inwards * kind.depth
    a, b = round(min(near, far), 2), round(max(near, far), 2)
    end = round(along + kind.width, 2)
    return Rect(a, along, b, end) if side.vertical else Rect(along, a, end, b)


def _in_the_middle(kind: Kind, room: Room, rng: np.random.Generator) -> Rect:
    """Anywhere off the walls, along x or along z."""
    width, depth = (kind.width, kind.depth) if rng.random() < 0.5 else (kind.depth, kind.width)
    inner = room.inner
    gap = 0.1 if kind.top < 0.05 else 0.6  # a carpet is walked over
    x = round(float(rng.uniform(inner.x0 + gap, max(inner.x0 + gap, inner.x1 - gap - width))), 2)
    z = round(float(rng.uniform(inner.z0 + gap, max(inner.z0 + gap, inner.z1 - gap - depth))), 2)
    return Rect(x, z, round(x + width, 2), round(z + depth, 2))


def _beside(kind: Kind, table: Rect, rng: np.random.Generator) -> Rect:
    """On one of the table's four sides, close to it."""
    half = kind.width / 2
    side = int(rng.integers(4))
    width, depth = table.size
    x, z = table.centre
    offset = float(rng.uniform(-0.3, 0.3))
    x += (-width / 2 - half - 0.03, width / 2 + half + 0.03, offset, offset)[side]
    z += (offset, offset, -depth / 2 - half - 0.03, depth / 2 + half + 0.03)[side]
    return Rect(round(x - half, 2), round(z - half, 2), round(x + half, 2), round(z + half, 2))


def _fits(piece: Piece, room: Room, here: Sequence[Piece], plan: FloorPlan) -> bool:
    """Whether the piece lies in the room, off doorways and off what already stands or hangs there."""
    inner, rect = room.inner, piece.rect
    if not (inner.x0 <= rect.x0 and rect.x1 <= inner.x1 and inner.z0 <= rect.z0 and rect.z1 <= inner.z1):
        return False
    if piece.kind.top != KINDS["carpet"].top and any(rect.overlaps(door.rect(DOOR_ZONE)) for door in plan.doorways):
        return False
    return not any(rect.overlaps(other.rect.grown(0.02)) and _collide(piece, other) for other in here)


def _collide(a: Piece, b: Piece) -> bool:
    """What hangs collides with what hangs or is tall, what stands with what stands."""
    tall = [p.kind.where in ("over", "hung") or p.kind.y >= 0.6 for p in (a, b)]
    if "hung" in (a.kind.where, b.kind.where) or "over" in (a.kind.where, b.kind.where):
        return all(tall)
    return True


def _in_outer_walls(plan: FloorPlan, rng: np.random.Generator) -> list[Piece]:
    """The front door and some windows, at most one thing a wall. Doorways between rooms have no doors: a closed one
    would hide a room from an agent that can walk in."""
    walls = [side for _, side in plan.outer if side.high - side.low > WINDOW.width + 0.6]
    categories = ["door"] + ["window"] * int(rng.integers(*WINDOWS, endpoint=True))
    pieces = []
    for category, i in zip(categories, rng.permutation(len(walls)), strict=False):
        kind, wall = (DOOR if category == "door" else WINDOW), walls[i]
        low = round(float(rng.uniform(wall.low + 0.3, wall.high - 0.3 - kind.width)), 2)
        span = Side(wall.vertical, wall.at, low, round(low + kind.width, 2))
        pieces.append(Piece(category, "", kind, span.rect(kind.depth / 2)))
    return pieces
