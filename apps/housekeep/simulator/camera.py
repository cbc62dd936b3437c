"""The agent's camera: where rays go, and how what they hit is coloured."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

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
        down, along = (2 * np.arange(height) + 1) / height, (2 * np.arange(width) + 1) / width  # of each pixel's middle
        v, u = np.meshgrid(TAN * (1 - down), TAN * (along - 1), indexing="ij")
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

    def in_tiles(
        self, centre: NDArray[np.float64], half: NDArray[np.float64], axes: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """[tile row, tile column, box] whether a box (centre from the eye, half extents: [box, 3]) may meet the
        tile."""
        low, high = extents(centre, half, planes(axes, self.edges_u, self.edges_v))
        columns = len(self.edges_u)
        across = (high[:, : columns - 1] > 0) & (low[:, 1:columns] < 0)  # right of its left edge, left of its right one
        down = (low[:, columns:-2] < 0) & (high[:, columns + 1 : -1] > 0)
        ahead = high[:, -1:] > 0
        return (down.T[:, None, :] & (across & ahead).T[None, :, :]).astype(bool)


def planes(
    axes: NDArray[np.float64], edges_u: NDArray[np.float64], edges_v: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[plane, 3] normals: of the planes through the eye and each vertical edge (pointing right), each horizontal edge
    (pointing up), and of the plane across the view (pointing ahead)."""
    right, up, ahead = axes
    return np.concatenate([right - edges_u[:, None] * ahead, up - edges_v[:, None] * ahead, ahead[None]])


def extents(
    centre: NDArray[np.float64], half: NDArray[np.float64], normals: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(lowest, highest) signed distances [box, plane] of axis-aligned boxes from planes through the origin."""
    middle, reach = centre @ normals.T, half @ np.abs(normals).T
    return middle - reach, middle + reach


@dataclass
class Materials:
    """What geoms look like: [geom + 1, ...], the last row for rays that hit nothing."""

    colours: NDArray[np.float32]  # [geom + 1, 3] in [0, 255]
    patterns: NDArray[np.int8]
    centre: NDArray[np.float32]  # [geom + 1, 3] of the box in which the pattern is painted
    half: NDArray[np.float32]


def shade(
    materials: Materials,
    geom: NDArray[np.int32],
    eye: NDArray[np.float32],
    rays: NDArray[np.float32],
    normals: NDArray[np.float32],
    distance: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """[ray, 3] colours: a lamp, a headlight, fog, and the painted patterns.

    `rays` and `normals` are unit vectors [ray, 3], `distance` is in metres, 0 for no hit.
    """
    facing = np.abs(np.einsum("ij,ij->i", normals, rays))
    brightness = np.maximum(normals @ (LAMP * LIGHT), 0)
    brightness += AMBIENT
    brightness += HEADLIGHT * facing
    brightness /= 1 + distance / FOG_METRES
    brightness[distance <= 0] = 0
    _paint(brightness, materials, geom, eye, rays, normals, distance)
    colours: NDArray[np.uint8] = (materials.colours[geom] * brightness[:, None]).astype(np.uint8)
    return colours


def _paint(
    brightness: NDArray[np.float32],
    materials: Materials,
    geom: NDArray[np.int32],
    eye: NDArray[np.float32],
    rays: NDArray[np.float32],
    normals: NDArray[np.float32],
    distance: NDArray[np.float32],
) -> None:
    """Darkens what the painted patterns cover."""
    pattern = materials.patterns[geom]
    tiles = np.flatnonzero(pattern == Pattern.TILES)
    reach = 2 * distance[tiles]
    squares = np.floor(rays[tiles, 0] * reach + 2 * eye[0]) + np.floor(rays[tiles, 2] * reach + 2 * eye[2])
    brightness[tiles] *= np.where(squares % 2 == 0, np.float32(1), np.float32(0.92))
    upright = np.abs(normals[:, 1]) < 0.5
    at = np.flatnonzero((pattern > Pattern.TILES) & (upright | (pattern == Pattern.STRIPES)))
    if not len(at):
        return
    own = geom[at]
    here = (rays[at] * distance[at, None] + (eye - materials.centre[own])) / materials.half[own]  # in the box: [-1, 1]
    brightness[at] *= _covered(pattern[at], here, np.abs(normals[at, 2]) > 0.5)


def _covered(kind: NDArray[np.int8], here: NDArray[np.float32], along_x: NDArray[np.bool_]) -> NDArray[np.float32]:
    """[point] brightness factor of each pattern at points of its box."""
    u, v = np.where(along_x, here[:, 0], here[:, 2]), here[:, 1]
    edge = np.maximum(np.abs(u), np.abs(v))
    out = np.ones(len(kind), np.float32)
    present = set(np.unique(kind).tolist())
    if Pattern.BOARDS in present:
        out[(kind == Pattern.BOARDS) & (np.abs(u) < 0.9) & ((v * 2) % 1 > 0.18)] = 0.45
    if Pattern.DRAWERS in present:
        gap = (np.abs(np.abs(v) - 0.33) < 0.035) | (edge > 0.93)
        knob = (np.abs(u) < 0.07) & (np.abs((v * 1.5 + 0.5) % 1 - 0.5) < 0.08)
        out[(kind == Pattern.DRAWERS) & (gap | knob)] = 0.55
    if Pattern.BARS in present:
        out[(kind == Pattern.BARS) & ((np.abs(u) < 0.05) | (np.abs(v) < 0.05) | (edge > 0.9))] = 0.6
    if Pattern.FRAME in present:
        out[(kind == Pattern.FRAME) & (edge > 0.85)] = 0.55
    if Pattern.ROUND in present:
        out[(kind == Pattern.ROUND) & (u * u + v * v < 0.36)] = 0.4
    if Pattern.STRIPES in present:
        out[(kind == Pattern.STRIPES) & (np.floor(8 * (here[:, 0] + here[:, 2])) % 2 == 0)] = 0.85
    return out
