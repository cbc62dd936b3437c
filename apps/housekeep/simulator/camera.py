"""The agent's camera: where rays go, and how what they hit is coloured."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.appearance import Pattern
from apps.housekeep.simulator.protocol import FIELD_OF_VIEW_DEGREES

TAN = math.tan(math.radians(FIELD_OF_VIEW_DEGREES / 2))
LIGHT = np.array([0.35, 0.87, 0.35], np.float32)  # direction towards the lamp
AMBIENT, LAMP, HEADLIGHT = 0.42, 0.33, 0.25
FOG_METRES = 18.0  # what is this far away is half as bright


def axes(yaw: float, tilt: float) -> NDArray[np.float64]:
    """[3, 3] rows: right, up, forward of a camera at `yaw` (radians, positive left of -z) and `tilt` (degrees, up)."""
    sin_yaw, cos_yaw = math.sin(yaw), math.cos(yaw)
    sin_tilt, cos_tilt = math.sin(math.radians(tilt)), math.cos(math.radians(tilt))
    ahead = (-sin_yaw, 0.0, -cos_yaw)
    return np.array(
        [
            (cos_yaw, 0.0, -sin_yaw),
            (-sin_tilt * ahead[0], cos_tilt, -sin_tilt * ahead[2]),
            (cos_tilt * ahead[0], sin_tilt, cos_tilt * ahead[2]),
        ]
    )


class Raster:
    """The rays of an image of height x width pixels, in tiles so that each tile meets only what lies in its pyramid."""

    def __init__(self, height: int, width: int, tiles: int = 4) -> None:
        self.height, self.width = height, width
        v, u = np.meshgrid(
            TAN * (1 - (2 * np.arange(height) + 1) / height), TAN * ((2 * np.arange(width) + 1) / width - 1), indexing="ij"
        )
        rows = np.array_split(np.arange(height), min(tiles, height))
        columns = np.array_split(np.arange(width), min(tiles, width))
        self.edges_u = TAN * (2 * np.array([c[0] for c in columns] + [width]) / width - 1)  # left to right
        self.edges_v = TAN * (1 - 2 * np.array([r[0] for r in rows] + [height]) / height)  # top to bottom
        order = [(r[:, None] * width + c).ravel() for r in rows for c in columns]
        self.order = np.concatenate(order)  # [ray] pixel
        self.place = np.argsort(self.order)  # [pixel] ray
        self.bounds = np.cumsum([0, *(len(o) for o in order)])
        flat = np.stack([u.ravel(), v.ravel(), np.ones(height * width)], axis=1)[self.order]
        self.rays = flat / np.linalg.norm(flat, axis=1, keepdims=True)  # [ray, (right, up, forward)]

    def tiles(self) -> Iterator[tuple[int, int, int, int]]:
        """(row of tiles, column of tiles, first ray, end) of every tile."""
        columns = len(self.edges_u) - 1
        for i in range(len(self.bounds) - 1):
            yield i // columns, i % columns, int(self.bounds[i]), int(self.bounds[i + 1])

    def in_tiles(self, corners: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[tile row, tile column, box] whether a box with these corners [box, 8, (right, up, forward)] may meet the tile."""
        right, up, forward = corners[..., 0], corners[..., 1], corners[..., 2]
        beyond_u = [(right - e * forward) for e in self.edges_u]  # > 0: to the right of the plane through this edge
        beyond_v = [(up - e * forward) for e in self.edges_v]  # < 0: under it
        not_left = np.stack([(b > 0).any(axis=1) for b in beyond_u[:-1]])
        not_right = np.stack([(b < 0).any(axis=1) for b in beyond_u[1:]])
        not_above = np.stack([(b < 0).any(axis=1) for b in beyond_v[:-1]])
        not_below = np.stack([(b > 0).any(axis=1) for b in beyond_v[1:]])
        ahead = (forward > 0).any(axis=1)
        return (not_above & not_below)[:, None, :] & (not_left & not_right & ahead)[None, :, :]


def shade(
    base: NDArray[np.float32],
    pattern: NDArray[np.int8],
    points: NDArray[np.float32],
    local: NDArray[np.float32],
    normals: NDArray[np.float32],
    rays: NDArray[np.float32],
    distance: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """[ray, 3] colours: a lamp, a headlight, fog, and the painted patterns.

    `base` [ray, 3] material colours in [0, 1], `points` [ray, 3] where rays hit, `local` the same within the part's box
    ([-1, 1]), `normals` and `rays` unit vectors [ray, 3], `distance` metres, 0 for no hit.
    """
    facing = np.abs(np.einsum("ij,ij->i", normals, rays))
    lamp = np.maximum(normals @ LIGHT, 0)
    brightness = (AMBIENT + LAMP * lamp + HEADLIGHT * facing) * _paint(pattern, points, local, normals)
    brightness *= 1 / (1 + distance / FOG_METRES)
    brightness[distance <= 0] = 0
    return np.clip(base * brightness[:, None] * 255, 0, 255).astype(np.uint8)


def _paint(
    pattern: NDArray[np.int8], points: NDArray[np.float32], local: NDArray[np.float32], normals: NDArray[np.float32]
) -> NDArray[np.float32]:
    """[ray] brightness factor of the painted patterns."""
    factor = np.ones(len(pattern), np.float32)
    tiles = pattern == Pattern.TILES
    checks = np.floor(2 * points[tiles, 0]) + np.floor(2 * points[tiles, 2])
    factor[tiles] = np.where(checks % 2 == 0, 1.0, 0.92)
    at = np.flatnonzero((pattern > Pattern.TILES) & ((np.abs(normals[:, 1]) < 0.5) | (pattern == Pattern.STRIPES)))
    if not len(at):
        return factor
    kind, here, along_x = pattern[at], local[at], np.abs(normals[at, 2]) > 0.5
    u, v = np.where(along_x, here[:, 0], here[:, 2]), here[:, 1]
    edge = np.maximum(np.abs(u), np.abs(v))
    stripes = np.floor(8 * (here[:, 0] + here[:, 2]))
    painted = np.ones(len(at), np.float32)
    painted[(kind == Pattern.BOARDS) & (np.abs(u) < 0.9) & ((v * 2) % 1 > 0.18)] = 0.45
    drawer = (kind == Pattern.DRAWERS) & ((np.abs(np.abs(v) - 0.33) < 0.035) | (edge > 0.93))
    knob = (kind == Pattern.DRAWERS) & (np.abs(u) < 0.07) & (np.abs((v * 1.5 + 0.5) % 1 - 0.5) < 0.08)
    painted[drawer | knob] = 0.55
    painted[(kind == Pattern.BARS) & ((np.abs(u) < 0.05) | (np.abs(v) < 0.05) | (edge > 0.9))] = 0.6
    painted[(kind == Pattern.FRAME) & (edge > 0.85)] = 0.55
    painted[(kind == Pattern.ROUND) & (u * u + v * v < 0.36)] = 0.4
    painted[(kind == Pattern.STRIPES) & (stripes % 2 == 0)] = 0.85
    factor[at] = painted
    return factor
