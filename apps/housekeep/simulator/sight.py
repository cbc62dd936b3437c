"""What walls hide: computed once per 10 cm cell of the floor and kept.

Seen from above, a wall hides what lies behind its middle line; furniture hides nothing here (most of it is lower than
the camera, and rays decide later). For furniture the walls are taken shorter than they are, so that nothing in sight
is lost; for the floor they are taken as they are.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.protocol import FIELD_OF_VIEW_DEGREES, SIGHT_METRES
from apps.housekeep.simulator.walls import Segment

CELL = 0.1  # metres
KEPT = 5_000  # some 8 kB each
REACH_METRES = 25.0
SHORTER = 0.12  # metres by which both ends of a wall are drawn back for furniture
NEAR_METRES = 0.3  # floor this near is in view whatever the heading

# clear(x, z, targets [target, (x, z)]) -> [target] whether no wall lies between
Clear = Callable[[float, float, NDArray[np.float64]], NDArray[np.bool_]]


@dataclass(frozen=True)
class View:
    """What walls leave in sight of one cell."""

    points: NDArray[np.int32]  # indices of the sample points
    geoms: NDArray[np.intp]  # indices of the geoms that a ray from here may meet
    floor: NDArray[np.intp]  # indices of floor cells within SIGHT_METRES
    bearing: NDArray[np.float32]  # [floor] heading in radians under which each lies
    near: NDArray[np.bool_]  # [floor]


@dataclass(frozen=True)
class Samples:
    """Points on furniture: `at` [point, (x, y, z)], `normal` of the face, `owner` the receptacle."""

    at: NDArray[np.float64]
    normal: NDArray[np.float64]
    owner: NDArray[np.intp]


class Sight:
    """Views by cell, for one set of walls, sample points and floor cells [cell, (x, z)].

    `geom_furniture` and `geom_wall` [geom] say whose geoms they are (-1: nobody's); a geom of neither is always in
    view.
    """

    def __init__(
        self,
        walls: Sequence[Segment],
        samples: Samples,
        floor: NDArray[np.float64],
        geom_furniture: NDArray[np.int32],
        geom_wall: NDArray[np.int32],
    ) -> None:
        self._owner, self._floor = samples.owner, floor
        self._geom_furniture, self._geom_wall = geom_furniture, geom_wall
        on_walls, self._wall_of = _wall_points(walls)
        self._points = np.concatenate([samples.at[:, [0, 2]], on_walls])  # first those on furniture
        self._lines = [_Lines.of([w for w in walls if w.vertical is side]) for side in (True, False)]
        self._walls, self._owners = len(walls), int(max(geom_furniture.max(), 0)) + 2  # nobody's (-1) are the last
        self._always = (geom_furniture < 0) & (geom_wall < 0)
        self._views: OrderedDict[tuple[int, int], View] = OrderedDict()
        self._clear: Clear | None = None

    def over(self, floor: NDArray[np.float64], clear: Clear | None = None) -> "Sight":
        """The same home seen over other floor cells; `clear` tells what walls hide where these are not its walls."""
        other = copy.copy(self)
        other._floor, other._views, other._clear = floor, OrderedDict(), clear
        if clear is not None:
            other._points, other._wall_of = self._points[: len(self._owner)], self._wall_of[:0]  # so no ray meets them
        return other

    def view(self, x: float, z: float) -> View:
        """The view of the cell that holds (x, z)."""
        key = (int(x // CELL), int(z // CELL))
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = self._compute((key[0] + 0.5) * CELL, (key[1] + 0.5) * CELL)
            if len(self._views) > KEPT:
                self._views.popitem(last=False)
        return view

    def floor_in_view(self, x: float, z: float, yaw: float) -> NDArray[np.intp]:
        """Indices of the floor cells in the horizontal field of view."""
        view = self.view(x, z)
        off = np.abs((view.bearing - yaw + np.pi) % (2 * np.pi) - np.pi)
        seen: NDArray[np.intp] = view.floor[(off <= np.radians(FIELD_OF_VIEW_DEGREES / 2)) | view.near]
        return seen

    def _compute(self, x: float, z: float) -> View:
        seen = self._unhidden(x, z, self._points, SHORTER, REACH_METRES)
        points, on_walls = np.flatnonzero(seen[: len(self._owner)]), seen[len(self._owner) :]
        furniture_seen, wall_seen = np.zeros(self._owners, bool), np.zeros(self._walls + 1, bool)
        furniture_seen[self._owner[points]] = True
        wall_seen[self._wall_of[on_walls]] = True
        shown = self._always | furniture_seen[self._geom_furniture] | wall_seen[self._geom_wall]
        floor = np.flatnonzero(self._unhidden(x, z, self._floor, 0.0, SIGHT_METRES))
        dx, dz = self._floor[floor, 0] - x, self._floor[floor, 1] - z
        return View(
            points.astype(np.int32),
            np.flatnonzero(shown),
            floor,
            np.arctan2(-dx, -dz).astype(np.float32),
            np.hypot(dx, dz) < NEAR_METRES,
        )

    def _unhidden(
        self, x: float, z: float, targets: NDArray[np.float64], shorter: float, reach: float
    ) -> NDArray[np.bool_]:
        """[target] whether it is within `reach` metres and no wall lies between; a wall does not hide its own
        points."""
        seen = (targets[:, 0] - x) ** 2 + (targets[:, 1] - z) ** 2 <= reach * reach
        near = np.flatnonzero(seen)
        if self._clear is not None:
            seen[near] = self._clear(x, z, targets[near])
            return seen
        hidden = self._lines[0].hide(x, z, targets[near, 0], targets[near, 1], shorter)
        hidden |= self._lines[1].hide(z, x, targets[near, 1], targets[near, 0], shorter)
        seen[near[hidden]] = False
        return seen


@dataclass(frozen=True)
class _Lines:
    """Parallel walls: `at` across, from `low` to `high` along; float32 [wall]."""

    at: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @staticmethod
    def of(walls: Sequence[Segment]) -> "_Lines":
        return _Lines(*(np.array([getattr(w, name) for w in walls], np.float32) for name in ("at", "low", "high")))

    def hide(
        self, across: float, along: float, to_across: NDArray[np.float64], to_along: NDArray[np.float64], shorter: float
    ) -> NDArray[np.bool_]:
        """[target] whether one of these walls crosses the way from (across, along), more than 12 cm before its end."""
        if not len(self.at):
            return np.zeros(len(to_across), bool)
        step = to_across.astype(np.float32) - np.float32(across)
        step[np.abs(step) < 1e-6] = 1e-6
        run = to_along.astype(np.float32) - np.float32(along)
        share = (self.at - np.float32(across))[:, None] / step  # [wall, target] of the way, where the lines meet
        meets = np.float32(along) + share * run
        last = 1 - np.float32(0.12) / np.maximum(np.abs(step), np.float32(0.12))
        blocks = (share > 0) & (share < last)
        low, high = self.low + np.float32(shorter), self.high - np.float32(shorter)
        blocks &= (meets > low[:, None]) & (meets < high[:, None])
        hidden: NDArray[np.bool_] = blocks.any(axis=0)
        return hidden


def _wall_points(walls: Sequence[Segment], spacing: float = 0.4) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """(points [n, 2], wall of each): points along every wall's middle line, its ends included."""
    points, owners = [], []
    for i, wall in enumerate(walls):
        along = np.linspace(wall.low, wall.high, max(2, int(np.ceil((wall.high - wall.low) / spacing)) + 1))
        across = np.full_like(along, wall.at)
        points.append(np.stack([across, along] if wall.vertical else [along, across], axis=1))
        owners.append(np.full(len(along), i))
    if not walls:
        return np.zeros((0, 2)), np.zeros(0, np.intp)
    return np.concatenate(points), np.concatenate(owners).astype(np.intp)
