"""What a Housekeep world must do; positions are in the episode's axes (metres, y up)."""

from __future__ import annotations  # worlds in a worker process import this file under Python 3.9

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from apps.housekeep.episodes.episode import Episode

FORWARD_METRES = 0.25
TURN_DEGREES = 20
LOOK_DEGREES = 10
LOOK_LIMIT_DEGREES = 30
START_LOOK_DEGREES = -20  # 20 degrees down
REACH_METRES = 3.0
AGENT_RADIUS_METRES = 0.18
CAMERA_METRES = 1.5
FIELD_OF_VIEW_DEGREES = 90

# Why a GRAB_RELEASE did nothing.
NOTHING_THERE = "nothing there"  # the crosshair or the name is on no receptacle and no object
HAND_EMPTY = "hand empty"  # a receptacle, and nothing to put on it
HAND_FULL = "hand full"  # an object, while holding another
TOO_FAR = "too far"
NOT_IN_VIEW = "not in view"
NO_SPACE = "no space"


class Action(IntEnum):
    """The benchmark's six primitive actions."""

    MOVE_FORWARD = 0
    TURN_LEFT = 1
    TURN_RIGHT = 2
    LOOK_UP = 3
    LOOK_DOWN = 4
    GRAB_RELEASE = 5


def path_length(corners: Sequence[tuple[float, float]]) -> float:
    """Metres along `corners`; infinite when there are none (no path)."""
    if not corners:
        return math.inf
    return sum(math.dist(a, b) for a, b in zip(corners, corners[1:]))  # noqa: B905, RUF007 - Python 3.9


@dataclass(frozen=True)
class Pose:
    """Where the agent is: feet position, heading (radians, 0 looks along -z, positive turns left), tilt in degrees."""

    position: tuple[float, float, float]
    yaw: float
    tilt: int  # degrees, up positive, within +-30


@dataclass(frozen=True)
class StepResult:
    """What a primitive step did; `failure` is "" or says why nothing happened ("too far", "no space", ...)."""

    collided: bool = False
    failure: str = ""
    picked: int | None = None  # object index
    placed: tuple[int, int] | None = None  # object index, receptacle index


@dataclass(frozen=True)
class Frame:
    """One camera image: rgb uint8 [H, W, 3], instance ids int32 [H, W], distances float32 [H, W] (along the ray; 0: no
    hit)."""

    rgb: NDArray[np.uint8]
    semantic: NDArray[np.int32]
    depth: NDArray[np.float32]


class Simulator(Protocol):
    """An apartment with one agent.

    Instance ids: 0 is background (floor, walls), 1 + k is receptacle k, 1 + K + n is object n of the loaded episode.
    """

    @property
    def episode(self) -> Episode: ...

    @property
    def pose(self) -> Pose: ...

    @property
    def held(self) -> int | None:
        """Index of the object in the hand."""
        ...

    def load(self, episode: Episode) -> None:
        """Puts the agent and every object where `episode` says; the apartment is rebuilt only when it changed."""
        ...

    def step(self, action: Action) -> StepResult:
        """Executes one primitive action; GRAB_RELEASE acts on what is under the image's centre."""
        ...

    def grab_release(self, instance: int) -> StepResult:
        """GRAB_RELEASE on a named instance (the benchmark's id-based grab): it must be in view and within reach."""
        ...

    def render(self) -> Frame:
        """The first-person view."""
        ...

    def visible(self, among: NDArray[np.bool_] | None = None) -> frozenset[int]:
        """Ids of the receptacles and objects in view (in the image's field and not hidden); cheaper than `render`.

        `among` [instance id] asks only about the ids that it marks: the fewer, the cheaper.
        """
        ...

    def receptacle_of(self, item: int) -> int | None:
        """The receptacle that the object is on; None while it is held. Hidden state: for metrics and oracles."""
        ...

    def item_position(self, item: int) -> tuple[float, float, float]: ...

    def path(self, goal: Sequence[float], start: Sequence[float] | None = None) -> list[tuple[float, float]]:
        """Corner points (x, z) of a shortest walkable path from `start` (default: the agent) to `goal`, both included;
        [] when there is none."""
        ...

    def course(self, goal: Sequence[float]) -> int | None:
        """How many turns (left positive) to make before the next step forward on a short walk to `goal`.

        None when no step leads nearer: the agent is there, or there is no way.
        """
        ...

    def snap(self, point: Sequence[float]) -> tuple[float, float]:
        """The walkable (x, z) nearest to `point`."""
        ...

    def floor_cells(self) -> NDArray[np.float64]:
        """[cell, 2] centres (x, z) of the walkable floor connected to the start, on a grid of CELL_METRES."""
        ...

    def seen_floor(self) -> NDArray[np.int64]:
        """Indices into `floor_cells` of the cells in view from the current pose within SIGHT_METRES."""
        ...

    def close(self) -> None: ...


CELL_METRES = 0.25
SIGHT_METRES = 5.0
