"""A stand-in for habitat_sim and magnum, for testing the adapter's logic where neither can be installed.

It knows only what the adapter uses, written from what was seen of a real build, traps included: a card that is not
there ends the process, a stage without its configuration is tipped over, a STATIC object does not move, a new one is
DYNAMIC, an unknown template gives None, an unknown action raises. Everything in it is an axis-aligned box, read back
from the .glb files that the project writes. It says nothing about how habitat-sim itself behaves.
"""

import json
import math
import os
import struct
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from scipy.ndimage import label

from apps.housekeep.simulator.geometry import Rect
from apps.housekeep.simulator.grid import Grid
from apps.housekeep.simulator.navigation import WalkMap
from apps.housekeep.simulator.protocol import path_length


class Vector3(tuple):  # type: ignore[type-arg]
    def __new__(cls, x: float, y: float, z: float) -> "Vector3":
        return super().__new__(cls, (float(np.float32(v)) for v in (x, y, z)))

    def length(self) -> float:
        return math.hypot(*self)

    def __truediv__(self, by: float) -> "Vector3":
        return Vector3(*(v / by for v in self))


class Quaternion:
    def __init__(self, vector: Vector3, scalar: float) -> None:
        assert isinstance(vector, Vector3)
        self.vector, self.scalar = vector, scalar


def boxes_of(glb: Path) -> np.ndarray:
    """[box, low or high, 3] of a file in which every 36 corners are a box."""
    content = glb.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    told = json.loads(content[20 : 20 + length])
    found = []
    for primitive in told["meshes"][0]["primitives"]:
        view = told["bufferViews"][told["accessors"][primitive["attributes"]["POSITION"]]["bufferView"]]
        start = 28 + length + view["byteOffset"]
        corners = np.frombuffer(content[start : start + view["byteLength"]], np.float32).reshape(-1, 36, 3)
        found += [(box.min(axis=0), box.max(axis=0)) for box in corners]
    return np.array(found, float)


class Thing:
    """A rigid object: a scaled cube."""

    def __init__(self, number: int, scale: np.ndarray) -> None:
        self.object_id, self.half = number, scale / 2
        self.__dict__["motion_type"] = "DYNAMIC"
        self.semantic_id = 0
        self.rotation = Quaternion(Vector3(0, 0, 0), 1.0)
        box = SimpleNamespace(min=Vector3(*-self.half), max=Vector3(*self.half))
        self.root_scene_node = SimpleNamespace(cumulative_bb=box)
        self.__dict__["translation"] = Vector3(0, 0, 0)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "translation":
            assert isinstance(value, Vector3)
            if self.motion_type == "STATIC":
                return  # as the real one does: silently
        self.__dict__[name] = value


class Templates:
    def __init__(self) -> None:
        self.scales: dict[str, np.ndarray] = {}

    def load_configs(self, path: str) -> list[int]:
        told = json.loads(Path(path).read_text())
        assert Path(told["render_asset"]).is_file()
        self.scales.setdefault(path, np.ones(3))
        return [list(self.scales).index(path)]

    def get_template_by_id(self, number: int) -> Any:
        handle = list(self.scales)[number]
        return SimpleNamespace(handle=handle, scale=self.scales[handle])

    def get_library_has_handle(self, handle: str) -> bool:
        return handle in self.scales

    def register_template(self, template: Any, handle: str) -> None:
        self.scales[handle] = template.scale


class Objects:
    def __init__(self, templates: Templates) -> None:
        self.templates, self.things, self.count = templates, {}, 0  # type: ignore[var-annotated]

    def add_object_by_template_handle(self, handle: str) -> Thing | None:
        if handle not in self.templates.scales:
            return None
        self.count += 1
        self.things[self.count] = Thing(self.count, self.templates.scales[handle])
        return self.things[self.count]

    def remove_object_by_id(self, number: int) -> None:
        del self.things[number]


class Mesh(WalkMap):
    """A walk grid around boxes."""

    def __init__(self, floor: Rect, obstacles: list[Rect], radius: float) -> None:
        self.floor, self.obstacles, self.radius = floor, obstacles, radius
        super().__init__(SimpleNamespace(bounds=floor))  # type: ignore[arg-type]
        self.islands, _ = label(self.walkable)  # the strip of floor outside the walls is one, too

    def island(self, x: float, z: float) -> int:
        """The island of the walkable cell nearest to (x, z)."""
        return int(self.islands[self.grid.cell(*self.snap(x, z))])

    def nearest(self, x: float, z: float, island: int) -> tuple[float, float]:
        """The nearest place on an island (any, for -1)."""
        if self.stands(x, z) and island in (-1, self.island(x, z)):
            return (x, z)
        rows, columns = np.nonzero(self.walkable if island == -1 else self.islands == island)
        row, column = self.grid.cell(x, z)
        best = int(np.argmin((rows - row) ** 2 + (columns - column) ** 2))
        return self.grid.centre(int(rows[best]), int(columns[best]))

    def _walkable(self, apartment: Any) -> Any:
        grid = Grid.over(self.floor)
        free = grid.near([self.floor], 1e-6) & ~grid.near(self.obstacles, self.radius)
        free[[0, -1]] = free[:, [0, -1]] = False
        return free


class PathFinder:
    is_loaded = False

    def seed(self, seed: int) -> None:
        pass

    def get_bounds(self) -> Any:
        floor = self.mesh.floor
        return (np.array([floor.x0, 0, floor.z0]), np.array([floor.x1, 0, floor.z1]))

    def is_navigable(self, at: np.ndarray, max_y_delta: float) -> bool:
        return self.mesh.stands(float(at[0]), float(at[2])) and abs(at[1]) <= max_y_delta

    def get_island(self, at: np.ndarray) -> int:
        return self.mesh.island(float(at[0]), float(at[2]))

    def snap_point(self, at: np.ndarray, island_index: int = -1) -> np.ndarray:
        x, z = self.mesh.nearest(float(at[0]), float(at[2]), island_index)
        near = math.hypot(x - at[0], z - at[2]) < 2
        return np.array([x, 0, z] if near else [np.nan] * 3, np.float32)

    def find_path(self, path: Any) -> bool:
        (x, _, z), (gx, _, gz) = path.requested_start, path.requested_end
        if self.mesh.island(float(x), float(z)) != self.mesh.island(float(gx), float(gz)):
            return False
        corners = self.mesh.path((float(x), float(z)), (float(gx), float(gz)))
        path.points = [np.array([cx, 0, cz], np.float32) for cx, cz in corners]
        path.geodesic_distance = path_length(corners)
        return bool(corners)

    def try_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        yaw = math.atan2(-(end[0] - start[0]), -(end[2] - start[2]))
        x, z, _ = self.mesh.forward(float(start[0]), float(start[2]), yaw)
        return np.array([x, 0, z])


class Agent:
    def __init__(self, sim: "Simulator", config: Any) -> None:
        self.sim, self.actions = sim, config.action_space
        self.position, self.yaw, self.tilt = np.zeros(3), 0.0, 0.0

    def set_state(self, state: Any, reset_sensors: bool = True) -> None:
        self.position = np.array(state.position, float)
        x, y, z, w = state.rotation
        self.yaw = math.atan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y))
        if reset_sensors:
            self.tilt = 0.0

    def get_state(self) -> Any:
        return SimpleNamespace(position=self.position.copy())

    def act(self, name: str) -> bool:
        assert name in self.actions, f"No action {name} in action space"
        amount = self.actions[name].actuation.amount
        if name != "move_forward":
            turn = {"turn_left": 1, "turn_right": -1}.get(name, 0) * math.radians(amount)
            self.yaw, self.tilt = self.yaw + turn, self.tilt + {"look_up": amount, "look_down": -amount}.get(name, 0)
            return False
        before = self.position
        ahead = before + amount * np.array([-math.sin(self.yaw), 0, -math.cos(self.yaw)])
        self.position = self.sim.pathfinder.try_step(before, ahead)
        return float(np.linalg.norm(self.position - before)) < amount - 1e-5


class Simulator:
    def __init__(self, config: Any) -> None:
        self.templates = Templates()
        self.pathfinder = PathFinder()
        self.reconfigure(config)

    def reconfigure(self, config: Any) -> None:
        backend, (agent,) = config.sim_cfg, config.agents
        if backend.gpu_device_id != -1:
            os._exit(1)
        stage = Path(backend.scene_id)
        assert stage.with_name(stage.stem + ".stage_config.json").is_file(), "the stage is tipped over"
        self.stage = boxes_of(stage)
        self.objects = Objects(self.templates)
        self.agent, self.specs = Agent(self, agent), agent.sensor_specifications

    def seed(self, seed: int) -> None:
        self.pathfinder.seed(seed)

    def get_agent(self, number: int) -> Agent:
        return (self.agent,)[number]

    def get_object_template_manager(self) -> Templates:
        return self.templates

    def get_rigid_object_manager(self) -> Objects:
        return self.objects

    def recompute_navmesh(self, finder: PathFinder, settings: Any) -> bool:
        low, high = self.stage[:, 0], self.stage[:, 1]
        floor = self.stage[np.argmin(high[:, 1])]
        still = [(t.translation - t.half, t.translation + t.half) for t in self._static()]
        solid = [*zip(low, high, strict=True), *(still if settings.include_static_objects else [])]
        blocking = [(a, b) for a, b in solid if b[1] > settings.agent_max_climb and a[1] < settings.agent_height]
        rects = [Rect(a[0], a[2], b[0], b[2]) for a, b in blocking]
        cell = settings.cell_size  # as in Recast: so many whole cells, beside those that an obstacle touches
        radius = cell * (1 + math.ceil(np.float32(settings.agent_radius) / np.float32(cell)))
        finder.mesh = Mesh(Rect(floor[0][0], floor[0][2], floor[1][0], floor[1][2]), rects, radius)
        finder.is_loaded = True
        return True

    def _static(self) -> list[Thing]:
        return [thing for thing in self.objects.things.values() if thing.motion_type == "STATIC"]

    def _met(self, eye: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(distance [ray, box], owner [box]): 0 for the stage, else an object's id; infinite where nothing is met."""
        things = list(self.objects.things.values())
        low = np.array([*self.stage[:, 0], *(np.array(t.translation) - t.half for t in things)])
        high = np.array([*self.stage[:, 1], *(np.array(t.translation) + t.half for t in things)])
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (low - eye) / rays[:, None], (high - eye) / rays[:, None]
        enter, leave = np.minimum(a, b).max(axis=2), np.maximum(a, b).min(axis=2)
        met = np.where((enter <= leave) & (enter > 0), enter, np.inf)
        return met, np.array([0] * len(self.stage) + [t.object_id for t in things])

    def cast_ray(self, ray: Any, max_distance: float) -> Any:
        met, owner = self._met(np.array(ray.origin), np.array([ray.direction]))
        hits = [SimpleNamespace(object_id=int(o), ray_distance=d) for o, d in zip(owner, met[0], strict=True)]
        return SimpleNamespace(hits=[hit for hit in hits if hit.ray_distance <= max_distance])

    def get_sensor_observations(self) -> dict[str, np.ndarray]:
        (height, width), position = self.specs[0].resolution, self.specs[0].position
        u, v = np.meshgrid((2 * np.arange(width) + 1) / width - 1, 1 - (2 * np.arange(height) + 1) / height)
        agent, tilt = self.agent, math.radians(self.agent.tilt)
        ahead = np.array([-math.sin(agent.yaw) * math.cos(tilt), math.sin(tilt), -math.cos(agent.yaw) * math.cos(tilt)])
        right = np.array([math.cos(agent.yaw), 0, -math.sin(agent.yaw)])
        rays = ahead + u.reshape(-1, 1) * right + v.reshape(-1, 1) * np.cross(right, ahead)
        met, owner = self._met(agent.position + position, rays)  # in units along the axis: the depth
        depth, who = met.min(axis=1), owner[met.argmin(axis=1)]
        semantic = np.array([0 if not o else self.objects.things[o].semantic_id for o in who])
        grey = (40 + 60 * (semantic % 4)).astype(np.uint8)
        shape = (height, width)
        return {
            "rgb": np.repeat(grey[:, None], 4, axis=1).reshape(*shape, 4),
            "semantic": semantic.astype(np.uint32).reshape(shape),
            "depth": np.where(np.isfinite(depth), depth, 0).astype(np.float32).reshape(shape),
        }

    def close(self) -> None:
        self.objects.things.clear()


class NavMeshSettings(SimpleNamespace):
    def set_defaults(self) -> None:
        self.include_static_objects, self.cell_size, self.cell_height = False, 0.05, 0.2


def install() -> None:
    """Makes `import habitat_sim` and `import magnum` find the stand-ins."""
    habitat, magnum = ModuleType("habitat_sim"), ModuleType("magnum")
    agent, utils, common = (ModuleType(f"habitat_sim.{name}") for name in ("agent", "utils", "utils.common"))
    agent.__dict__.update(
        AgentConfiguration=SimpleNamespace,
        AgentState=SimpleNamespace,
        ActionSpec=lambda name, actuation: SimpleNamespace(name=name, actuation=actuation),
        ActuationSpec=SimpleNamespace,
    )
    common.__dict__["quat_from_coeffs"] = tuple
    habitat.__dict__.update(
        Simulator=Simulator,
        SimulatorConfiguration=lambda: SimpleNamespace(gpu_device_id=0),
        Configuration=lambda sim_cfg, agents: SimpleNamespace(sim_cfg=sim_cfg, agents=agents),
        CameraSensorSpec=SimpleNamespace,
        SensorType=SimpleNamespace(COLOR="color", SEMANTIC="semantic", DEPTH="depth"),
        NavMeshSettings=NavMeshSettings,
        PathFinder=PathFinder,
        ShortestPath=SimpleNamespace,
        bindings=SimpleNamespace(built_with_bullet=True),
        geo=SimpleNamespace(Ray=lambda origin, direction: SimpleNamespace(origin=origin, direction=direction)),
        physics=SimpleNamespace(MotionType=SimpleNamespace(STATIC="STATIC", KINEMATIC="KINEMATIC")),
        agent=agent,
        utils=utils,
    )
    magnum.__dict__.update(Vector3=Vector3, Quaternion=Quaternion)
    modules = {"habitat_sim": habitat, "habitat_sim.agent": agent, "habitat_sim.utils": utils, "magnum": magnum}
    sys.modules.update(modules | {"habitat_sim.utils.common": common})


def make_blind(size: tuple[int, int], **options: Any) -> Any:
    """The same with a simulator that takes no image."""

    def refuse(self: Simulator) -> Any:
        raise RuntimeError("an image was asked for")

    Simulator.get_sensor_observations = refuse  # type: ignore[method-assign]
    return make(size, **options)


def make(size: tuple[int, int], **options: Any) -> Any:
    """The adapter's world on the stand-in, for worker.py."""
    install()
    from apps.housekeep.simulator.habitat_world import HabitatWorld

    return HabitatWorld(size, **options)
