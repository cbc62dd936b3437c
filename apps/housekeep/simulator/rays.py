"""Looking at a scene with rays: what is in view, the image, what is under the crosshair.

Rays are tested against few geoms: those that walls leave in sight of where the agent stands, and of them those in the
pyramid of the image (or of one tile of it). The others are moved to a geom group that rays ignore.
"""

from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.camera import TAN, Materials, Raster, extents, planes, shade
from apps.housekeep.simulator.mujoco_model import AWAY, move_items
from apps.housekeep.simulator.protocol import Frame
from apps.housekeep.simulator.scene import Scene

VISIBLE_METRES = 10.0
SHOWN, IGNORED = 0, 5  # geom groups
GROUPS = np.array([1, 0, 0, 0, 0, 0], np.uint8)
EDGE_U, EDGE_V = np.array([-TAN, TAN]), np.array([TAN, -TAN])
# Points of an object at which rays aim, in half extents: inside it, so that a ray there meets it or what hides it.
ITEM_POINTS = np.array(
    [
        (0, 0, 0),
        (0.7, 0, 0),
        (-0.7, 0, 0),
        (0, 0.85, 0),
        (0, -0.8, 0),
        (0, 0, 0.7),
        (0, 0, -0.7),
        (0.5, 0.5, 0),
        (-0.5, 0.5, 0),
    ]
)


class Aims(NamedTuple):
    """What is near enough and turned towards an eye: rays from there [ray, 3], and the same of length 1."""

    rays: NDArray[np.float64]
    directions: NDArray[np.float64]


class Rays:
    """Rays into `scene`; `items` says where the objects are, and must be called again when they have moved."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._built = scene, scene.built
        self._group = self._built.model.geom_group
        geoms = self._built.model.ngeom
        ones = np.ones((geoms + 1, 3), np.float32)
        self._aims_key: tuple[float, float, float, bytes] | None = None
        self._materials = Materials(255 * self._built.colours, self._built.patterns, ones.copy(), ones)

    def items(self, at: NDArray[np.float64], half: NDArray[np.float64]) -> None:
        """Places the objects: centres and half extents, [object, 3]; one that is AWAY is seen by no ray."""
        built, scene = self._built, self._scene
        move_items(built, at)
        self._item_geoms = np.arange(built.first_item, built.first_item + len(at))
        scene.centre[built.first_item :] = AWAY
        scene.centre[self._item_geoms], scene.half[self._item_geoms] = at, half
        self._item_points = (at[:, None, :] + ITEM_POINTS * half[:, None, :]).reshape(-1, 3)
        self._aims_key = None
        materials = self._materials
        materials.centre[:-1], materials.half[:-1] = scene.centre, scene.half
        materials.colours = 255 * built.colours

    def _cast(
        self, eye: NDArray[np.float64], rays: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """(geom, distance, normal) that each ray [ray, 3] meets among the shown geoms; geom and distance -1: none."""
        count = len(rays)
        geom, distance, normal = np.empty(count, np.int32), np.empty(count), np.empty(3 * count)
        self._cast_into(eye, np.ascontiguousarray(rays).reshape(-1), geom, distance, normal)
        return geom, distance, normal.reshape(-1, 3)

    def _cast_into(
        self,
        eye: NDArray[np.float64],
        rays: NDArray[np.float64],
        geom: NDArray[np.int32],
        distance: NDArray[np.float64],
        normal: NDArray[np.float64] | None,
    ) -> None:
        mujoco.mj_multiRay(
            self._built.model, self._built.data, eye, rays, GROUPS, True, -1, geom, distance, normal, len(geom), 1e10
        )

    def _show(self, geoms: NDArray[np.intp]) -> None:
        self._group.fill(IGNORED)
        self._group[geoms] = SHOWN

    def _candidates(self, x: float, z: float) -> NDArray[np.intp]:
        return np.concatenate([self._scene.sight.view(x, z).geoms, self._item_geoms])

    def visible(
        self, eye: NDArray[np.float64], axes: NDArray[np.float64], among: NDArray[np.bool_] | None = None
    ) -> frozenset[int]:
        """Instances whose sample points are in the image's field, near enough, and not hidden.

        With `among` [instance] only those that it marks are asked about, which takes fewer rays.
        """
        aims = self._aims_from(eye, among)
        right, up, ahead = axes @ aims.rays.T
        reach = TAN * ahead
        inside = np.flatnonzero((np.abs(right) <= reach) & (np.abs(up) <= reach) & (ahead > 0.01))
        if not len(inside):
            return frozenset()
        rays = aims.directions[inside]
        self._show_in_pyramid(eye, axes)
        geom = np.empty(len(rays), np.int32)
        distance = np.empty(len(rays))
        self._cast_into(eye, rays.reshape(-1), geom, distance, None)
        seen = self._built.instances[geom[distance < VISIBLE_METRES]]
        if among is not None:
            seen = seen[among[seen]]
        return frozenset(seen.tolist()) - {0}

    def _aims_from(self, eye: NDArray[np.float64], among: NDArray[np.bool_] | None) -> Aims:
        """Where to look from `eye`; the last one is kept, for an agent that turns in its place."""
        x, y, z = eye.tolist()
        key = (x, y, z, b"" if among is None else among.tobytes())
        if key != self._aims_key:
            self._aims_key, self._aims = key, self._aims_at(eye, among)
        return self._aims

    def _aims_at(self, eye: NDArray[np.float64], among: NDArray[np.bool_] | None) -> Aims:
        samples = self._scene.samples
        points, items = self._scene.sight.view(eye[0], eye[2]).points, self._item_points
        if among is not None:
            first = len(among) - len(self._item_geoms)
            points = points[among[1 + samples.owner[points]]]
            items = items.reshape(-1, len(ITEM_POINTS), 3)[among[first:]].reshape(-1, 3)
        rays = np.concatenate([samples.at[points], items]) - eye
        length = np.sqrt(np.einsum("ij,ij->i", rays, rays))
        keep = length < VISIBLE_METRES
        keep[: len(points)] &= np.einsum("ij,ij->i", rays[: len(points)], samples.normal[points]) <= 0
        rays = rays[keep]
        return Aims(rays, rays / length[keep, None])

    def _show_in_pyramid(self, eye: NDArray[np.float64], axes: NDArray[np.float64]) -> None:
        scene, candidates = self._scene, self._candidates(eye[0], eye[2])
        low, high = extents(scene.centre[candidates] - eye, scene.half[candidates], planes(axes, EDGE_U, EDGE_V))
        meets = (high[:, 0] > 0) & (low[:, 1] < 0) & (low[:, 2] < 0) & (high[:, 3] > 0) & (high[:, 4] > 0)
        self._show(candidates[meets])

    def centre(self, eye: NDArray[np.float64], axes: NDArray[np.float64]) -> tuple[int, float, NDArray[np.float64]]:
        """(instance, distance, point) under the image's centre; instance 0 and distance 0.0 when the ray meets
        nothing."""
        self._show(self._candidates(eye[0], eye[2]))
        geom, distance, _ = self._cast(eye, axes[2:3])
        if geom[0] < 0:
            return 0, 0.0, eye
        return int(self._built.instances[geom[0]]), float(distance[0]), eye + axes[2] * distance[0]

    def image(self, eye: NDArray[np.float64], axes: NDArray[np.float64], raster: Raster) -> Frame:
        """The frame seen from `eye`."""
        rays = raster.rays @ axes
        flat = rays.reshape(-1)
        geom, distance, normal = np.empty(len(rays), np.int32), np.empty(len(rays)), np.empty(3 * len(rays))
        scene, candidates = self._scene, self._candidates(eye[0], eye[2])
        tiles = raster.in_tiles(scene.centre[candidates] - eye, scene.half[candidates], axes)
        for row, column, first, end in raster.tiles():
            self._show(candidates[tiles[row, column]])
            part = slice(first, end), slice(3 * first, 3 * end)
            self._cast_into(eye, flat[part[1]], geom[part[0]], distance[part[0]], normal[part[1]])
        near = np.maximum(distance, 0).astype(np.float32)
        normals = normal.reshape(-1, 3).astype(np.float32)
        colours = shade(self._materials, geom, eye.astype(np.float32), rays.astype(np.float32), normals, near)
        shape = (raster.height, raster.width)
        return Frame(
            colours[raster.place].reshape(*shape, 3),
            self._built.instances[geom][raster.place].reshape(shape),
            near[raster.place].reshape(shape),
        )
