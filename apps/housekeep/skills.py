"""Skills over primitive actions: look around, explore, go, pick, place; each one costs the primitive steps it takes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.describe import Decision
from apps.housekeep.simulator.protocol import (
    CAMERA_METRES,
    LOOK_DEGREES,
    LOOK_LIMIT_DEGREES,
    REACH_METRES,
    TURN_DEGREES,
    Action,
    path_length,
)
from apps.housekeep.task import Task

ARRIVED_METRES = 0.2  # a walk ends this near its goal
LOOK_AROUND_TURNS = 360 // TURN_DEGREES
MAX_WALK_STEPS = 200


class Kind(IntEnum):
    """What a skill does."""

    LOOK = 0
    EXPLORE = 1
    GO = 2
    PICK = 3
    PLACE = 4


@dataclass(frozen=True)
class Skill:
    """One thing the agent could do now; `item` for a pick, `receptacle` for a go or a place (and a pick's place)."""

    kind: Kind
    item: int = -1
    receptacle: int = -1


@dataclass(frozen=True)
class Outcome:
    """What executing a skill gave: summed reward, primitive steps used, "" or why it failed."""

    reward: float
    steps: int
    failure: str = ""


def candidates(task: Task) -> list[Skill]:
    """Every skill that is possible now as far as the agent knows, in a fixed order; never empty."""
    memory, held = task.memory, task.held
    skills = [Skill(Kind.LOOK)]
    if unexplored(task).any():
        skills.append(Skill(Kind.EXPLORE))
    receptacles = sorted(memory.receptacles)
    skills += [Skill(Kind.GO, receptacle=k) for k in receptacles if not at_receptacle(task, k)]
    if held is None:
        skills += [
            Skill(Kind.PICK, item, on)
            for item, on in sorted(memory.item_on.items())
            if on is not None and in_reach_of_item(task, item, on)
        ]
    else:
        skills += [Skill(Kind.PLACE, held, k) for k in receptacles if k not in memory.full and in_reach(task, k)]
    return [skill for skill in skills if skill not in memory.futile]


def decision_of(task: Task, skill: Skill) -> Decision | None:
    """The pick or place that `skill` stands for, in the words of the data; None for the other skills."""
    if skill.kind not in (Kind.PICK, Kind.PLACE):
        return None
    receptacle = task.episode.receptacles[skill.receptacle]
    kind = "pick" if skill.kind is Kind.PICK else "place"
    return Decision(kind, task.episode.items[skill.item].category, receptacle.category, receptacle.room)


def unexplored(task: Task) -> NDArray[np.bool_]:
    """[floor cell] whether it was neither in view yet nor given up as an aim of exploring."""
    return ~(task.memory.explored | task.memory.given_up)


def nearest_point(task: Task, receptacle: int) -> tuple[float, float, float]:
    """The point of the receptacle's box nearest to the camera (x, y, z)."""
    rec = task.episode.receptacles[receptacle]
    x, _, z = task.simulator.pose.position
    x_min, z_min, dx, dz = rec.footprint
    top = max(2 * rec.position[1], rec.position[1])
    return (min(max(x, x_min), x_min + dx), min(CAMERA_METRES, top), min(max(z, z_min), z_min + dz))


def camera_distance(task: Task, point: tuple[float, float, float]) -> float:
    """Metres from the camera to `point`."""
    x, _, z = task.simulator.pose.position
    return math.dist((x, CAMERA_METRES, z), point)


def in_reach(task: Task, receptacle: int) -> bool:
    """Whether the receptacle's box comes within reach of where the agent stands."""
    return camera_distance(task, nearest_point(task, receptacle)) <= REACH_METRES


def in_reach_of_item(task: Task, item: int, receptacle: int) -> bool:
    """Whether the object or the receptacle that it was seen on is within reach (the benchmark takes the nearer)."""
    near = camera_distance(task, task.simulator.item_position(item)) <= REACH_METRES
    return near or in_reach(task, receptacle)


def at_receptacle(task: Task, receptacle: int) -> bool:
    """Whether the agent already stands where a go would take it."""
    x, _, z = task.simulator.pose.position
    goal = task.episode.receptacles[receptacle].nav_position
    return math.hypot(goal[0] - x, goal[2] - z) <= ARRIVED_METRES


class SkillRunner:
    """Executes skills as primitive actions that the simulator really takes.

    `watch` is called after every primitive action (for videos): watch(task, action).
    """

    def __init__(self, task: Task, watch: Callable[[Task, Action], None] | None = None) -> None:
        self.task = task
        self.watch = watch

    def run(self, skill: Skill) -> Outcome:
        """Executes `skill` until it is done, has failed, or the episode is over; it takes at least one step."""
        self._reward, self._start = 0.0, self.task.steps
        place = self.task.simulator.pose.position
        failure = {
            Kind.LOOK: self._look_around,
            Kind.EXPLORE: self._explore,
            Kind.GO: lambda: self._go(skill.receptacle),
            Kind.PICK: lambda: self._pick(skill),
            Kind.PLACE: lambda: self._place(skill),
        }[skill.kind]()
        if self.task.steps == self._start and not self.task.over:
            self._act(Action.TURN_LEFT)
        self._remember(skill, failure, place)
        return Outcome(self._reward, self.task.steps - self._start, failure)

    def _remember(self, skill: Skill, failure: str, place: tuple[float, float, float]) -> None:
        """What failed here fails here again: no candidate until the agent has gone elsewhere or its hand changed."""
        memory = self.task.memory
        if math.dist(place, self.task.simulator.pose.position) > ARRIVED_METRES or (
            skill.kind in (Kind.PICK, Kind.PLACE) and not failure
        ):
            memory.futile.clear()
        if failure:
            memory.failed[skill] = memory.failed.get(skill, 0) + 1
            memory.futile.add(skill)

    def _act(self, action: Action, instance: int | None = None) -> str:
        if self.task.over:
            return "the episode is over"
        reward, result = self.task.step(action, instance)
        self._reward += reward
        if self.watch is not None:
            self.watch(self.task, action)
        return result.failure

    def _look_around(self) -> str:
        for _ in range(LOOK_AROUND_TURNS):
            self._act(Action.TURN_LEFT)
        return ""

    def _explore(self) -> str:
        """Walks towards the nearest floor that was not in view yet, until it is."""
        cells = self.task.simulator.floor_cells()
        unseen = np.flatnonzero(unexplored(self.task))
        x, _, z = self.task.simulator.pose.position
        nearest = unseen[np.argsort(np.hypot(cells[unseen, 0] - x, cells[unseen, 1] - z), kind="stable")[:8]]
        lengths = [path_length(self.task.simulator.path((cells[c, 0], 0.0, cells[c, 1]))) for c in nearest]
        goal = int(nearest[int(np.argmin(lengths))])
        cell = (float(cells[goal, 0]), float(cells[goal, 1]))
        failure = self._walk(*cell, lambda: bool(self.task.memory.explored[goal]))
        if not self.task.memory.explored[goal]:
            self._face(*cell)
        # A cell that cannot be brought into view from where the walk ended would be the goal for ever.
        self.task.memory.given_up[goal] = True
        return failure

    def _go(self, receptacle: int) -> str:
        self.task.memory.visits[receptacle] = self.task.memory.visits.get(receptacle, 0) + 1
        goal = self.task.episode.receptacles[receptacle].nav_position
        failure = self._walk(goal[0], goal[2], lambda: False)
        self._aim(self._centre(receptacle))
        return failure

    def _pick(self, skill: Skill) -> str:
        self._aim(self.task.simulator.item_position(skill.item))
        instance = 1 + len(self.task.episode.receptacles) + skill.item
        return self._act(Action.GRAB_RELEASE, instance)

    def _place(self, skill: Skill) -> str:
        self._aim(self._centre(skill.receptacle))
        failure = self._act(Action.GRAB_RELEASE, 1 + skill.receptacle)
        if failure == "no space":
            self.task.memory.full.add(skill.receptacle)
        return failure

    def _centre(self, receptacle: int) -> tuple[float, float, float]:
        rec = self.task.episode.receptacles[receptacle]
        x_min, z_min, dx, dz = rec.footprint
        return (x_min + dx / 2, rec.position[1], z_min + dz / 2)

    def _walk(self, x: float, z: float, done: Callable[[], bool]) -> str:
        """Walks to (x, z), or until `done`; "" on arrival, or why not."""
        for _ in range(MAX_WALK_STEPS):
            px, _, pz = self.task.simulator.pose.position
            if done() or math.hypot(x - px, z - pz) <= ARRIVED_METRES:
                return ""
            if (turns := self.task.simulator.course((x, 0.0, z))) is None:
                return "no way"
            self._turn(turns)
            self._act(Action.MOVE_FORWARD)
            if self.task.over:
                return "the episode is over"
        return "stuck"

    def _turn(self, turns: int) -> None:
        """Turns left `turns` times, right when it is negative."""
        for _ in range(abs(turns)):
            self._act(Action.TURN_LEFT if turns > 0 else Action.TURN_RIGHT)

    def _face(self, x: float, z: float) -> None:
        """Turns until (x, z) lies within half a turn of straight ahead."""
        pose = self.task.simulator.pose
        px, _, pz = pose.position
        bearing = math.atan2(-(x - px), -(z - pz))  # 0 looks along -z, positive turns left
        off = math.degrees((bearing - pose.yaw + math.pi) % (2 * math.pi) - math.pi)
        self._turn(round(off / TURN_DEGREES))

    def _aim(self, point: tuple[float, float, float]) -> None:
        """Brings `point` as near to the image's centre as turns and looks allow."""
        self._face(point[0], point[2])
        x, _, z = self.task.simulator.pose.position
        flat = max(math.hypot(point[0] - x, point[2] - z), 1e-6)
        wanted = math.degrees(math.atan2(point[1] - CAMERA_METRES, flat))
        wanted = max(-LOOK_LIMIT_DEGREES, min(LOOK_LIMIT_DEGREES, wanted))
        looks = round((wanted - self.task.simulator.pose.tilt) / LOOK_DEGREES)
        for _ in range(abs(looks)):
            self._act(Action.LOOK_UP if looks > 0 else Action.LOOK_DOWN)
