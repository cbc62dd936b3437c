"""The MuJoCo world in the benchmark's clothes: its images show the scene's furniture meshes, by OpenGL.

Only images change. What can be walked, seen and reached still goes by the boxes, so an image and the visible set may
disagree at edges. Meshes of many triangles are drawn coarser (decimate.py). A piece without a model, or with one that
MuJoCo does not take, keeps its box.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.episode import Episode, Receptacle
from apps.housekeep.simulator.appearance import furniture_look
from apps.housekeep.simulator.camera import Raster
from apps.housekeep.simulator.decimate import decimated
from apps.housekeep.simulator.glb import Mesh
from apps.housekeep.simulator.mujoco_model import build
from apps.housekeep.simulator.opengl import OpenGLView
from apps.housekeep.simulator.protocol import Frame
from apps.housekeep.simulator.scene import Scene
from apps.housekeep.simulator.scene_files import SceneFiles
from apps.housekeep.simulator.wavefront import GREY, read_obj
from lmgt_core.errors import UserError

FIELDS = ("geom_type", "geom_size", "geom_pos", "geom_rgba")  # what an episode changes of a geom
MESHES_KEPT = 512  # files, of at most some 60 kB each


class DressedView:
    """Renders `scene` with the meshes that `layout` has for the furniture of `episode`."""

    def __init__(self, scene: Scene, episode: Episode, layout: SceneFiles, raster: Raster) -> None:
        worn = {k: meshes for k, r in enumerate(episode.receptacles) if (meshes := clothes(layout, episode.scene, r))}
        self.worn = frozenset(worn)
        self._plain = scene.built
        self._dressed = build(scene.apartment, self._plain.pool, worn)
        self._pairs = self._shared_geoms(scene, {k: len(meshes) for k, meshes in worn.items()})
        self._view = OpenGLView(self._dressed, raster)

    def _shared_geoms(self, scene: Scene, worn: dict[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(geoms of the plain model, the same ones in the dressed model): furniture in its boxes, and objects."""
        plain, dressed, at = [], [], scene.first_part
        done = set()
        for g, (k, _) in enumerate(scene.parts, scene.first_part):
            if k in worn:
                at += worn[k] if k not in done else 0
                done.add(k)
                continue
            plain.append(g)
            dressed.append(at)
            at += 1
        plain += range(self._plain.first_item, self._plain.first_item + self._plain.pool)
        dressed += range(self._dressed.first_item, self._dressed.first_item + self._dressed.pool)
        return np.array(plain, np.intp), np.array(dressed, np.intp)

    def image(self, eye: NDArray[np.float64], axes: NDArray[np.float64]) -> Frame:
        """The frame seen from `eye`, everything where the plain model has it now."""
        plain, dressed = self._pairs
        for field in FIELDS:
            getattr(self._dressed.model, field)[dressed] = getattr(self._plain.model, field)[plain]
        return self._view.image(eye, axes)

    def close(self) -> None:
        self._view.close()


def clothes(layout: SceneFiles, scene: str, receptacle: Receptacle) -> list[Mesh]:
    """The receptacle's meshes where they stand in the home; [] when there are none, or MuJoCo refuses one."""
    model = layout.furniture(scene, receptacle)
    if model is None or model.mesh.suffix != ".obj":
        return []
    try:
        meshes = placed(drawable(model.mesh), receptacle, furniture_look(receptacle.category)[0])
    except UserError:
        return []
    return meshes if all(map(compiles, meshes)) else []


@lru_cache(maxsize=MESHES_KEPT)
def drawable(path: Path) -> tuple[Mesh, ...]:
    """The file's meshes, coarse enough to be drawn; kept, because homes come back and large files take a second."""
    return tuple(decimated(read_obj(path)))


def placed(meshes: Sequence[Mesh], receptacle: Receptacle, colour: tuple[float, float, float]) -> list[Mesh]:
    """The meshes turned and moved as the episode says: a position is that of the middle of a model's box.

    `colour` stands in for materials without one.
    """
    points = np.concatenate([mesh.points for mesh in meshes])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    x, y, z, w = np.array(receptacle.rotation) / np.linalg.norm(receptacle.rotation)
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, np.array([w, x, y, z]))
    return [
        Mesh(
            ((mesh.points - middle) @ turn.reshape(3, 3).T + receptacle.position).astype(np.float32),
            mesh.triangles,
            colour if mesh.colour == GREY else mesh.colour,
        )
        for mesh in meshes
    ]


def compiles(mesh: Mesh) -> bool:
    """Whether MuJoCo takes the mesh: it refuses some that are flat or tiny."""
    spec = mujoco.MjSpec()
    spec.add_mesh(
        name="mesh",
        uservert=mesh.points.ravel().tolist(),
        userface=mesh.triangles.ravel().tolist(),
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="mesh", contype=0, conaffinity=0)
    try:
        spec.compile()
    except ValueError:
        return False
    return True
