"""habitat-sim behind a worker, and what is in view found without an image.

A step of the skills needs to know what is in view, and a rendered image is a dear way to learn it (on a real build 6 to
28 ms). The episode tells where everything stands, so rays against the home of boxes that MuJoCo makes of it give the
answer in a fraction of a millisecond, and by the same rules in both simulators. That holds where the walls are the ones
inferred from the episode: under a scene's own room shell, whose walls nobody tells, the worker's semantic image and its
rays against the stage decide.
"""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.apartment import shape_key
from apps.housekeep.simulator.habitat_files import HabitatFiles
from apps.housekeep.simulator.mujoco_model import AWAY
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import NOT_IN_VIEW, NOTHING_THERE, Pose, StepResult
from apps.housekeep.simulator.remote import RemoteSimulator
from apps.housekeep.simulator.sight import Samples, Sight

WORLD = "apps.housekeep.simulator.habitat_world:make"
FLOORS_KEPT = 16
NOBODY = np.array([-1], np.int32)


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
        self._floors: OrderedDict[tuple[Any, ...], Sight] = OrderedDict()

    def load(self, episode: Episode) -> None:
        super().load(episode)
        assert self._message is not None
        self._walls_known = bool(self._message["files"]["walls_known"])
        if self._walls_known:
            self._boxes.load(episode)
            self._floor = self._floor_of(episode)

    def _floor_of(self, episode: Episode) -> Sight:
        """What the inferred walls leave in sight of the navigation mesh's floor; kept, as it fills with views."""
        cells = self.floor_cells()
        key = (shape_key(episode), cells.tobytes())
        if key not in self._floors:
            nothing = Samples(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.intp))
            self._floors[key] = Sight(self._boxes.apartment.walls, nothing, cells, NOBODY, NOBODY)
            if len(self._floors) > FLOORS_KEPT:
                self._floors.popitem(last=False)
        self._floors.move_to_end(key)
        return self._floors[key]

    def visible(self, among: NDArray[np.bool_] | None = None) -> frozenset[int]:
        if not self._walls_known:
            return super().visible(among)
        self._boxes.stand(self.pose, self.held, self._state["at"])
        return self._boxes.visible(among)

    def seen_floor(self) -> NDArray[np.int64]:
        if not self._walls_known:
            return super().seen_floor()
        pose = self.pose
        return self._floor.floor_in_view(pose.position[0], pose.position[2], pose.yaw)

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

    def load(self, episode: Episode) -> None:
        super().load(episode)
        self._arranged: tuple[int | None, Sequence[Sequence[float]]] | None = None

    def stand(self, pose: Pose, held: int | None, at: Sequence[Sequence[float]]) -> None:
        """Puts the agent there, and the objects at `at` [object], the one that is `held` out of sight."""
        self._x, self._feet, self._z = pose.position
        self._yaw, self._tilt = pose.yaw, pose.tilt
        if (held, at) != self._arranged:
            self._arranged = (held, at)
            self._held, self._at = held, np.array(at, float).reshape(-1, 3)
            if held is not None:
                self._at[held] = AWAY
            self._rays.items(self._at, self._half)
        self._looked()
