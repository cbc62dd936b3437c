"""What the agent's network sees of each candidate skill: scalars, and (object, place) pairs of words."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.knowledge.places import object_words, place_words
from apps.housekeep.skills import Kind, Skill, in_reach
from apps.housekeep.task import Task

MAX_PAIRS = 4  # objects on one receptacle that a `go` is described with
SCALARS = (
    *(f"kind_{kind.name.lower()}" for kind in Kind),
    "hand_full",
    "distance",  # straight line to the receptacle, in units of 10 m
    "steps_left",  # share of the budget
    "unexplored",  # share of the floor
    "known_objects",  # in units of 10
    "objects_there",  # known objects on the receptacle, in units of MAX_PAIRS
    "is_origin",  # the held object was taken from there
    "visits",  # how often the agent went there, saturating at 3
    "in_reach",
    "failed",  # how often this very skill has failed in the episode, saturating at 3
)
PAIR_SCALARS = ("moved",)  # the agent itself has put the object there


@dataclass(frozen=True)
class Vocabulary:
    """The categories that a set of episodes names; a pair of words is a pair of indices into it."""

    objects: tuple[str, ...]
    places: tuple[str, ...]  # room|receptacle

    @classmethod
    def of(cls, episodes: Iterable[Episode]) -> "Vocabulary":
        """Every object category and place of `episodes`, sorted."""
        objects: set[str] = set()
        places: set[str] = set()
        for episode in episodes:
            objects.update(item.category for item in episode.items)
            places.update(receptacle.place for receptacle in episode.receptacles)
        return cls(tuple(sorted(objects)), tuple(sorted(places)))

    @cached_property
    def object_index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.objects)}

    @cached_property
    def place_index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.places)}

    def texts(self) -> tuple[list[str], list[str]]:
        """The words of every object and of every place, in order."""
        places = [place.partition("|") for place in self.places]
        return [object_words(o) for o in self.objects], [place_words(rec, room) for room, _, rec in places]


@dataclass(frozen=True)
class Observation:
    """The candidates of one decision.

    scalars float32 [candidate, len(SCALARS)]; pairs int16 [candidate, MAX_PAIRS, 2] of (object, place) indices, -1
    where there is none; moved float32 [candidate, MAX_PAIRS].
    """

    scalars: NDArray[np.float32]
    pairs: NDArray[np.int16]
    moved: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scalars)

    def only(self, candidate: int) -> "Observation":
        """This observation with one candidate."""
        row = slice(candidate, candidate + 1)
        return Observation(self.scalars[row], self.pairs[row], self.moved[row])


def observe(task: Task, skills: list[Skill], vocabulary: Vocabulary) -> Observation:
    """The features of every candidate in `skills`, from what the agent has seen."""
    n = len(skills)
    scalars = np.zeros((n, len(SCALARS)), np.float32)
    pairs = np.full((n, MAX_PAIRS, 2), -1, np.int16)
    moved = np.zeros((n, MAX_PAIRS), np.float32)
    memory, held, episode = task.memory, task.held, task.episode
    x, _, z = task.simulator.pose.position
    on: dict[int, list[int]] = {}
    for item, receptacle in sorted(memory.item_on.items()):
        if receptacle is not None:
            on.setdefault(receptacle, []).append(item)
    objects = [vocabulary.object_index[item.category] for item in episode.items]

    kinds = np.array([skill.kind for skill in skills])
    scalars[np.arange(n), kinds] = 1.0
    base = len(Kind)
    scalars[:, base] = held is not None
    scalars[:, base + 2] = 1.0 - task.steps / task.max_steps
    scalars[:, base + 3] = 1.0 - memory.explored.mean()
    scalars[:, base + 4] = len(memory.item_on) / 10
    for c, skill in enumerate(skills):
        scalars[c, base + 9] = min(memory.failed.get(skill, 0), 3) / 3
        k = skill.receptacle
        if k < 0:
            continue
        receptacle = episode.receptacles[k]
        goal = receptacle.nav_position
        there = on.get(k, [])
        scalars[c, base + 1] = np.hypot(goal[0] - x, goal[2] - z) / 10
        scalars[c, base + 5] = min(len(there), MAX_PAIRS) / MAX_PAIRS
        scalars[c, base + 6] = memory.origin == k
        scalars[c, base + 7] = min(memory.visits.get(k, 0), 3) / 3
        scalars[c, base + 8] = skill.kind is not Kind.GO or in_reach(task, k)
        if skill.kind is Kind.PICK:
            items = [skill.item]
        elif held is not None:
            items = [held]
        else:
            items = there[:MAX_PAIRS]
        place = vocabulary.place_index[receptacle.place]
        for p, item in enumerate(items):
            pairs[c, p] = objects[item], place
            moved[c, p] = min(memory.moved.get(item, 0), 2) / 2
    return Observation(scalars, pairs, moved)
