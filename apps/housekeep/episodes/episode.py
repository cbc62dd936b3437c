"""One Housekeep episode: an apartment's receptacles, the objects on them, and where the objects belong."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Receptacle:
    """A piece of furniture. Positions in metres, Habitat axes (y up; ground plane x, z)."""

    key: str  # kitchen_0-bottom_cabinet_no_top_15_0.urdf
    category: str  # bottom_cabinet_no_top
    room_id: str  # kitchen_0; "" for doors, windows and what else has no room
    position: tuple[float, float, float]  # centre; y is half its height above the floor (or its centre, on a wall)
    rotation: tuple[float, float, float, float]  # quaternion x, y, z, w
    nav_position: tuple[float, float, float]  # a standing place from which it is reachable
    footprint: tuple[float, float, float, float]  # x_min, z_min, dx, dz of its axis-aligned box in the ground plane

    @property
    def room(self) -> str:
        """The kind of room (`kitchen` of `kitchen_0`), "" when it has none."""
        return self.room_id.rsplit("_", 1)[0]

    @property
    def place(self) -> str:
        """`room|receptacle`, the name under which people voted."""
        return f"{self.room}|{self.category}"


@dataclass(frozen=True)
class Item:
    """An object that can be carried."""

    key: str  # toaster_1
    category: str  # toaster
    position: tuple[float, float, float]
    rotation: tuple[float, float, float, float]
    file: str  # path of its 3D model


@dataclass(frozen=True, eq=False)
class Episode:
    """Start pose, furniture, objects; `start` and `end` are bool [receptacle, object]."""

    episode_id: int
    scene: str  # Pomaria_2_int
    source: str  # the file it was read from, for messages
    start_position: tuple[float, float, float]
    start_rotation: tuple[float, float, float, float]
    receptacles: tuple[Receptacle, ...]
    items: tuple[Item, ...]
    start: NDArray[np.bool_]  # object n is on receptacle k at the start
    end: NDArray[np.bool_]  # receptacle k is a correct place for object n
    oracle_steps: int | None = None

    @cached_property
    def start_receptacle(self) -> NDArray[np.int64]:
        """[object] index of the receptacle that each object is on at the start."""
        return self.start.argmax(axis=0)

    @cached_property
    def misplaced(self) -> NDArray[np.bool_]:
        """[object] whether it is on a wrong receptacle at the start."""
        return ~self.end[self.start_receptacle, np.arange(len(self.items))]
