"""One habitat-sim Simulator and what stands in it: stage, furniture, objects, navigation meshes.

Runs in the worker under Python 3.9. habitat_sim's interface as seen on a real build of main after 0.3.4 (headless,
Bullet, no CUDA). Traps: without an NVIDIA GPU the device must be -1, else the process exits; a STATIC object no longer
moves; a failed addition gives None; constructing a Simulator takes many seconds, reconfiguring it few.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import Any

os.environ.setdefault("MAGNUM_LOG", "quiet")
os.environ.setdefault("HABITAT_SIM_LOG", "quiet")

import habitat_sim
import magnum as mn
import numpy as np

from apps.housekeep.simulator.protocol import (
    AGENT_RADIUS_METRES,
    CAMERA_METRES,
    FIELD_OF_VIEW_DEGREES,
    FORWARD_METRES,
    LOOK_DEGREES,
    TURN_DEGREES,
)

AGENT_METRES = 1.5  # height
CLIMB_METRES = 0.1
# Recast keeps whole cells away from obstacles: as many as hold the radius, beside those that an obstacle touches. With
# habitat-sim's cells of 5 cm a radius of .18 m becomes up to .25 and closes ways that MuJoCo has; six of these are .18.
NAVMESH_CELL_METRES = AGENT_RADIUS_METRES / 6
NAVMESH_RADIUS_METRES = 4.9 * NAVMESH_CELL_METRES  # five whole ones, however it is rounded
AWAY = (0.0, -100.0, 0.0)  # where a held object is
NAVMESHES_KEPT = 16
NEAREST_METRES = 0.05  # before its end a ray's way is clear: what hangs on a wall is not hidden by it
SENSORS = (("rgb", "COLOR"), ("semantic", "SEMANTIC"), ("depth", "DEPTH"))


class UserError(Exception):
    """What the user can mend, in one line; worker.py passes it on by this name."""


class HabitatScene:
    """`size` is (height, width) of the images, `seed` that of the simulator's own generators."""

    def __init__(self, size: tuple[int, int], seed: int = 0) -> None:
        if not getattr(habitat_sim.bindings, "built_with_bullet", True):
            raise UserError("this habitat_sim was built without Bullet: install habitat-sim with `withbullet`")
        self.size, self.seed = size, seed
        self.sim: Any = None
        self._stage = ""
        self._templates: dict[tuple[Any, ...], str] = {}  # (configuration, scale) -> handle
        self._furniture: dict[int, tuple[Any, Any]] = {}  # receptacle -> (its description, the object)
        self._navmeshes: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self.items: list[Any] = []
        self.instance_of: dict[int, int] = {}  # habitat-sim's object id -> instance id

    @property
    def agent(self) -> Any:
        """The one agent."""
        return self.sim.get_agent(0)

    def load(self, files: dict[str, Any]) -> None:
        """Loads what `files` (habitat_files.py) lists: as little as differs from what stands there already."""
        if files["stage"] != self._stage:
            self._open(files["stage"], files["physics"])
        self._furnish(files["receptacles"])
        self._navigate(files)
        self._place(files["items"], 1 + len(files["receptacles"]))

    def _open(self, stage: str, physics: str | None) -> None:
        """Makes the stage the current scene; everything that stood in the last one is gone."""
        if not os.path.isfile(stage):
            raise UserError(f"{stage}: the scene's room shell is missing; run lmgt housekeep data --root DIR")
        config = self._configuration(stage, physics)
        if self.sim is None:
            self.sim = habitat_sim.Simulator(config)
        else:
            self._clear()
            self.sim.reconfigure(config)
        self.sim.seed(self.seed)
        self._stage = stage
        self._navmeshes.clear()

    def _configuration(self, stage: str, physics: str | None) -> Any:
        backend = habitat_sim.SimulatorConfiguration()
        backend.scene_id = stage
        backend.gpu_device_id = device()
        backend.enable_physics = True  # rays need it; nothing ever falls, because physics are never stepped
        backend.allow_sliding = True
        backend.random_seed = self.seed
        if physics is not None:
            backend.physics_config_file = physics
        agent = habitat_sim.agent.AgentConfiguration()
        agent.height, agent.radius = AGENT_METRES, AGENT_RADIUS_METRES
        agent.sensor_specifications = [self._camera(name, kind) for name, kind in SENSORS]
        agent.action_space = {
            name: habitat_sim.agent.ActionSpec(name, habitat_sim.agent.ActuationSpec(amount=amount))
            for name, amount in (
                ("move_forward", FORWARD_METRES),
                ("turn_left", float(TURN_DEGREES)),
                ("turn_right", float(TURN_DEGREES)),
                ("look_up", float(LOOK_DEGREES)),
                ("look_down", float(LOOK_DEGREES)),
            )
        }
        return habitat_sim.Configuration(backend, [agent])

    def _camera(self, name: str, kind: str) -> Any:
        camera = habitat_sim.CameraSensorSpec()
        camera.uuid = name
        camera.sensor_type = getattr(habitat_sim.SensorType, kind)
        camera.resolution = list(self.size)
        camera.position = [0.0, CAMERA_METRES, 0.0]
        camera.hfov = FIELD_OF_VIEW_DEGREES
        return camera

    def _furnish(self, receptacles: list[dict[str, Any]]) -> None:
        """Furniture as described; a piece whose description has not changed stays."""
        for k in [k for k, (told, _) in self._furniture.items() if k >= len(receptacles) or told != receptacles[k]]:
            self._remove(self._furniture.pop(k)[1])
        for k, told in enumerate(receptacles):
            if k not in self._furniture:
                thing = self._add(told, 1 + k)
                kinds = habitat_sim.physics.MotionType
                # Only STATIC things count for a navigation mesh. What is flat on a wall or the floor is no obstacle: a
                # mirror that hangs where a doorway is inferred would close a room. Last: STATIC things stay put.
                thing.motion_type = kinds.STATIC if told["obstacle"] and told["measured"] else kinds.KINEMATIC
                self._furniture[k] = (told, thing)

    def _place(self, items: list[dict[str, Any]], first: int) -> None:
        """This episode's objects in place of the last one's."""
        for thing in self.items:
            self._remove(thing)
        self.items = []
        for n, told in enumerate(items):
            thing = self._add(told, first + n)
            thing.motion_type = habitat_sim.physics.MotionType.KINEMATIC
            self.items.append(thing)

    def _add(self, told: dict[str, Any], instance: int) -> Any:
        handle = self._template(told["config"], told["scale"])
        thing = self.sim.get_rigid_object_manager().add_object_by_template_handle(handle)
        if thing is None:
            raise UserError(f"{told['config']}: habitat_sim could not load this model; download it again")
        # Until its type is set a new object is DYNAMIC, and may be moved.
        thing.translation = mn.Vector3(*told["position"])
        thing.rotation = quaternion(told["rotation"])
        thing.semantic_id = instance
        self.instance_of[thing.object_id] = instance
        return thing

    def _template(self, config: str, scale: list[float] | None) -> str:
        """The handle of the configuration's template at this scale; registered once."""
        key = (config, None if scale is None else tuple(scale))
        manager = self.sim.get_object_template_manager()
        if key not in self._templates or not manager.get_library_has_handle(self._templates[key]):
            loaded = manager.load_configs(config)
            if not loaded:
                raise UserError(f"{config}: habitat_sim could not read this model's configuration")
            template = manager.get_template_by_id(loaded[0])
            handle = template.handle
            if scale is not None:
                template.scale = np.array(scale)
                handle = f"{handle}@{len(self._templates)}"
                manager.register_template(template, handle)
            self._templates[key] = handle
        return self._templates[key]

    def _remove(self, thing: Any) -> None:
        self.instance_of.pop(thing.object_id, None)
        self.sim.get_rigid_object_manager().remove_object_by_id(thing.object_id)

    def _clear(self) -> None:
        for thing in [*self.items, *(thing for _, thing in self._furniture.values())]:
            self._remove(thing)
        self.items, self._furniture = [], {}

    def _navigate(self, files: dict[str, Any]) -> None:
        """Gives the simulator the navigation mesh of this furniture: the stored one, or one computed now."""
        key = (files["navmesh"], *(_in_the_way(told) for told in files["receptacles"] if files["navmesh"] is None))
        if key not in self._navmeshes:
            self._navmeshes[key] = self._navmesh(files["navmesh"], files["receptacles"])
            if len(self._navmeshes) > NAVMESHES_KEPT:
                self._navmeshes.popitem(last=False)
        self._navmeshes.move_to_end(key)
        self.sim.pathfinder = self._navmeshes[key]

    def _navmesh(self, path: str | None, receptacles: list[dict[str, Any]]) -> Any:
        finder = habitat_sim.PathFinder()
        if path is not None:
            if not finder.load_nav_mesh(path) or not finder.is_loaded:
                raise UserError(f"{path}: habitat_sim could not read this navigation mesh; download it again")
        else:
            settings = habitat_sim.NavMeshSettings()
            settings.set_defaults()
            settings.cell_size, settings.agent_radius = NAVMESH_CELL_METRES, NAVMESH_RADIUS_METRES
            settings.agent_height, settings.agent_max_climb = AGENT_METRES, CLIMB_METRES
            settings.include_static_objects = True
            solids = [self._add(told["solid"], 0) for told in receptacles if told["solid"] is not None]
            for thing in solids:
                thing.motion_type = habitat_sim.physics.MotionType.STATIC
            computed = self.sim.recompute_navmesh(finder, settings)
            for thing in solids:
                self._remove(thing)
            if not computed:
                raise UserError(f"{self._stage}: no navigation mesh could be computed; is the model a closed room?")
        finder.seed(self.seed)
        return finder

    def move(self, item: int, to: np.ndarray) -> None:
        """Puts an object's own origin at `to`."""
        self.items[item].translation = mn.Vector3(*map(float, to))

    def wall_between(self, eye: tuple[float, float], goal: list[float], height: float) -> bool:
        """Whether a level ray at this height meets the stage; furniture and objects hide nothing here."""
        way = mn.Vector3(float(goal[0]) - eye[0], 0.0, float(goal[1]) - eye[1])
        length = way.length()
        if length < NEAREST_METRES:
            return False
        ray = habitat_sim.geo.Ray(mn.Vector3(eye[0], height, eye[1]), way / length)
        hits = self.sim.cast_ray(ray, max_distance=length - NEAREST_METRES).hits
        return any(hit.object_id not in self.instance_of for hit in hits)

    def extent(self, thing: Any) -> tuple[np.ndarray, np.ndarray]:
        """(lowest, highest) corner of the object's axis-aligned box in the world, metres."""
        box = thing.root_scene_node.cumulative_bb
        low, high = np.array(box.min), np.array(box.max)
        corners = np.array([[(low, high)[i >> a & 1][a] for a in range(3)] for i in range(8)])
        turned = matrix([*thing.rotation.vector, thing.rotation.scalar])
        world = corners @ turned.T + np.array(thing.translation)
        return world.min(axis=0), world.max(axis=0)

    def furniture_extent(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The same of receptacle k."""
        return self.extent(self._furniture[k][1])

    def close(self) -> None:
        if self.sim is not None:
            self.sim.close()
            self.sim = None


def _in_the_way(told: dict[str, Any]) -> tuple[float, ...] | None:
    """What decides how a receptacle is walked around; None where it is not."""
    if told["solid"] is not None:
        return (*told["solid"]["position"], *told["solid"]["scale"])
    return tuple(told["position"]) if told["obstacle"] else None


def device() -> int:
    """The graphics card to render on: the first NVIDIA one, or -1 for any other way (Mesa); 0 without one is fatal."""
    gpus = "/proc/driver/nvidia/gpus"
    return 0 if os.path.isdir(gpus) and os.listdir(gpus) else -1


def matrix(rotation: list[float]) -> np.ndarray:
    """The rotation matrix of a unit quaternion x, y, z, w."""
    x, y, z, w = (float(value) for value in rotation)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion(coefficients: list[float]) -> Any:
    """The rotation x, y, z, w as magnum's, of length 1."""
    x, y, z, w = np.array(coefficients, float) / np.linalg.norm(coefficients)
    return mn.Quaternion(mn.Vector3(x, y, z), w)
