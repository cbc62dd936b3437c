"""Coarser meshes, for images that are drawn in software: what they cost grows with the triangles.

Vertex clustering (Rossignac and Borrel 1993): points that share a cell of a grid become one of them, and triangles
that lose a corner by it are gone. A surface moves by at most a cell's diagonal.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.glb import Mesh

FACES = 3000  # triangles of a piece of furniture; scanned models have up to hundreds of thousands
FINEST = 0.4  # the first cell that is tried, in edges of a grid with so many triangles on the whole surface
MOST_CELLS = 1e6  # along a side: cells are numbered in 64 bits
GROWTH = 1.3  # of the cell from one try to the next
LEAST_FACES = 12  # a box's


def decimated(meshes: Sequence[Mesh], faces: int = FACES) -> list[Mesh]:
    """The meshes of one piece of furniture with about `faces` triangles together; as they are where they have fewer."""
    total = sum(len(mesh.triangles) for mesh in meshes)
    if total <= faces:
        return list(meshes)
    return [_coarser(mesh, max(LEAST_FACES, faces * len(mesh.triangles) // total)) for mesh in meshes]


def _coarser(mesh: Mesh, faces: int) -> Mesh:
    """The mesh in the finest grid in which it has at most `faces` triangles."""
    extent = float(np.ptp(mesh.points, axis=0).max())
    cell, coarser = max(FINEST * (2 * _area(mesh) / faces) ** 0.5, extent / MOST_CELLS), mesh
    while cell > 0 and len(coarser.triangles) > faces:
        next_one = _clustered(mesh, cell)
        if not len(next_one.triangles):  # smaller than a cell
            break
        coarser, cell = next_one, cell * GROWTH
    return coarser


def _area(mesh: Mesh) -> float:
    """Square metres of the surface."""
    a, b, c = (mesh.points[mesh.triangles[:, i]].astype(float) for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def _clustered(mesh: Mesh, cell: float) -> Mesh:
    """The mesh with one point for all that lie in the same cell of a grid of `cell` metres."""
    cells = np.floor((mesh.points - mesh.points.min(axis=0)) / cell).astype(np.int64)
    shape = tuple(int(n) for n in cells.max(axis=0) + 1)
    _, kept, cluster = np.unique(np.ravel_multi_index(tuple(cells.T), shape), return_index=True, return_inverse=True)
    triangles = cluster[mesh.triangles.astype(np.int64)]
    a, b, c = triangles.T
    triangles = _turned(triangles[(a != b) & (b != c) & (c != a)])
    return _used(mesh.points[kept], np.unique(triangles, axis=0), mesh)


def _turned(triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """The triangles, each beginning with its smallest corner: the same ones are equal, and keep their side."""
    first = triangles.argmin(axis=1) if len(triangles) else np.zeros(0, np.int64)
    return np.take_along_axis(triangles, (first[:, None] + np.arange(3)) % 3, axis=1)


def _used(points: NDArray[np.float32], triangles: NDArray[np.int64], mesh: Mesh) -> Mesh:
    """The triangles with the points that they use, in the colour of `mesh`."""
    used, renumbered = np.unique(triangles, return_inverse=True)
    return Mesh(points[used], renumbered.reshape(-1, 3).astype(np.uint32), mesh.colour)
