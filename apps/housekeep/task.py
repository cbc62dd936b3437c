"""The rearrangement task over a simulator: step budget, reward, what was seen, what was touched."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.protocol import Action, Simulator, StepResult

MAX_STEPS = 1000
Reward = Literal["sparse", "dense"]


@dataclass
class Memory:
    """What the agent knows: only what it has seen since the episode began.

    `item_on` maps an object to the receptacle on which it was last seen, or to None while it is in the hand. Seeing an
    object tells which receptacle it is on, as in the benchmark, whose agents read that relation from the simulator.
    """

    receptacles: set[int] = field(default_factory=set)
    item_on: dict[int, int | None] = field(default_factory=dict)
    explored: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))  # [floor cell]
    given_up: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))  # [floor cell] not worth exploring
    origin: int | None = None  # receptacle from which the held object was taken
    moved: dict[int, int] = field(default_factory=dict)  # object -> how often this agent has placed it
    visits: dict[int, int] = field(default_factory=dict)  # receptacle -> how often the agent went to it
    failed: dict[Hashable, int] = field(default_factory=dict)  # skill -> how often it failed
    futile: set[Hashable] = field(default_factory=set)  # skills that failed where the agent stands
    full: set[int] = field(default_factory=set)  # receptacles that refused an object for want of room


@dataclass
class Tally:
    """What the metrics need to know of the past."""

    touched: set[int] = field(default_factory=set)  # objects ever picked
    interactions: dict[int, int] = field(default_factory=dict)  # object -> successful picks and places
    attempts: int = 0  # GRAB_RELEASE actions
    failures: int = 0  # of which did nothing
    collisions: int = 0
    carried: dict[int, list[tuple[float, float, float]]] = field(default_factory=dict)  # object -> (walked, x, z) marks
    walked: float = 0.0  # metres


class Task:
    """One agent tidying one episode at a time.

    The reward is `sparse`: once, at the end, objects right minus objects right at the start; or `dense`: the same sum,
    paid as a change at every step. An object in the hand is not right. The episode ends after `max_steps` primitive
    actions, or when every object is right and the hand is empty (so does the benchmark's).
    """

    def __init__(self, simulator: Simulator, reward: Reward = "sparse", max_steps: int = MAX_STEPS) -> None:
        self.simulator = simulator
        self.reward = reward
        self.max_steps = max_steps
        self.memory = Memory()
        self.tally = Tally()

    def reset(self, episode: Episode) -> None:
        """Starts `episode` and looks once."""
        self.simulator.load(episode)
        self.episode = episode
        self.steps = 0
        cells = len(self.simulator.floor_cells())
        self.memory = Memory(explored=np.zeros(cells, bool), given_up=np.zeros(cells, bool))
        self.tally = Tally()
        self.on = [int(k) for k in episode.start_receptacle]  # [object] receptacle, -1 while held
        self._unseen = np.ones(1 + len(episode.receptacles) + len(episode.items), bool)  # [instance]
        self._unseen[0] = False  # the background
        self.right = ~episode.misplaced  # [object]
        self.right_at_start = self._right_before = int(self.right.sum())
        self.terminated = bool(self.right.all())
        self._observe()

    @property
    def truncated(self) -> bool:
        """Whether the step budget is used up."""
        return self.steps >= self.max_steps

    @property
    def over(self) -> bool:
        return self.terminated or self.truncated

    @property
    def held(self) -> int | None:
        return self.simulator.held

    def step(self, action: Action, instance: int | None = None) -> tuple[float, StepResult]:
        """The reward and result of a primitive action (of GRAB_RELEASE on `instance`, if one is named)."""
        if self.over:
            raise RuntimeError("the episode is over: call reset")
        before = self.simulator.pose.position
        if action is Action.GRAB_RELEASE and instance is not None:
            result = self.simulator.grab_release(instance)
        else:
            result = self.simulator.step(action)
        self.steps += 1
        after = self.simulator.pose.position
        self.tally.walked += float(np.hypot(after[0] - before[0], after[2] - before[2]))
        self.tally.collisions += result.collided
        if action is Action.GRAB_RELEASE:
            self._count_grab(result)
        self._observe()
        if result.placed is not None:
            self.terminated = bool(self.right.all())
        return self._earned(), result

    def leave_off(self) -> float:
        """Ends the episode with the home as it is; the reward since the last step."""
        self.terminated = True
        return self._earned()

    def _earned(self) -> float:
        """The reward since the last step."""
        if self.reward == "sparse" and not self.over:
            return 0.0
        right = int(self.right.sum())
        before, self._right_before = self._right_before, right
        return float(right - before)

    def _count_grab(self, result: StepResult) -> None:
        self.tally.attempts += 1
        self.tally.failures += bool(result.failure)
        if result.picked is not None:
            item = result.picked
            self.memory.origin = self.on[item]
            self.memory.item_on[item] = None
            self._unseen[1 + len(self.episode.receptacles) + item] = False
            self._moved(item, -1)
        if result.placed is not None:
            item, receptacle = result.placed
            self.memory.item_on[item] = receptacle
            self.memory.origin = None
            self.memory.moved[item] = self.memory.moved.get(item, 0) + 1
            self._moved(item, receptacle)

    def _moved(self, item: int, receptacle: int) -> None:
        self.on[item] = receptacle
        self.right[item] = receptacle >= 0 and self.episode.end[receptacle, item]
        self.tally.touched.add(item)
        self.tally.interactions[item] = self.tally.interactions.get(item, 0) + 1
        x, _, z = self.simulator.pose.position
        self.tally.carried.setdefault(item, []).append((self.tally.walked, x, z))

    def _observe(self) -> None:
        """Adds what is in view to the memory. Nothing but the agent moves things, so what was seen stays known."""
        if self._unseen.any():
            first_item = 1 + len(self.episode.receptacles)
            for instance in self.simulator.visible(self._unseen):
                self._unseen[instance] = False
                if instance < first_item:
                    self.memory.receptacles.add(instance - 1)
                else:
                    item = instance - first_item
                    self.memory.item_on[item] = self.on[item]
                    self._know(self.on[item])
        if not self.memory.explored.all():
            self.memory.explored[self.simulator.seen_floor()] = True

    def _know(self, receptacle: int) -> None:
        """A receptacle is known once it, or an object on it, was seen."""
        self.memory.receptacles.add(receptacle)
        self._unseen[1 + receptacle] = False
