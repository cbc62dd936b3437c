"""habitat-sim behind a worker, and what is in view found without an image.

A step of the skills needs to know what is in view, and a rendered image is a dear way to learn it (6 to 28 ms on a real
build). The episode tells where everything stands, so rays against the home of boxes that MuJoCo makes of it give the
answer in a fraction of a millisecond, by the same rules in both simulators. What walls hide is computed once a 10 cm
cell: by the apartment's inferred walls where the room shell is made of them, and by habitat-sim's own rays against the
stage where the scene has its own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.habitat_files import HabitatFiles
from apps.housekeep.simulator.mujoco_model import AWAY
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import NOT_IN_VIEW, NOTHING_THERE, Pose, StepResult
from apps.housekeep.simulator.remote import RemoteSimulator
from apps.housekeep.simulator.scene import Scene
from apps.housekeep.simulator.sight import Clear, Sight

WORLD = "apps.housekeep.simulator.habitat_world:make"
TOGETHER_METRES = 0.1
FLOORS_KEPT = 16  # of a home: what an episode's objects do to furniture can change its navigation mesh


class HabitatSimulator(RemoteSimulator):
    """Implements `Simulator`; `root` holds the benchmark's scenes (None: everything is made of boxes).

    `limits` are those of `RemoteSimulator`.
    """

    def __init__(
        self,
        size: tuple[int, int],
        root: Path | None = None,
        python: Path | str | None = None,
        world: str = WORLD,
        **limits: Any,
    ) -> None:
        super().__init__(size, world, {"seed": 0}, python, HabitatFiles(root), **limits)
        self._boxes = BoxHome((1, 1))

    def load(self, episode: Episode) -> None:
        super().load(episode)
        assert self._message is not None
        self._boxes.load(episode)
        walls_known = self._message["files"]["walls_known"]
        self._boxes.walk_on(self.floor_cells(), None if walls_known else self._clear)

    def _clear(self, x: float, z: float, targets: NDArray[np.float64]) -> NDArray[np.bool_]:
        """As `Clear` says; of targets that share a square of TOGETHER_METRES one is asked about."""
        _, asked, of = np.unique(np.round(targets / TOGETHER_METRES), axis=0, return_index=True, return_inverse=True)
        clear = np.zeros(len(asked), bool)
        clear[self._call("clear", x, z, targets[asked].round(3))["value"]] = True
        answers: NDArray[np.bool_] = clear[of.ravel()]
        return answers

    def visible(self, among: NDArray[np.bool_] | None = None) -> frozenset[int]:
        return self._looking().visible(among)

    def seen_floor(self) -> NDArray[np.int64]:
        return self._looking().seen_floor()

    def _looking(self) -> "BoxHome":
        """The home of boxes as it stands now."""
        self._boxes.stand(self.pose, self.held, self._state["on"], self._state["at"])
        return self._boxes

    def grab_release(self, instance: int) -> StepResult:
        """As `Simulator` says: that the instance is in view is found here, that it is near enough by the worker."""
        first, items = 1 + len(self.episode.receptacles), len(self.episode.items)
        if not 0 < instance < first + items:
            return StepResult(failure=NOTHING_THERE)
        receptacle = instance - 1 if instance < first else self.receptacle_of(instance - first)
        if receptacle is None or not self.visible() & {instance, 1 + receptacle}:
            return StepResult(failure=NOT_IN_VIEW)  # so is the object in the hand
        return super().grab_release(instance)


class BoxHome(MujocoSimulator):
    """The home of boxes that MuJoCo makes of an episode, looked at from where the agent of another simulator stands."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        self._sights: WeakKeyDictionary[Scene, dict[bytes, Sight]] = WeakKeyDictionary()  # they fill with views

    def load(self, episode: Episode) -> None:
        super().load(episode)
        self._arranged: tuple[int | None, Sequence[Sequence[float]]] | None = None

    def walk_on(self, cells: NDArray[np.float64], clear: Clear | None) -> None:
        """Takes `cells` for the floor that may be seen, and `clear` (if any) for what walls hide."""
        self._stage = clear is not None
        kept, key = self._sights.setdefault(self._scene, {}), cells.tobytes()
        if key not in kept:
            if len(kept) == FLOORS_KEPT:
                kept.pop(next(iter(kept)))
            kept[key] = self._scene.sight.over(cells, clear)
        self._scene.sight = kept[key]

    def stand(self, pose: Pose, held: int | None, on: Sequence[int | None], at: Sequence[Sequence[float]]) -> None:
        """Puts the agent there, and the objects at `at` on `on` [object], the one that is `held` out of sight."""
        self._x, self._feet, self._z = pose.position
        self._yaw, self._tilt = pose.yaw, pose.tilt
        if (held, at) != self._arranged:
            self._arranged = (held, at)
            self._held, self._on, self._at = held, list(on), np.array(at, float).reshape(-1, 3)
            self._beside = np.array([self._sample_beside(k, place) for k, place in zip(on, self._at, strict=True)], int)
            if held is not None:
                self._at[held] = AWAY
            self._rays.items(self._at, self._half)
        self._looked()

    def _sample_beside(self, receptacle: int | None, place: NDArray[np.float64]) -> int:
        """The sample point of the receptacle that lies nearest to an object on it."""
        samples = self._scene.samples
        own = np.flatnonzero(samples.owner == receptacle)
        away = np.hypot(*(samples.at[own] - place)[:, [0, 2]].T)
        return int(own[np.argmin(away)]) if len(own) else -1

    def visible(self, among: NDArray[np.bool_] | None = None) -> frozenset[int]:
        """As MuJoCo's; an object that stands behind a wall of the stage, which no ray meets, is none of them."""
        seen = super().visible(among)
        if not self._stage:
            return seen
        clear = np.isin(self._beside, self._scene.sight.view(self._x, self._z).points)
        return frozenset(i for i in seen if i < self._first_item or clear[i - self._first_item])
