"""Where the agent can stand, how it moves, and shortest walkable paths.

The walk grid has 5 cm cells. A cell is blocked when its centre is nearer than the agent's radius to an obstacle or a
wall. Standing points and the start are facts of the data: where an inferred box covers one (the box of an L-shaped
sofa, a chair under a table), a disc around the point is free all the same, and if no way leads there, the cells of
the cheapest way through furniture (or close along a wall, never through it) are freed too: see `freed`. Only cells
connected to the start count as walkable.
"""

import math
from array import array
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.apartment import Apartment
from apps.housekeep.simulator.grid import Grid, steps_graph
from apps.housekeep.simulator.protocol import AGENT_RADIUS_METRES, CELL_METRES, FORWARD_METRES, TURN_DEGREES

SUBSTEPS = 10  # a forward step is taken in pieces of 2.5 cm, half a cell
STANDING_DISC = 0.12  # metres around a standing point that are free whatever covers it
IN_WALL = 0.03  # metres from a wall that nothing frees
FURNITURE_COST = 20.0  # freeing a cell of furniture costs as much as this many free cells
# Added to the cost of a cell 1, 2, ... cells from the nearest blocked one: ways keep off corners, so that a walker with
# 20-degree turns passes without scraping; a way around the end of a table gets up to a sixth longer than the shortest.
NEAR_COST = (1.0, 0.7, 0.4, 0.25, 0.12, 0.06)
ROOM_CELLS = 3  # a straight stretch keeps this far from blocked cells, or as far as the cells that it replaces
PATHS_KEPT = 20_000
FIELDS_KEPT = 1000  # goals of paths, some 25 kB each
COURSES_KEPT = 150  # goals of courses, some 200 kB each
TURN_PENALTY_METRES = 0.012  # a turn must save this much way in the next step: off by 20 degrees costs 0.015
_HALF_TURN = 180 // TURN_DEGREES
_TURNS_BY_SIZE = (0, *(sign * n for n in range(1, _HALF_TURN) for sign in (1, -1)), _HALF_TURN)

Corners = list[tuple[float, float]]


class WalkMap:
    """The walkable floor of one apartment."""

    def __init__(self, apartment: Apartment) -> None:
        from scipy.ndimage import distance_transform_cdt, distance_transform_edt

        self.grid = Grid.over(apartment.bounds)
        self.walkable = self._walkable(apartment)  # [row, column]
        deep = distance_transform_cdt(self.walkable, "chessboard")
        cost = np.ones(deep.shape)
        for cells, extra in enumerate(NEAR_COST, 1):
            cost[deep == cells] += extra
        self._graph, node = steps_graph(self.walkable, cost)
        self._nodes = node.tolist()  # [row][column], -1 where nobody can walk
        self._rows, self._columns = np.nonzero(self.walkable)
        _, nearest = distance_transform_edt(~self.walkable, return_indices=True)
        self._snap_row, self._snap_column = nearest
        self._free = self.walkable.tolist()  # a list of lists is the fastest thing to look one cell up in
        self._deep = deep.tolist()  # [row][column] cells to the nearest blocked one; 0: blocked
        self._towards: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._paths: OrderedDict[tuple[tuple[int, int], tuple[int, int]], Corners] = OrderedDict()
        self._lefts: OrderedDict[tuple[int, int], array[float]] = OrderedDict()
        self.cells = self._floor_cells()  # [cell, 2]

    def _walkable(self, apartment: Apartment) -> NDArray[np.bool_]:
        grid = self.grid
        walls = [w.rect for w in apartment.walls]
        inside = grid.near([s.rect for s in apartment.spaces], 1e-6) & ~grid.near(walls, IN_WALL)
        blocked = grid.near([f.rect for f in apartment.furniture if f.obstacle] + walls, AGENT_RADIUS_METRES)
        points = [apartment.start, *(f.nav for f in apartment.furniture)]
        for point in points:
            inside[grid.cell(*point)] = True
        self.freed = self._discs(points) & blocked & inside
        while True:
            free = inside & (~blocked | self.freed)
            reached = _component(free, self._cell_in(inside, apartment.start))
            lost = [p for p in points if not reached[self._cell_in(inside, p)]]
            if not lost:
                return reached
            before = int(self.freed.sum())
            self._free_the_way(inside, free, apartment.start, lost[0])
            if int(self.freed.sum()) == before:
                return reached

    def _discs(self, points: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
        xs, zs = self.grid.centres
        out = np.zeros((self.grid.rows, self.grid.columns), bool)
        for x, z in points:
            out |= (xs - x) ** 2 + (zs[:, None] - z) ** 2 <= STANDING_DISC**2
            out[self.grid.cell(x, z)] = True
        return out

    def _cell_in(self, possible: NDArray[np.bool_], point: tuple[float, float]) -> tuple[int, int]:
        """The cell of `point`, or the nearest possible one where a wall is too near."""
        cell = self.grid.cell(*point)
        if possible[cell]:
            return cell
        rows, columns = np.nonzero(possible)
        nearest = int(np.argmin((rows - cell[0]) ** 2 + (columns - cell[1]) ** 2))
        return (int(rows[nearest]), int(columns[nearest]))

    def _free_the_way(
        self,
        possible: NDArray[np.bool_],
        free: NDArray[np.bool_],
        start: tuple[float, float],
        goal: tuple[float, float],
    ) -> None:
        """Frees the cells of the cheapest way through furniture from `start` to `goal`, seven cells wide."""
        from scipy.ndimage import binary_dilation
        from scipy.sparse.csgraph import dijkstra

        graph, node = steps_graph(possible, np.where(free, 1.0, FURNITURE_COST))
        source = int(node[self._cell_in(possible, start)])
        target = int(node[self._cell_in(possible, goal)])
        _, before = dijkstra(graph, indices=source, return_predecessors=True)
        rows, columns = np.nonzero(possible)
        way = np.zeros_like(possible)
        while target >= 0:
            way[rows[target], columns[target]] = True
            target = int(before[target])
        blocking = way & ~free
        if blocking.any():
            self.freed |= binary_dilation(blocking, np.ones((7, 7), bool)) & possible
        else:  # free cells all the way, but two of them touch only at a corner
            self.freed |= binary_dilation(way, np.ones((3, 3), bool)) & possible

    def _floor_cells(self) -> NDArray[np.float64]:
        """Centres of the CELL_METRES squares whose middle is walkable."""
        block = round(CELL_METRES / self.grid.step)
        half = block // 2
        rows, columns = np.nonzero(self.walkable[half::block, half::block])
        x = self.grid.x0 + (columns + 0.5) * CELL_METRES
        z = self.grid.z0 + (rows + 0.5) * CELL_METRES
        return np.stack([x, z], axis=1)

    def stands(self, x: float, z: float) -> bool:
        """Whether the agent's centre may be at (x, z)."""
        grid = self.grid
        row, column = int((z - grid.z0) // grid.step), int((x - grid.x0) // grid.step)
        return 0 <= row < grid.rows and 0 <= column < grid.columns and self._free[row][column]

    def snap(self, x: float, z: float) -> tuple[float, float]:
        """(x, z) itself where the agent can stand there, else the centre of the nearest walkable cell."""
        if self.stands(x, z):
            return (x, z)
        cell = self.grid.cell(x, z)
        return self.grid.centre(int(self._snap_row[cell]), int(self._snap_column[cell]))

    def forward(self, x: float, z: float, yaw: float) -> tuple[float, float, bool]:
        """(x, z, collided) after FORWARD_METRES along `yaw`, sliding along what is in the way.

        Obstacles are axis-aligned, so sliding keeps the part of the motion along the free axis.
        """
        free, step = self._free, self.grid.step
        u, v = (x - self.grid.x0) / step, (z - self.grid.z0) / step  # in cells
        piece = FORWARD_METRES / SUBSTEPS / step
        du, dv = -math.sin(yaw) * piece, -math.cos(yaw) * piece
        u_first = abs(du) >= abs(dv)
        collided = False
        for _ in range(SUBSTEPS):
            if free[int(v + dv)][int(u + du)]:
                u += du
                v += dv
                continue
            collided = True
            along_u, along_v = free[int(v)][int(u + du)], free[int(v + dv)][int(u)]
            if along_u and (u_first or not along_v):
                u += du
            elif along_v:
                v += dv
            else:
                break
        return (self.grid.x0 + u * step, self.grid.z0 + v * step, collided)

    def path(self, start: tuple[float, float], goal: tuple[float, float]) -> Corners:
        """Corner points of a shortest path, both ends included; [] when `goal` or `start` is not near walkable
        floor."""
        start, goal = self.snap(*start), self.snap(*goal)
        source, target = self.grid.cell(*start), self.grid.cell(*goal)
        if source == target:
            return [start, goal]
        key = (source, target)
        corners = self._paths.get(key)
        if corners is None:
            corners = self._paths[key] = self._smoothed(self._cells_to(source, target))
            if len(self._paths) > PATHS_KEPT:
                self._paths.popitem(last=False)
        first = corners[0] if corners else goal
        if not self._clear(start, first):
            corners = [self.grid.centre(*source), *corners]
        if not self._clear(corners[-1] if corners else start, goal):
            corners = [*corners, self.grid.centre(*target)]
        return [start, *corners, goal]

    def _clear(self, a: tuple[float, float], b: tuple[float, float]) -> bool:
        """Whether the straight way between two points stays on walkable cells (ends, unlike corners, lie anywhere)."""
        samples = int(2 * max(abs(b[0] - a[0]), abs(b[1] - a[1])) / self.grid.step) + 1
        dx, dz = (b[0] - a[0]) / samples, (b[1] - a[1]) / samples
        return all(self.stands(a[0] + i * dx, a[1] + i * dz) for i in range(1, samples))

    def course(self, x: float, z: float, yaw: float, goal: tuple[float, float]) -> int | None:
        """How many turns to make (left positive) before the next step forward on the way to `goal`; None: no heading
        leads nearer.

        Every heading that turns can reach is tried with the step that it would really give, collisions and sliding
        included, and the way that is left from there is looked up; small corrections are not worth a turn.
        """
        left = self._left(self.grid.cell(*self.snap(*goal)))
        here = self._way_left(left, x, z)
        best, choice = here - 0.1 * FORWARD_METRES, None
        for turns in _TURNS_BY_SIZE:
            penalty = TURN_PENALTY_METRES * abs(turns)
            if choice is not None and best < here - FORWARD_METRES + penalty:
                break  # further turns would have to gain more than a step
            nx, nz, _ = self.forward(x, z, yaw + math.radians(TURN_DEGREES) * turns)
            after = self._way_left(left, nx, nz) + penalty
            if after < best:
                best, choice = after, turns
        return choice

    def _way_left(self, left: "array[float]", x: float, z: float) -> float:
        """Metres to go from (x, z), between the four cells around it; a cell that is not walkable counts as its
        neighbour."""
        u, v = (x - self.grid.x0) / self.grid.step - 0.5, (z - self.grid.z0) / self.grid.step - 0.5
        row, column = int(v + 0.5), int(u + 0.5)
        nearest = left[self._nodes[row][column]]
        r, c = (row if v >= row else row - 1), (column if u >= column else column - 1)
        dv, du = v - r, u - c
        above, below = self._nodes[r], self._nodes[r + 1]
        around = (left[above[c]], left[above[c + 1]], left[below[c]], left[below[c + 1]])
        a, b, d, e = (w if w < math.inf else nearest for w in around)
        way: float = (1 - dv) * ((1 - du) * a + du * b) + dv * ((1 - du) * d + du * e)
        return way

    def _left(self, goal: tuple[int, int]) -> "array[float]":
        """[node + 1] metres of the way to the cell `goal`; kept, because goals repeat.

        The last one, which node -1 finds, is infinite: it stands for the cells where nobody can walk.
        """
        left = self._lefts.get(goal)
        if left is None:
            from scipy.sparse.csgraph import dijkstra

            return self._keep_left(goal, dijkstra(self._graph, indices=self._nodes[goal[0]][goal[1]]))
        self._lefts.move_to_end(goal)
        return left

    def _keep_left(self, goal: tuple[int, int], cells: NDArray[np.float64]) -> "array[float]":
        left = self._lefts[goal] = array("d")  # the fastest to read single numbers from
        left.frombytes((cells * self.grid.step).tobytes())
        left.append(math.inf)
        if len(self._lefts) > COURSES_KEPT:
            self._lefts.popitem(last=False)
        return left

    def _cells_to(self, source: tuple[int, int], target: tuple[int, int]) -> list[tuple[int, int]]:
        """(row, column) of every cell on the way, both ends included."""
        towards, nodes = self._towards_cell(target), self._nodes
        way = [source]
        while way[-1] != target:
            row, column = way[-1]
            code = towards[nodes[row][column]]
            way.append((row + code // 3 - 1, column + code % 3 - 1))
        return way

    def _towards_cell(self, target: tuple[int, int]) -> bytes:
        """[node] the neighbour that is next on the way to `target`, as 3 (rows + 1) + columns + 1; kept."""
        if target not in self._towards:
            from scipy.sparse.csgraph import dijkstra

            cells, before = dijkstra(self._graph, indices=self._nodes[target[0]][target[1]], return_predecessors=True)
            self._keep_left(target, cells)  # whoever asks for a way mostly walks it
            following = np.where(before >= 0, before, np.arange(len(before)))
            rows, columns = self._rows[following] - self._rows, self._columns[following] - self._columns
            self._towards[target] = (3 * (rows + 1) + columns + 1).astype(np.uint8).tobytes()
            if len(self._towards) > FIELDS_KEPT:
                self._towards.popitem(last=False)
        return self._towards[target]

    def _smoothed(self, cells: list[tuple[int, int]]) -> Corners:
        """The corners between the ends: the furthest cell in straight sight of the last corner, again and again.

        A straight stretch has as much room (up to ROOM_CELLS) as the cells that it replaces, so that a walker with
        20-degree turns does not scrape along what the way went around.
        """
        turns = [i for i in range(1, len(cells) - 1) if _turns(cells[i - 1], cells[i], cells[i + 1])]
        stops = [0, *turns, len(cells) - 1]
        room = [min(self._deep[r][c], ROOM_CELLS) for r, c in cells]
        corners, at = [], 0
        while at < len(stops) - 1:
            ahead = at + 1
            while ahead + 1 < len(stops):
                least = min(room[stops[at] : stops[ahead + 1] + 1])
                if not self._sees(cells[stops[at]], cells[stops[ahead + 1]], least):
                    break
                ahead += 1
            corners.append(self.grid.centre(*cells[stops[ahead]]))
            at = ahead
        return corners[:-1]

    def _sees(self, a: tuple[int, int], b: tuple[int, int], room: int) -> bool:
        """Whether the straight line between two cells stays on cells with this much room."""
        dr, dc = b[0] - a[0], b[1] - a[1]
        samples, deep = 2 * max(abs(dr), abs(dc)), self._deep
        for i in range(1, samples):
            if deep[int(a[0] + dr * i / samples + 0.5)][int(a[1] + dc * i / samples + 0.5)] < room:
                return False
        return True


def _turns(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    return (b[0] - a[0], b[1] - a[1]) != (c[0] - b[0], c[1] - b[1])


def _component(free: NDArray[np.bool_], cell: tuple[int, int]) -> NDArray[np.bool_]:
    """The free cells joined to `cell` through sides."""
    from scipy.ndimage import label

    labels, _ = label(free)
    component: NDArray[np.bool_] = (labels == labels[cell]) & free
    return component
