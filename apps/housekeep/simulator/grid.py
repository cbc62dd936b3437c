"""A walk grid: which 5 cm cells of the ground plane an agent's centre may stand on."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.geometry import Rect

STEP = 0.05  # metres a cell; five cells make one floor cell of the protocol


@dataclass(frozen=True)
class Grid:
    """Cells [row (z), column (x)]; `x0`, `z0` is the corner of cell (0, 0), `step` its side in metres."""

    x0: float
    z0: float
    rows: int
    columns: int
    step: float = STEP

    @staticmethod
    def over(bounds: Rect, step: float = STEP) -> "Grid":
        """A grid that covers `bounds`, its corner on a multiple of five cells."""
        block = 5 * step
        x0, z0 = np.floor(bounds.x0 / block) * block, np.floor(bounds.z0 / block) * block
        return Grid(
            float(x0),
            float(z0),
            int(np.ceil((bounds.z1 - z0) / block)) * 5,
            int(np.ceil((bounds.x1 - x0) / block)) * 5,
            step,
        )

    def cell(self, x: float, z: float) -> tuple[int, int]:
        """(row, column) of the cell that holds (x, z), clipped to the grid."""
        row, column = int((z - self.z0) // self.step), int((x - self.x0) // self.step)
        return (min(max(row, 0), self.rows - 1), min(max(column, 0), self.columns - 1))

    def centre(self, row: int, column: int) -> tuple[float, float]:
        """(x, z) of a cell's centre."""
        return (self.x0 + (column + 0.5) * self.step, self.z0 + (row + 0.5) * self.step)

    @property
    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x of every column, z of every row."""
        return (
            self.x0 + (np.arange(self.columns) + 0.5) * self.step,
            self.z0 + (np.arange(self.rows) + 0.5) * self.step,
        )

    def near(self, rects: Iterable[Rect], radius: float) -> NDArray[np.bool_]:
        """[row, column] whether the cell's centre is nearer than `radius` to one of `rects`."""
        out = np.zeros((self.rows, self.columns), bool)
        xs, zs = self.centres
        for rect in rects:
            rows = slice(*np.searchsorted(zs, (rect.z0 - radius, rect.z1 + radius)))
            columns = slice(*np.searchsorted(xs, (rect.x0 - radius, rect.x1 + radius)))
            x, z = xs[columns], zs[rows, None]
            dx = np.maximum(np.maximum(rect.x0 - x, x - rect.x1), 0)
            dz = np.maximum(np.maximum(rect.z0 - z, z - rect.z1), 0)
            out[rows, columns] |= dx * dx + dz * dz < radius * radius
        return out


def steps_graph(free: NDArray[np.bool_], cost: NDArray[np.float64]):  # type: ignore[no-untyped-def]  # scipy has no types
    """(graph, node): a scipy sparse graph whose edges join neighbouring free cells, and each cell's node (-1: not
    free).

    Eight neighbours; a diagonal needs both cells beside it, so that a body does not cut a corner. An edge costs its
    length in cells times the mean cost of its ends.
    """
    from scipy.sparse import coo_matrix

    node = np.full(free.shape, -1, np.int32)
    node[free] = np.arange(int(free.sum()), dtype=np.int32)
    starts, ends, weights = [], [], []
    for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
        rows, columns = free.shape
        r0, r1 = slice(0, rows - dr), slice(dr, rows)
        c0, c1 = (
            (slice(0, columns - dc), slice(dc, columns)) if dc >= 0 else (slice(-dc, columns), slice(0, columns + dc))
        )
        joined = free[r0, c0] & free[r1, c1]
        if dr and dc:
            joined &= free[r1, c0] & free[r0, c1]
        starts.append(node[r0, c0][joined])
        ends.append(node[r1, c1][joined])
        weights.append(np.hypot(dr, dc) * (cost[r0, c0][joined] + cost[r1, c1][joined]) / 2)
    a, b, w = np.concatenate(starts), np.concatenate(ends), np.concatenate(weights)
    count = int(free.sum())
    graph = coo_matrix((np.r_[w, w], (np.r_[a, b], np.r_[b, a])), shape=(count, count)).tocsr()
    return graph, node
