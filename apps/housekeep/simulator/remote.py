"""A simulator that lives in a worker process: the same Protocol, and a worker's death is survived.

Simulators are deterministic. So when a worker dies or hangs, another is started, the episode is loaded again, and its
actions are repeated from its start: whoever trains goes on as if nothing had happened, with the same numbers.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.apartment import Apartment, apartment_of
from apps.housekeep.simulator.episode_wire import to_wire
from apps.housekeep.simulator.protocol import Action, Frame, Pose, StepResult
from apps.housekeep.simulator.worker_link import WORKER, WorkerError, WorkerLink

CALL_SECONDS = 60.0  # a call that takes longer hangs
LOAD_SECONDS = 600.0  # a large scene's first load reads hundreds of meshes
RESTARTS = 2  # an episode that kills its worker so often is not tried again

MUJOCO = "apps.housekeep.simulator.mujoco_served:make"


class RemoteSimulator:
    """Implements `Simulator` by asking a worker; see `WorkerLink` for `world`, `options` and `python`.

    `files(episode)` gives what a load request says beside the episode (where its models are), as JSON values.
    """

    def __init__(
        self,
        size: tuple[int, int],
        world: str = MUJOCO,
        options: Mapping[str, Any] | None = None,
        python: Path | str | None = None,
        files: Callable[[Episode], dict[str, Any]] | None = None,
        call_seconds: float = CALL_SECONDS,
        load_seconds: float = LOAD_SECONDS,
        restarts: int = RESTARTS,
        worker: Path = WORKER,
    ) -> None:
        self._settings = (world, dict(options or {}), size, python, load_seconds, worker)
        self._files = files
        self._call_seconds, self._load_seconds, self._restarts = call_seconds, load_seconds, restarts
        self.restarted = 0  # workers that were replaced so far
        self._left = restarts
        self._closed = False
        self._episode: Episode | None = None
        self._message: dict[str, Any] | None = None
        self._done: list[tuple[str, int]] = []  # the episode's actions so far
        self._link = WorkerLink(*self._settings)

    @property
    def episode(self) -> Episode:
        if self._episode is None:
            raise RuntimeError("no episode is loaded: call load")
        return self._episode

    @property
    def pose(self) -> Pose:
        state = self._state
        x, y, z = state["position"]
        return Pose((x, y, z), state["yaw"], state["tilt"])

    @property
    def held(self) -> int | None:
        held: int | None = self._state["held"]
        return held

    @property
    def apartment(self) -> Apartment:
        """The apartment's shape as episodes tell it, for maps: of a scanned home it is a sketch."""
        return _apartment(self.episode)

    def load(self, episode: Episode) -> None:
        self._message, self._done, self._left = None, [], self._restarts
        message = {"episode": to_wire(episode), "files": None if self._files is None else self._files(episode)}
        self._state: dict[str, Any] = self._call("load", message)["state"]
        self._episode, self._message = episode, message
        self._cells: NDArray[np.float64] | None = None

    def step(self, action: Action) -> StepResult:
        return self._act("step", int(action))

    def grab_release(self, instance: int) -> StepResult:
        return self._act("grab_release", int(instance))

    def _act(self, call: str, argument: int) -> StepResult:
        answer = self._call(call, argument)
        self._state = answer["state"]
        self._done.append((call, argument))
        result = answer["value"]
        placed = result["placed"]
        return StepResult(
            result["collided"], result["failure"], result["picked"], None if placed is None else (placed[0], placed[1])
        )

    def render(self) -> Frame:
        self._call("render")
        rgb, semantic, depth = self._link.views
        return Frame(rgb.copy(), semantic.copy(), depth.copy())

    def visible(self, among: NDArray[np.bool_] | None = None) -> frozenset[int]:
        asked = (0, None) if among is None else (len(among), np.flatnonzero(among))
        return frozenset(self._call("visible", *asked)["value"])

    def receptacle_of(self, item: int) -> int | None:
        on: int | None = self._state["on"][item]
        return on

    def item_position(self, item: int) -> tuple[float, float, float]:
        x, y, z = self._state["at"][item]
        return (x, y, z)

    def path(self, goal: Sequence[float], start: Sequence[float] | None = None) -> list[tuple[float, float]]:
        corners = self._call("path", list(goal), None if start is None else list(start))["value"]
        return [(x, z) for x, z in corners]

    def course(self, goal: Sequence[float]) -> int | None:
        turns: int | None = self._call("course", list(goal))["value"]
        return turns

    def snap(self, point: Sequence[float]) -> tuple[float, float]:
        x, z = self._call("snap", list(point))["value"]
        return (x, z)

    def floor_cells(self) -> NDArray[np.float64]:
        if self._cells is None:
            self._cells = np.array(self._call("floor_cells")["value"], float).reshape(-1, 2)
        return self._cells

    def seen_floor(self) -> NDArray[np.int64]:
        return np.array(self._call("seen_floor")["value"], np.int64)

    def close(self) -> None:
        self._closed = True
        self._link.close()

    def _call(self, name: str, *arguments: Any) -> dict[str, Any]:
        """The worker's answer; a dead worker is replaced first, as often as `restarts` allows in an episode.

        RuntimeError once the simulator is closed: its worker was not lost, and no other one may be started.
        """
        seconds = self._load_seconds if name == "load" else self._call_seconds
        while not self._closed:
            try:
                return self._link.call(name, *arguments, seconds=seconds)
            except WorkerError as error:
                if not self._closed:  # by another thread, while the call was under way
                    self._replace(error)
        raise RuntimeError(f"the simulator is closed: {name!r} cannot be answered")

    def _replace(self, error: WorkerError) -> None:
        """Starts another worker and brings it to where the last one was; raises `error` when none is left to try."""
        while self._left > 0:
            self._left -= 1
            self.restarted += 1
            print(f"{error}\n  starting another one; the episode is played again from its start", file=sys.stderr)
            self._link.close()
            try:
                self._link = WorkerLink(*self._settings)
                self._repeat()
                return
            except WorkerError as again:
                error = again
        raise error

    def _repeat(self) -> None:
        if self._message is None:
            return
        state = self._link.call("load", self._message, seconds=self._load_seconds)["state"]
        for call, argument in self._done:
            state = self._link.call(call, argument, seconds=self._call_seconds)["state"]
        if state != self._state:
            raise WorkerError("the simulator's worker came to another state when the episode was played again")


@lru_cache(maxsize=8)
def _apartment(episode: Episode) -> Apartment:
    return apartment_of(episode)
