"""Where one can stand in a furnished floor plan, and from where each piece of furniture is reached."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.floor_plan import FloorPlan, Room
from apps.housekeep.simulator.geometry import Rect
from apps.housekeep.simulator.grid import Grid
from apps.housekeep.simulator.protocol import AGENT_RADIUS_METRES

BODY = AGENT_RADIUS_METRES + 0.05  # kept free around a standing place: the agent and one grid cell
FROM_EDGE = (0.3, 1.6)  # metres from a receptacle's edge at which one may stand; reach is 3
WANTED_FROM_EDGE = 0.45

Where = Literal["wall", "middle", "table", "over", "hung"]


@dataclass(frozen=True)
class Kind:
    """A kind of furniture: its box, where objects rest on it, where it stands. Metres.

    As in real episodes the box of some kinds reaches above the place where things lie (a tap, a cloth, a pillow).
    """

    width: float  # along the wall
    depth: float
    y: float  # of the centre
    top: float  # where things rest; 0 where nothing does
    where: Where


@dataclass(frozen=True)
class Piece:
    """A placed piece of furniture; `standing` is a free place (x, z) from which it can be reached."""

    category: str
    room_id: str  # "" for windows and doors
    kind: Kind
    rect: Rect
    standing: tuple[float, float] = (math.nan, math.nan)


class Floor:
    """Where one can stand in a plan, as furniture comes in."""

    def __init__(self, plan: FloorPlan) -> None:
        self.plan = plan
        rects = [room.rect for room in plan.rooms]
        bounds = Rect(0.0, 0.0, max(r.x1 for r in rects), max(r.z1 for r in rects))
        self.grid = Grid.over(bounds)
        self.walls = self.grid.near([wall.rect(0.05) for wall in plan.walls], BODY)
        self.inside = self.grid.near(rects, 1e-6)
        self.in_room = {room.room_id: self.grid.near([room.inner], 1e-6) for room in plan.rooms}

    def free(self, pieces: Sequence[Piece]) -> NDArray[np.bool_]:
        """[row, column] the walkable floor that is joined to the first doorway (all doorways must be)."""
        from scipy.ndimage import label

        standing = [p.rect for p in pieces if p.kind.where in ("wall", "middle", "table") and p.kind.y > 0.05]
        free = self.inside & ~self.walls & ~self.grid.near(standing, BODY)
        labels, _ = label(free)
        joined: NDArray[np.bool_] = (labels > 0) & (labels == labels[self.grid.cell(*self.plan.doorways[0].middle)])
        return joined

    def standing_places(self, pieces: Sequence[Piece], room: Room | None = None) -> list[tuple[float, float]] | None:
        """A standing place for each piece, the nearest to WANTED_FROM_EDGE; None when a piece or doorway is cut off.

        `room`: the room that all the pieces are in, when they are.
        """
        free = self.free(pieces)
        if not all(free[self.grid.cell(*door.middle)] for door in self.plan.doorways):
            return None
        cells = {name: np.argwhere(free & mask) for name, mask in self.in_room.items()}
        everywhere = np.argwhere(free) if room is None else np.empty((0, 2), int)
        places = []
        for piece in pieces:
            place = self._standing(piece.rect, cells[piece.room_id] if piece.room_id else everywhere)
            if place is None:
                return None
            places.append(place)
        return places

    def _standing(self, rect: Rect, cells: NDArray[np.int64]) -> tuple[float, float] | None:
        z = self.grid.z0 + (cells[:, 0] + 0.5) * self.grid.step
        x = self.grid.x0 + (cells[:, 1] + 0.5) * self.grid.step
        dx = np.maximum(np.maximum(rect.x0 - x, x - rect.x1), 0)
        dz = np.maximum(np.maximum(rect.z0 - z, z - rect.z1), 0)
        edge = np.hypot(dx, dz)
        aside = np.hypot(x - rect.centre[0], z - rect.centre[1])  # straight in front is better than at a corner
        if rect.size[0] * rect.size[1] > 0 and (edge <= FROM_EDGE[1]).any():
            cost = np.abs(edge - WANTED_FROM_EDGE) + 0.3 * aside + 10.0 * (edge < FROM_EDGE[0])
            best = int(np.argmin(np.round(cost, 6)))  # rounded: equal on every machine
            if edge[best] <= FROM_EDGE[1]:
                return (round(float(x[best]), 3), round(float(z[best]), 3))
        return None

    def start(self, pieces: Sequence[Piece]) -> tuple[float, float] | None:
        """The roomiest free place of the first room."""
        from scipy.ndimage import distance_transform_edt

        room = distance_transform_edt(self.free(pieces)) * self.in_room[self.plan.rooms[0].room_id]
        if room.max() <= 0:
            return None
        row, column = divmod(int(room.argmax()), room.shape[1])
        x, z = self.grid.centre(row, column)
        return (round(x, 3), round(z, 3))
