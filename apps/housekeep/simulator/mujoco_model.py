"""The apartment as a MuJoCo model, in the episode's own axes (y up).

One model serves every episode of an apartment: objects are a pool of geoms that change type, size and place, and
furniture changes its height where an episode's objects ask for it. Nothing is simulated but rays, so there are no
contacts, joints or gravity; y may be up. All geoms belong to the world body: with 24 bodies more a ray took twice as
long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.apartment import Apartment
from apps.housekeep.simulator.appearance import (
    CEILING,
    FLOOR,
    WALL,
    Colour,
    ItemLook,
    Part,
    Pattern,
    furniture_look,
    furniture_parts,
    rgb,
)
from apps.housekeep.simulator.doorways import DOOR_HEIGHT_METRES
from apps.housekeep.simulator.geometry import Rect
from apps.housekeep.simulator.glb import Mesh

POOL = 24  # objects a model has geoms for, at least
AWAY = (0.0, -100.0, 0.0)  # where unused and held objects are
UPRIGHT = (0.5**0.5, -(0.5**0.5), 0.0, 0.0)  # w, x, y, z: a geom's own z axis points up
TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}


@dataclass
class ApartmentModel:
    """A compiled model and what its geoms mean."""

    model: mujoco.MjModel
    data: mujoco.MjData
    colours: NDArray[np.float32]  # [geom + 1, 3]; the last row is for rays that hit nothing
    patterns: NDArray[np.int8]  # [geom + 1]
    instances: NDArray[np.int32]  # [geom + 1] 0 background, 1 + k receptacle k, 1 + K + n object n
    wall_of: NDArray[np.int32]  # [geom] index of the apartment's wall, -1 for other geoms
    first_item: int  # geom of object 0
    pool: int


def _size(primitive: str, half: Sequence[float]) -> tuple[float, float, float]:
    """MuJoCo's size of an upright primitive with half extents (x, y up, z)."""
    x, y, z = half
    return (min(x, z), y, 0.0) if primitive == "cylinder" else (x, z, y)


class _Builder:
    """Collects geoms with what they mean."""

    def __init__(self) -> None:
        self.spec = mujoco.MjSpec()
        self.colours: list[Colour] = []
        self.patterns: list[Pattern] = []
        self.instances: list[int] = []
        self.wall_of: list[int] = []

    def add(
        self,
        primitive: str,
        centre: Sequence[float],
        half: Sequence[float],
        look: tuple[Colour, Pattern],
        instance: int = 0,
        wall: int = -1,
    ) -> None:
        colour, pattern = look
        self.spec.worldbody.add_geom(
            type=TYPES[primitive],
            pos=centre,
            quat=UPRIGHT,
            size=[
                max(s, 1e-3) if i < 2 or primitive != "cylinder" else 0 for i, s in enumerate(_size(primitive, half))
            ],
            rgba=[*colour, 1.0],
            contype=0,
            conaffinity=0,
        )
        self.colours.append(colour)
        self.patterns.append(pattern)
        self.instances.append(instance)
        self.wall_of.append(wall)

    def add_mesh(self, mesh: Mesh, pattern: Pattern, instance: int) -> None:
        """A mesh that is only looked at, so a shell's inertia does for any shape."""
        name = f"mesh{len(self.colours)}"
        self.spec.add_mesh(
            name=name,
            uservert=mesh.points.ravel().tolist(),
            userface=mesh.triangles.ravel().tolist(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
        self.spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, rgba=[*mesh.colour, 1.0], contype=0, conaffinity=0
        )
        self.colours.append(mesh.colour)
        self.patterns.append(pattern)
        self.instances.append(instance)
        self.wall_of.append(-1)

    def slab(self, rect: Rect, low: float, high: float, look: tuple[Colour, Pattern], wall: int = -1) -> None:
        """A box of the background over `rect` from `low` to `high`."""
        (x, z), (width, depth) = rect.centre, rect.size
        self.add("box", (x, (low + high) / 2, z), (width / 2, (high - low) / 2, depth / 2), look, 0, wall)


def build(apartment: Apartment, items: int, worn: Mapping[int, Sequence[Mesh]] | None = None) -> ApartmentModel:
    """The model of `apartment` with geoms for at least `items` objects.

    `worn` gives receptacles meshes (in the apartment's own axes) in place of their boxes.
    """
    builder, pool = _Builder(), max(POOL, items)
    builder.slab(apartment.bounds, -0.1, 0.0, (FLOOR, Pattern.TILES))
    builder.slab(apartment.bounds, apartment.ceiling, apartment.ceiling + 0.1, (CEILING, Pattern.PLAIN))
    for i, wall in enumerate(apartment.walls):
        builder.slab(wall.rect, 0.0, apartment.ceiling, (WALL, Pattern.PLAIN), i)
    for door in apartment.doorways:
        builder.slab(door.rect, DOOR_HEIGHT_METRES, apartment.ceiling, (WALL, Pattern.PLAIN))
    for k, furniture in enumerate(apartment.furniture):
        look = furniture_look(furniture.category)
        if worn is not None and k in worn:
            for mesh in worn[k]:
                builder.add_mesh(mesh, look[1], 1 + k)
            continue
        for part in furniture_parts(furniture):
            centre, half = part_box(part, furniture.rect, furniture.bottom, furniture.top)
            builder.add(part[0], centre, half, look, 1 + k)
    first_item = len(builder.colours)
    black = ((0.0, 0.0, 0.0), Pattern.PLAIN)
    for n in range(pool):
        builder.add("box", AWAY, (0.3, 0.3, 0.3), black, 1 + len(apartment.furniture) + n)
    builder.spec.worldbody.add_camera(name="eye", fovy=90)
    model = builder.spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    return ApartmentModel(
        model,
        data,
        rgb([*builder.colours, (0.0, 0.0, 0.0)]),
        np.array([*builder.patterns, Pattern.PLAIN], np.int8),
        np.array([*builder.instances, 0], np.int32),
        np.array(builder.wall_of, np.int32),
        first_item,
        pool,
    )


def part_box(
    part: Part, rect: Rect, bottom: float, top: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """(centre, half extents) in metres of a part of the box over `rect` from `bottom` to `top`."""
    _, x0, y0, z0, x1, y1, z1 = part
    width, depth = rect.size
    height = top - bottom
    centre = (rect.x0 + width * (x0 + x1) / 2, bottom + height * (y0 + y1) / 2, rect.z0 + depth * (z0 + z1) / 2)
    return centre, (width * (x1 - x0) / 2, height * (y1 - y0) / 2, depth * (z1 - z0) / 2)


def set_shape(built: ApartmentModel, geom: int, primitive: str, half: Sequence[float]) -> None:
    """Gives a geom a new shape, with the bounds by which rays find it."""
    model = built.model
    size = np.maximum(_size(primitive, half), (1e-3, 1e-3, 0.0))
    extent = np.array([size[0], size[0], size[1]]) if primitive == "cylinder" else size
    model.geom_type[geom] = TYPES[primitive]
    model.geom_size[geom] = size
    model.geom_aabb[geom] = [0, 0, 0, *extent]
    model.geom_rbound[geom] = float(np.linalg.norm(extent)) if primitive != "ellipsoid" else float(extent.max())


def set_item(built: ApartmentModel, n: int, look: ItemLook) -> None:
    """Gives object `n` its look."""
    geom = built.first_item + n
    set_shape(built, geom, look.primitive, look.half)
    built.colours[geom] = look.colour
    built.model.geom_rgba[geom, :3] = look.colour


def move_items(built: ApartmentModel, at: NDArray[np.float64]) -> None:
    """Puts the objects at `at` [object, 3] and the rest of the pool away."""
    built.model.geom_pos[built.first_item :] = AWAY
    built.model.geom_pos[built.first_item : built.first_item + len(at)] = at
    mujoco.mj_kinematics(built.model, built.data)
