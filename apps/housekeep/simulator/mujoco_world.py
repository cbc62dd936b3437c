"""The simulator on MuJoCo: an apartment inferred from the episode, seen by rays, walked on a grid."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator import camera
from apps.housekeep.simulator.apartment import Apartment, ShapeKey, shape_key
from apps.housekeep.simulator.appearance import item_look
from apps.housekeep.simulator.dressed import DressedView
from apps.housekeep.simulator.fitting import fit
from apps.housekeep.simulator.headings import wrapped, yaw_of
from apps.housekeep.simulator.mujoco_model import AWAY, POOL, set_item
from apps.housekeep.simulator.navigation import WalkMap
from apps.housekeep.simulator.opengl import OpenGLView
from apps.housekeep.simulator.protocol import (
    CAMERA_METRES,
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
from apps.housekeep.simulator.rays import Rays
from apps.housekeep.simulator.scene import Scene, shape_of
from apps.housekeep.simulator.scene_files import SceneFiles
from apps.housekeep.simulator.surfaces import footprint, free_spot, standing_on
from lmgt_core.errors import UserError

SCENES_KEPT = 16


class MujocoSimulator:
    """Implements `Simulator`; `size` is (height, width) of the frames.

    `renderer` is "rays" (no OpenGL: works anywhere) or "opengl" (mujoco.Renderer). Same episode, same actions: same
    everything. Objects start exactly where the episode says. Their shapes are ours, and as tall as the gap between
    their centre and the top they stand on allows; furniture that would hide them is drawn smaller for that episode
    (fitting.py). With `root`, images show the scene's furniture meshes (dressed.py); everything else stays as it is.
    """

    def __init__(
        self,
        size: tuple[int, int] = (84, 84),
        renderer: Literal["rays", "opengl"] = "rays",
        scenes: int = SCENES_KEPT,
        root: Path | str | None = None,
    ) -> None:
        if renderer not in ("rays", "opengl"):
            raise UserError(f"renderer {renderer!r} is not known: use 'rays' or 'opengl'")
        if min(size) < 1:
            raise UserError(f"image size {size} is not positive: give (height, width) in pixels")
        if root is not None and renderer != "opengl":
            raise UserError(f"--root {root}: furniture meshes are drawn by the 'opengl' renderer only")
        self._layout = None if root is None else SceneFiles(Path(root).absolute())
        self._raster = camera.Raster(*size)
        self._renderer = renderer
        self._gl: OpenGLView | DressedView | None = None
        self._gl_scene: Scene | None = None
        self._scenes: OrderedDict[tuple[ShapeKey, int], tuple[Scene, Rays]] = OrderedDict()
        self._kept = scenes
        self._episode: Episode | None = None
        self._pose: Pose | None = None

    @property
    def episode(self) -> Episode:
        if self._episode is None:
            raise RuntimeError("no episode is loaded: call load")
        return self._episode

    @property
    def pose(self) -> Pose:
        if self._pose is None:
            self._pose = Pose((self._x, self._feet, self._z), self._yaw, self._tilt)
        return self._pose

    @property
    def held(self) -> int | None:
        return self._held

    @property
    def apartment(self) -> Apartment:
        """The inferred shape of the loaded episode's apartment."""
        return self._scene.apartment

    @property
    def walk(self) -> WalkMap:
        """The walkable floor of the loaded episode's apartment."""
        return self._scene.walk

    def load(self, episode: Episode) -> None:
        if self._layout is not None:
            self._layout.require(episode, shell_suffices=False)
        self._scene, self._rays = self._scene_of(episode)
        self._episode = episode
        self._first_item = 1 + len(episode.receptacles)
        self._x, self._feet, self._z = episode.start_position
        self._start_yaw, self._turns, self._tilt = yaw_of(episode.start_rotation), 0, START_LOOK_DEGREES
        self._yaw = wrapped(self._start_yaw)
        self._held: int | None = None
        self._on: list[int | None] = [int(k) for k in episode.start_receptacle]
        self._place_items(episode)
        self._looked()

    def _scene_of(self, episode: Episode) -> tuple[Scene, Rays]:
        shape = shape_key(episode)
        key = (shape, max(POOL, len(episode.items)))
        if key not in self._scenes:
            apartment, walk = shape_of(shape, episode)
            scene = Scene(apartment, walk, len(episode.items))
            self._scenes[key] = (scene, Rays(scene))
            if len(self._scenes) > self._kept:
                self._scenes.popitem(last=False)
        self._scenes.move_to_end(key)
        return self._scenes[key]

    def _place_items(self, episode: Episode) -> None:
        """Puts every object where the episode says, and fits the furniture to them."""
        self._at = np.array([item.position for item in episode.items], float).reshape(-1, 3)
        on = [int(k) for k in episode.start_receptacle]
        bottoms, tops, half_heights = fit(self._scene.apartment, self._at, on, self._feet + CAMERA_METRES)
        self._scene.shape(bottoms, tops)
        looks = [item_look(item.category, h) for item, h in zip(episode.items, half_heights, strict=True)]
        for n, look in enumerate(looks):
            set_item(self._scene.built, n, look)
        self._half = np.array([look.half for look in looks]).reshape(-1, 3)
        self._rays.items(self._at, self._half)

    def _surface_height(self, k: int) -> float:
        furniture = self._scene.apartment.furniture[k]
        return furniture.bottom if furniture.flat else float(self._scene.tops[k])

    def _looked(self) -> None:
        """Forgets where the agent stood and what was in view: it or an object has moved."""
        self._pose = None
        self._seen: frozenset[int] | None = None

    @property
    def _eye(self) -> NDArray[np.float64]:
        return np.array((self._x, self._feet + CAMERA_METRES, self._z))

    @property
    def _axes(self) -> NDArray[np.float64]:
        return camera.axes(self._yaw, self._tilt)

    def step(self, action: Action) -> StepResult:
        if action == Action.GRAB_RELEASE:
            return self._grab_at_crosshair()
        self._looked()
        if action == Action.MOVE_FORWARD:
            self._x, self._z, collided = self._scene.walk.forward(self._x, self._z, self._yaw)
            return StepResult(collided=collided)
        if action in (Action.TURN_LEFT, Action.TURN_RIGHT):
            self._turns += 1 if action == Action.TURN_LEFT else -1
            self._yaw = wrapped(self._start_yaw + math.radians(TURN_DEGREES * self._turns))
            return StepResult()
        if action not in (Action.LOOK_UP, Action.LOOK_DOWN):
            raise ValueError(f"{action!r} is not one of the six actions")
        look = LOOK_DEGREES if action == Action.LOOK_UP else -LOOK_DEGREES
        self._tilt = min(max(self._tilt + look, -LOOK_LIMIT_DEGREES), LOOK_LIMIT_DEGREES)
        return StepResult()

    def _grab_at_crosshair(self) -> StepResult:
        instance, distance, point = self._rays.centre(self._eye, self._axes)
        if instance == 0:
            return StepResult(failure=NOTHING_THERE)
        if distance > REACH_METRES:
            return StepResult(failure=TOO_FAR)
        return self._grab(instance, (float(point[0]), float(point[2])))

    def grab_release(self, instance: int) -> StepResult:
        if not 0 < instance < self._first_item + len(self._on):
            return StepResult(failure=NOTHING_THERE)
        receptacle = self._receptacle_at(instance)
        if receptacle is None or not self.visible() & {instance, 1 + receptacle}:
            return StepResult(failure=NOT_IN_VIEW)  # so is the object in the hand
        near = self._nearest_point(receptacle)
        points = [near] if instance < self._first_item else [near, self._at[instance - self._first_item]]
        if min(math.dist(p, self._eye) for p in points) > REACH_METRES:
            return StepResult(failure=TOO_FAR)
        return self._grab(instance, (near[0], near[2]))

    def _receptacle_at(self, instance: int) -> int | None:
        """The receptacle that an instance is, or that an object is on."""
        return instance - 1 if instance < self._first_item else self._on[instance - self._first_item]

    def _nearest_point(self, k: int) -> tuple[float, float, float]:
        """The point of receptacle k's box nearest to the camera."""
        furniture = self._scene.apartment.furniture[k]
        x, z = furniture.rect.nearest(self._x, self._z)
        eye = self._feet + CAMERA_METRES
        return (x, min(max(eye, float(self._scene.bottoms[k])), float(self._scene.tops[k])), z)

    def _grab(self, instance: int, at: tuple[float, float]) -> StepResult:
        """Picks the object or puts the held one on the receptacle, near (x, z) = `at`."""
        if instance >= self._first_item:
            return StepResult(failure=HAND_FULL) if self._held is not None else self._pick(instance - self._first_item)
        return StepResult(failure=HAND_EMPTY) if self._held is None else self._put(instance - 1, at)

    def _pick(self, item: int) -> StepResult:
        self._held, self._on[item], self._at[item] = item, None, AWAY
        self._rays.items(self._at, self._half)
        self._looked()
        return StepResult(picked=item)

    def _put(self, k: int, at: tuple[float, float]) -> StepResult:
        item = self._held
        assert item is not None
        half, height = self._half[item], self._surface_height(k)
        furniture = self._scene.apartment.furniture
        taken = [footprint(self._at[n][0], self._at[n][2], self._half[n]) for n, on in enumerate(self._on) if on == k]
        avoid = standing_on(furniture, k, height, 2 * half[1])
        spot = free_spot(furniture[k].surface, half, taken, avoid, at)
        if spot is None:
            return StepResult(failure=NO_SPACE)
        self._held, self._on[item] = None, k
        self._at[item] = (spot[0], height + half[1], spot[1])
        self._rays.items(self._at, self._half)
        self._looked()
        return StepResult(placed=(item, k))

    def render(self) -> Frame:
        if self._renderer == "opengl":
            return self._opengl().image(self._eye, self._axes)
        return self._rays.image(self._eye, self._axes, self._raster)

    def _opengl(self) -> "OpenGLView | DressedView":
        """The OpenGL view of the loaded apartment; one is kept, as contexts are dear."""
        if self._gl is None or self._gl_scene is not self._scene:
            if self._gl is not None:
                self._gl.close()
            self._gl_scene = self._scene
            if self._layout is None:
                self._gl = OpenGLView(self._scene.built, self._raster)
            else:
                self._gl = DressedView(self._scene, self.episode, self._layout, self._raster)
        return self._gl

    def visible(self, among: NDArray[np.bool_] | None = None) -> frozenset[int]:
        if among is not None:
            return self._rays.visible(self._eye, self._axes, among)
        if self._seen is None:
            self._seen = self._rays.visible(self._eye, self._axes)
        return self._seen

    def receptacle_of(self, item: int) -> int | None:
        return self._on[item]

    def item_position(self, item: int) -> tuple[float, float, float]:
        """Centre of the object; the camera's place while it is held."""
        x, y, z = self._eye if item == self._held else self._at[item]
        return (float(x), float(y), float(z))

    def path(self, goal: Sequence[float], start: Sequence[float] | None = None) -> list[tuple[float, float]]:
        begin = (self._x, self._z) if start is None else ground(start)
        return self._scene.walk.path(begin, ground(goal))

    def course(self, goal: Sequence[float]) -> int | None:
        return self._scene.walk.course(self._x, self._z, self._yaw, ground(goal))

    def snap(self, point: Sequence[float]) -> tuple[float, float]:
        return self._scene.walk.snap(*ground(point))

    def floor_cells(self) -> NDArray[np.float64]:
        return self._scene.walk.cells

    def seen_floor(self) -> NDArray[np.int64]:
        return self._scene.sight.floor_in_view(self._x, self._z, self._yaw)

    def close(self) -> None:
        if self._gl is not None:
            self._gl.close()
            self._gl = None
        self._scenes.clear()


def ground(point: Sequence[float]) -> tuple[float, float]:
    """(x, z) of a point given as (x, z) or (x, y, z)."""
    return (float(point[0]), float(point[-1]))
