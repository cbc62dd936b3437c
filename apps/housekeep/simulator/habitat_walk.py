"""Walking on a navigation mesh: snapping, paths, courses, floor cells.

A benchmark's mesh has several islands, and the largest is the roof: only the episode's own (islands.py) counts.
Runs in the worker under Python 3.9.
"""

from __future__ import annotations

import math
from typing import Any

import habitat_sim
import numpy as np

from apps.housekeep.simulator.habitat_scene import UserError
from apps.housekeep.simulator.islands import ABOVE_METRES
from apps.housekeep.simulator.protocol import CELL_METRES, FORWARD_METRES, TURN_DEGREES

HALF_TURN = 180 // TURN_DEGREES
TURNS_BY_SIZE = (0, *(sign * n for n in range(1, HALF_TURN) for sign in (1, -1)), HALF_TURN)
TURN_PENALTY_METRES = 0.012  # a turn must save this much way in the next step


class Walk:
    """One walkable island of `finder`'s mesh, its floor at `floor` metres."""

    def __init__(self, finder: Any, island: int, floor: float) -> None:
        self.finder, self.island, self.floor = finder, island, floor
        self.cells = self._floor_cells()  # [cell, 2]

    def at(self, x: float, z: float) -> np.ndarray:
        """(x, z) on the floor, as habitat-sim takes points."""
        return point(x, self.floor, z)

    def stands(self, x: float, z: float) -> bool:
        """Whether the agent can stand at (x, z)."""
        here = self.at(x, z)
        return bool(self.finder.is_navigable(here, ABOVE_METRES)) and self.finder.get_island(here) == self.island

    def snap(self, x: float, z: float) -> tuple[float, float]:
        """(x, z) itself where the agent can stand there, else the nearest place where it can."""
        if self.stands(x, z):
            return (x, z)
        near = self.finder.snap_point(self.at(x, z), self.island)
        if finite(near):
            return (float(near[0]), float(near[2]))
        away = np.hypot(self.cells[:, 0] - x, self.cells[:, 1] - z)  # too far for habitat-sim
        nearest = self.cells[int(np.argmin(away))]
        return (float(nearest[0]), float(nearest[1]))

    def _shortest(self, start: tuple[float, float], goal: tuple[float, float]) -> Any:
        path = habitat_sim.ShortestPath()
        path.requested_start, path.requested_end = self.at(*start), self.at(*goal)
        return path if self.finder.find_path(path) else None

    def distance(self, start: tuple[float, float], goal: tuple[float, float]) -> float:
        """Geodesic distance in metres; infinite when there is no way."""
        path = self._shortest(start, goal)
        return math.inf if path is None else float(path.geodesic_distance)

    def path(self, start: tuple[float, float], goal: tuple[float, float]) -> list[tuple[float, float]]:
        """Corners (x, z) of the shortest way, both snapped ends included; [] when there is none."""
        start, goal = self.snap(*start), self.snap(*goal)
        path = self._shortest(start, goal)
        if path is None:
            return []
        between = [(float(p[0]), float(p[2])) for p in list(path.points)[1:-1]]
        return [start, *between, goal]

    def course(self, x: float, z: float, yaw: float, goal: tuple[float, float]) -> int | None:
        """Turns (left positive) before the next step towards `goal`; None when no step leads nearer.

        Every heading that turns can reach is tried with the step that the mesh would really allow.
        """
        goal = self.snap(*goal)
        here = self.distance((x, z), goal)
        best, choice = here - 0.1 * FORWARD_METRES, None
        for turns in TURNS_BY_SIZE:
            penalty = TURN_PENALTY_METRES * abs(turns)
            if choice is not None and best < here - FORWARD_METRES + penalty:
                break  # further turns would have to gain more than a step
            heading = yaw + math.radians(TURN_DEGREES) * turns
            ahead = (x - FORWARD_METRES * math.sin(heading), z - FORWARD_METRES * math.cos(heading))
            end = self.finder.try_step(self.at(x, z), self.at(*ahead))
            after = self.distance((float(end[0]), float(end[2])), goal) + penalty
            if after < best:
                best, choice = after, turns
        return choice

    def _floor_cells(self) -> np.ndarray:
        """Centres of the CELL_METRES squares whose middle is walkable, on a grid through the origin."""
        low, high = self.finder.get_bounds()
        columns = range(math.floor(low[0] / CELL_METRES), math.ceil(high[0] / CELL_METRES))
        rows = range(math.floor(low[2] / CELL_METRES), math.ceil(high[2] / CELL_METRES))
        centres = [((c + 0.5) * CELL_METRES, (r + 0.5) * CELL_METRES) for r in rows for c in columns]
        found = [centre for centre in centres if self.stands(*centre)]
        if not found:
            raise UserError("the navigation mesh has no floor at the episode's start; is it the scene's own?")
        return np.array(found)


def point(x: float, y: float, z: float) -> np.ndarray:
    """A point as habitat-sim takes it."""
    return np.array([x, y, z], np.float32)


def finite(where: Any) -> bool:
    """Whether snapping found a place: far from any floor it gives NaN."""
    return bool(np.isfinite(np.array(where)).all())
