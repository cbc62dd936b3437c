"""The simulator on habitat-sim, with the benchmark's scenes, as habitat_remote.py asks it.

Runs in the worker under Python 3.9, next to habitat_sim and numpy only. The agent moves by the benchmark's way:
`agent.act`, then observations are taken; physics are never stepped, so nothing falls. Reach, view and free places
follow the same rules as in mujoco_world.py.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import habitat_sim
import numpy as np
from habitat_sim.utils.common import quat_from_coeffs

from apps.housekeep.simulator.geometry import Rect
from apps.housekeep.simulator.habitat_scene import AWAY, HabitatScene, UserError
from apps.housekeep.simulator.habitat_walk import Walk, point
from apps.housekeep.simulator.headings import wrapped, yaw_of
from apps.housekeep.simulator.islands import island_of
from apps.housekeep.simulator.protocol import (
    CAMERA_METRES,
    FIELD_OF_VIEW_DEGREES,
    HAND_EMPTY,
    HAND_FULL,
    LOOK_DEGREES,
    LOOK_LIMIT_DEGREES,
    NO_SPACE,
    NOT_IN_VIEW,
    NOTHING_THERE,
    REACH_METRES,
    START_LOOK_DEGREES,
    TOO_FAR,
    TURN_DEGREES,
    Action,
    Frame,
    Pose,
    StepResult,
)
from apps.housekeep.simulator.surfaces import footprint, free_spot

WALKS_KEPT = 16
NAMES = {Action.TURN_LEFT: "turn_left", Action.TURN_RIGHT: "turn_right"}


class HabitatWorld:
    """One agent in one scene after another; `load_message` takes what habitat_files.py lists."""

    def __init__(self, size: tuple[int, int], seed: int = 0) -> None:
        if min(size) < 1:
            raise UserError(f"image size {size} is not positive: give (height, width) in pixels")
        self.size = size
        self.scene = HabitatScene(size, seed)
        self._walks: OrderedDict[tuple[Any, ...], Walk] = OrderedDict()
        height, width = size
        along = math.tan(math.radians(FIELD_OF_VIEW_DEGREES / 2)) * ((2 * np.arange(width) + 1) / width - 1)
        down = math.tan(math.radians(FIELD_OF_VIEW_DEGREES / 2)) * (
            (2 * np.arange(height) + 1) / width - height / width
        )
        self._stretch = np.sqrt(1 + along[None] ** 2 + down[:, None] ** 2).astype(np.float32)  # ray / axis  [H, W]

    def load_message(self, message: dict[str, Any]) -> None:
        """Puts the agent and every object where the episode says."""
        episode, files = message["episode"], message["files"]
        self.items = episode["items"]
        self._receptacles = files["receptacles"]
        self._first_item = 1 + len(self._receptacles)
        x, y, z = episode["start_position"]
        self._position = (float(x), float(y), float(z))
        self.scene.load(files)
        self._measure(files)
        self.held: int | None = None
        self._on: list[int | None] = [rows[0] for rows in episode["on"]]
        self._at = [tuple(item["position"]) for item in self.items]
        self._walk = self._walk_of([receptacle["nav_position"] for receptacle in episode["receptacles"]])
        self._stand(episode["start_rotation"])
        self._observed: dict[str, Any] | None = None

    def _measure(self, files: dict[str, Any]) -> None:
        """Heights of furniture and half sizes of objects: a model's are read off it, a box's are known."""
        self._extents = []
        for k, told in enumerate(self._receptacles):
            bottom, top, height = told["bottom"], told["top"], told["height"]
            if told["measured"]:
                low, high = self.scene.furniture_extent(k)
                bottom, top, height = float(low[1]), float(high[1]), float(high[1])
            self._extents.append((bottom, top, height))
        self._half, self._middle = [], []
        for told, thing in zip(files["items"], self.scene.items):  # noqa: B905 - Python 3.9
            low, high = self.scene.extent(thing)
            self._half.append(tuple(told["half"] or ((high - low) / 2).tolist()))
            self._middle.append((low + high) / 2 - np.array(told["position"]))  # of its box, from its own origin

    def _stand(self, rotation: list[float]) -> None:
        """The agent at the start, its camera 20 degrees down."""
        coefficients = np.array(rotation, float) / np.linalg.norm(rotation)
        state = habitat_sim.agent.AgentState()
        state.position = np.array(self._position, np.float32)
        state.rotation = quat_from_coeffs(coefficients)
        self.scene.agent.set_state(state, reset_sensors=True)
        for _ in range(-START_LOOK_DEGREES // LOOK_DEGREES):
            self.scene.agent.act("look_down")
        self._start_yaw, self._turns, self._tilt = yaw_of(rotation), 0, START_LOOK_DEGREES

    def _walk_of(self, standing: list[list[float]]) -> Walk:
        """The walkable island of the episode, with the start on it; what was computed for it is kept."""
        finder = self.scene.sim.pathfinder
        found = island_of(finder, self._position, standing)
        if found is None:
            raise UserError(
                f"no walkable floor at the episode's start {self._position}; is this the scene's navigation mesh?"
            )
        island, floor = found
        key = (id(finder), island, round(floor, 3))
        if key not in self._walks:
            self._walks[key] = Walk(finder, island, round(floor, 3))
            if len(self._walks) > WALKS_KEPT:
                self._walks.popitem(last=False)
        self._walks.move_to_end(key)
        walk, (x, _, z) = self._walks[key], self._position
        if finder.get_island(point(*self._position)) != island:
            x, z = walk.snap(x, z)
            self._position = (x, floor, z)
        return walk

    @property
    def pose(self) -> Pose:
        return Pose(self._position, wrapped(self._start_yaw + math.radians(TURN_DEGREES * self._turns)), self._tilt)

    @property
    def _eye(self) -> tuple[float, float, float]:
        x, y, z = self._position
        return (x, y + CAMERA_METRES, z)

    def step(self, action: int) -> StepResult:
        """One primitive action."""
        if action == Action.GRAB_RELEASE:
            return self._grab_at_crosshair()
        if action == Action.MOVE_FORWARD:
            collided = bool(self.scene.agent.act("move_forward"))
            x, y, z = self.scene.agent.get_state().position
            self._position = (float(x), float(y), float(z))
            self._observed = None
            return StepResult(collided=collided)
        if action in (Action.TURN_LEFT, Action.TURN_RIGHT):
            self.scene.agent.act(NAMES[Action(action)])
            self._turns += 1 if action == Action.TURN_LEFT else -1
        elif action in (Action.LOOK_UP, Action.LOOK_DOWN):
            self._look(1 if action == Action.LOOK_UP else -1)
        else:
            raise ValueError(f"{action!r} is not one of the six actions")
        self._observed = None
        return StepResult()

    def _look(self, sign: int) -> None:
        if abs(self._tilt + sign * LOOK_DEGREES) <= LOOK_LIMIT_DEGREES:
            self.scene.agent.act("look_up" if sign > 0 else "look_down")
            self._tilt += sign * LOOK_DEGREES

    def _observe(self) -> dict[str, Any]:
        """The sensors' images from the current pose, taken once."""
        if self._observed is None:
            self._observed = dict(self.scene.sim.get_sensor_observations())
        return self._observed

    def render(self) -> Frame:
        seen = self._observe()
        ids = np.array(seen["semantic"]).astype(np.int64)
        ids[ids >= self._first_item + len(self._on)] = 0  # a stage's own classes are background
        distance = np.array(seen["depth"], np.float32) * self._stretch  # along the axis -> along the ray
        return Frame(np.array(seen["rgb"])[..., :3].copy(), ids.astype(np.int32), distance)

    def _grab_at_crosshair(self) -> StepResult:
        """GRAB_RELEASE along the ray through the image's centre, as the sensors see it.

        A physics ray would meet convex hulls: under a table, or over the seat of a chair, there would be no reaching.
        """
        frame, (height, width) = self.render(), self.size
        instance = int(frame.semantic[height // 2, width // 2])
        distance = float(frame.depth[height // 2, width // 2])
        if instance == 0 or distance <= 0:
            return StepResult(failure=NOTHING_THERE)
        if distance > REACH_METRES:
            return StepResult(failure=TOO_FAR)
        yaw, tilt = self.pose.yaw, math.radians(self._tilt)
        flat = distance * math.cos(tilt)
        x, _, z = self._position
        return self._grab(instance, (x - flat * math.sin(yaw), z - flat * math.cos(yaw)))

    def grab_release(self, instance: int) -> StepResult:
        """GRAB_RELEASE on a named instance within reach; whether it is in view, habitat_remote.py has found out."""
        if not 0 < instance < self._first_item + len(self._on):
            return StepResult(failure=NOTHING_THERE)
        item = instance - self._first_item
        receptacle = instance - 1 if item < 0 else self._on[item]
        if receptacle is None:
            return StepResult(failure=NOT_IN_VIEW)  # it is in the hand
        near = self._nearest_point(receptacle)
        points = [near] if item < 0 else [near, self._at[item]]
        if min(math.dist(p, self._eye) for p in points) > REACH_METRES:
            return StepResult(failure=TOO_FAR)
        return self._grab(instance, (near[0], near[2]))

    def _nearest_point(self, k: int) -> tuple[float, float, float]:
        """The point of receptacle k's box nearest to the camera."""
        eye_x, eye_y, eye_z = self._eye
        x, z = Rect(*self._receptacles[k]["footprint"]).nearest(eye_x, eye_z)
        bottom, top, _ = self._extents[k]
        return (x, min(max(eye_y, bottom), top), z)

    def _grab(self, instance: int, at: tuple[float, float]) -> StepResult:
        item = instance - self._first_item
        if item >= 0:
            return StepResult(failure=HAND_FULL) if self.held is not None else self._pick(item)
        return StepResult(failure=HAND_EMPTY) if self.held is None else self._put(instance - 1, at)

    def _pick(self, item: int) -> StepResult:
        self.held, self._on[item] = item, None
        self._move(item, AWAY)
        return StepResult(picked=item)

    def _put(self, k: int, at: tuple[float, float]) -> StepResult:
        item = self.held
        assert item is not None
        half, (_, _, height) = self._half[item], self._extents[k]
        taken = [footprint(self._at[n][0], self._at[n][2], self._half[n]) for n, on in enumerate(self._on) if on == k]
        inside = [
            Rect(*told["footprint"])
            for j, told in enumerate(self._receptacles)
            if j != k and self._extents[j][0] < height + 2 * half[1] and self._extents[j][1] > height + 0.02
        ]
        spot = free_spot(Rect(*self._receptacles[k]["surface"]), half, taken, inside, at)
        if spot is None:
            return StepResult(failure=NO_SPACE)
        self.held, self._on[item] = None, k
        self._move(item, (spot[0], height + half[1], spot[1]))
        return StepResult(placed=(item, k))

    def _move(self, item: int, to: tuple[float, float, float]) -> None:
        self._at[item] = to
        self.scene.move(item, np.array(to) - self._middle[item])
        self._observed = None

    def receptacle_of(self, item: int) -> int | None:
        return self._on[item]

    def item_position(self, item: int) -> tuple[float, float, float]:
        """Centre of the object; the camera's place while it is held."""
        return self._eye if item == self.held else self._at[item]

    def path(self, goal: list[float], start: list[float] | None = None) -> list[tuple[float, float]]:
        begin = self._position if start is None else start
        return self._walk.path((begin[0], begin[-1]), (goal[0], goal[-1]))

    def course(self, goal: list[float]) -> int | None:
        return self._walk.course(self._position[0], self._position[2], self.pose.yaw, (goal[0], goal[-1]))

    def snap(self, point: list[float]) -> tuple[float, float]:
        return self._walk.snap(float(point[0]), float(point[-1]))

    def floor_cells(self) -> np.ndarray:
        return self._walk.cells

    def clear(self, x: float, z: float, targets: list[list[float]]) -> list[int]:
        """Indices of the targets (x, z) that no wall of the stage hides from a camera at (x, z)."""
        return [i for i, target in enumerate(targets) if not self.scene.wall_between((x, z), target, self._eye[1])]

    def close(self) -> None:
        self.scene.close()


def stretch(size: tuple[int, int]) -> np.ndarray:
    """[height, width] how much longer each pixel's ray is than its part along the camera's axis."""
    height, width = size
    tangent = math.tan(math.radians(FIELD_OF_VIEW_DEGREES / 2))  # of the horizontal field
    along = tangent * ((2 * np.arange(width) + 1) / width - 1)
    down = tangent * ((2 * np.arange(height) + 1) / width - height / width)
    return np.sqrt(1 + along[None] ** 2 + down[:, None] ** 2).astype(np.float32)


def make(size: tuple[int, int], **options: Any) -> HabitatWorld:
    """The world for worker.py."""
    return HabitatWorld(size, **options)
