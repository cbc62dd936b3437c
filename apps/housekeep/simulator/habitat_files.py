"""What habitat-sim is told to load for an episode: models where they are, labelled boxes and shells where they are not.

This runs in the parent, with the whole project at hand; the worker only follows the list. Generated files lie in a
temporary folder: a box is a unit cube of its category's colour, scaled; a shell has the floor, ceiling, walls and
doorways that apartment.py infers from the episode.
"""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.apartment import Apartment, shape_key
from apps.housekeep.simulator.appearance import CEILING, FLOOR, WALL, Colour, furniture_look, item_look
from apps.housekeep.simulator.doorways import DOOR_HEIGHT_METRES
from apps.housekeep.simulator.fitting import fit
from apps.housekeep.simulator.geometry import Rect
from apps.housekeep.simulator.glb import Mesh, boxes, glb
from apps.housekeep.simulator.protocol import CAMERA_METRES
from apps.housekeep.simulator.scene import shape_of
from apps.housekeep.simulator.scene_files import CONFIG, Model, SceneFiles

SLAB_METRES = 0.1  # thickness of a generated floor and ceiling
# Which way is up, and colours as they are: whether a scene has lights differs between versions of habitat-sim.
GENERATED = {
    "up": [0.0, 1.0, 0.0],
    "front": [0.0, 0.0, -1.0],
    "requires_lighting": False,
    "force_flat_shading": True,
}


class HabitatFiles:
    """`files(episode)` gives the list for one episode as JSON values; `root` None: everything is generated."""

    def __init__(self, root: Path | None) -> None:
        self.layout = None if root is None else SceneFiles(root.absolute())
        self._scratch = tempfile.TemporaryDirectory(prefix="lmgt-habitat-")
        self.scratch = Path(self._scratch.name)

    def __call__(self, episode: Episode) -> dict[str, Any]:
        layout = self.layout
        if layout is not None:
            layout.require(episode, shell_suffices=True)
        apartment, _ = shape_of(shape_key(episode), episode)
        at = np.array([item.position for item in episode.items], float).reshape(-1, 3)
        on = [int(k) for k in episode.start_receptacle]
        bottoms, tops, halves = fit(apartment, at, on, episode.start_position[1] + CAMERA_METRES)
        stage = layout.stage(episode.scene) if layout else None
        navmesh, physics = (layout.navmesh(episode), layout.physics) if layout else (None, None)
        return {
            "stage": str(stage or self._shell(apartment)),
            "walls_known": stage is None,  # they are those of the apartment
            "navmesh": None if navmesh is None else str(navmesh),
            "physics": None if physics is None else str(physics),
            "receptacles": [
                self._receptacle(episode, apartment, k, float(bottoms[k]), float(tops[k]))
                for k in range(len(episode.receptacles))
            ],
            "items": [self._item(episode, n, float(half)) for n, half in enumerate(halves)],
        }

    def _receptacle(self, episode: Episode, apartment: Apartment, k: int, bottom: float, top: float) -> dict[str, Any]:
        receptacle, furniture = episode.receptacles[k], apartment.furniture[k]
        rect = furniture.rect
        told = {
            "footprint": _corners(rect),
            "surface": _corners(furniture.surface),
            "bottom": bottom,
            "top": top,
            "height": bottom if furniture.flat else top,  # of what is put there
            "obstacle": furniture.obstacle,
        }
        model = self.layout.furniture(episode.scene, receptacle) if self.layout else None
        if model is not None:
            pose = {"position": list(receptacle.position), "rotation": list(receptacle.rotation)}
            config = self._config(model)
            return {**told, **pose, "config": config, "scale": model.scale, "measured": True, "solid": None}
        config = self._box(furniture_look(receptacle.category)[0])
        # What is walked around is the box as it is, not as it is drawn for an episode's objects.
        solid = _placed(config, rect, furniture.bottom, furniture.top) if furniture.obstacle else None
        return {**told, **_placed(config, rect, bottom, top), "measured": False, "solid": solid}

    def _item(self, episode: Episode, n: int, half_height: float) -> dict[str, Any]:
        item = episode.items[n]
        model = self.layout.item(item) if self.layout else None
        if model is not None:
            pose = {"position": list(item.position), "rotation": list(item.rotation)}
            return {**pose, "config": self._config(model), "scale": model.scale, "half": None}
        look = item_look(item.category, half_height)
        return {
            "position": list(item.position),
            "rotation": [0.0, 0.0, 0.0, 1.0],
            "config": self._box(look.colour),
            "scale": [2 * h for h in look.half],
            "half": list(look.half),
        }

    def _config(self, model: Model) -> str:
        """The model's own configuration, or one that names its mesh."""
        if model.path.name.endswith(CONFIG):
            return str(model.path)
        name = hashlib.sha256(str(model.mesh).encode()).hexdigest()[:16]
        return self._written(f"{name}{CONFIG}", json.dumps({"render_asset": str(model.mesh)}).encode())

    def _box(self, colour: Colour) -> str:
        """The configuration of a unit cube of this colour."""
        name = "box-" + "-".join(f"{round(255 * c):02x}" for c in colour)
        mesh = self._written(f"{name}.glb", glb([boxes([(0, 0, 0)], [(0.5, 0.5, 0.5)], colour)]))
        config = {"render_asset": mesh, "collision_asset": mesh, "margin": 0.0, **GENERATED}
        return self._written(f"{name}{CONFIG}", json.dumps(config).encode())

    def _shell(self, apartment: Apartment) -> str:
        """The generated stage, and beside it what says which way is up: without it habitat-sim tips it over."""
        content = glb(shell(apartment))
        name = "shell-" + hashlib.sha256(content).hexdigest()[:16]
        self._written(f"{name}.stage_config.json", stage_config(f"{name}.glb"))
        return self._written(f"{name}.glb", content)

    def _written(self, name: str, content: bytes) -> str:
        path = self.scratch / name
        if not path.exists():
            path.write_bytes(content)
        return str(path)


def stage_config(mesh: str) -> bytes:
    """The content of a .stage_config.json for a mesh whose y axis points up."""
    return json.dumps({"render_asset": mesh, "collision_asset": mesh, **GENERATED}).encode()


def shell(apartment: Apartment) -> list[Mesh]:
    """Floor, ceiling and walls of an apartment, each with its colour."""
    ceiling = apartment.ceiling
    walls = [(w.rect, 0.0, ceiling) for w in apartment.walls]
    walls += [(d.rect, DOOR_HEIGHT_METRES, ceiling) for d in apartment.doorways]
    parts = [
        ([(apartment.bounds, -SLAB_METRES, 0.0)], FLOOR),
        ([(apartment.bounds, ceiling, ceiling + SLAB_METRES)], CEILING),
        (walls, WALL),
    ]
    return [_slabs(slabs, colour) for slabs, colour in parts if slabs]


def _slabs(slabs: list[tuple[Rect, float, float]], colour: Colour) -> Mesh:
    centres = [(rect.centre[0], (low + high) / 2, rect.centre[1]) for rect, low, high in slabs]
    halves = [(rect.size[0] / 2, (high - low) / 2, rect.size[1] / 2) for rect, low, high in slabs]
    return boxes(centres, halves, colour)


def _placed(config: str, rect: Rect, bottom: float, top: float) -> dict[str, Any]:
    """A unit cube's configuration, pose and scale as the box over `rect`."""
    (x, z), (width, depth) = rect.centre, rect.size
    return {
        "config": config,
        "position": [x, (bottom + top) / 2, z],
        "rotation": [0.0, 0.0, 0.0, 1.0],
        "scale": [width, max(top - bottom, 0.01), depth],
    }


def _corners(rect: Rect) -> list[float]:
    return [rect.x0, rect.z0, rect.x1, rect.z1]
