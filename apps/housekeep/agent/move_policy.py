"""The policy that moves objects by what it has learned moves to be worth.

What is fixed is how a move is carried out, and that it looks around all floor first: the best place for a thing may be
the last one seen. Which object is moved, where to, and that nothing is worth moving any more, all is by the values.
"""

from collections.abc import Callable

import numpy as np

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.pair_features import Floats
from apps.housekeep.skills import Kind, Skill
from apps.housekeep.task import Task

Values = Callable[
    [], tuple[Floats, Floats]
]  # [object, place] of lying there from the start, of having been taken there
TRIES = 2  # walks towards the same object or with it towards the same place, before it is left there


class MovePolicy:
    """Carries the object to the place that gains most; leaves off once no move gains more than `least`. With
    probability `epsilon` a move is of a random object to a random place instead."""

    def __init__(self, values: Values, vocabulary: Vocabulary, rng: np.random.Generator, least: float) -> None:
        self.values, self.vocabulary, self.rng, self.least = values, vocabulary, rng, least
        self.epsilon = 0.0
        self._begin(None)

    def _begin(self, task: Task | None) -> None:
        self._goal: tuple[int, int] | None = None  # the object that is being moved, and where to
        self._tries: dict[tuple[int, int], int] = {}  # (object, receptacle) -> walks there for its sake
        if task is not None:
            objects = [self.vocabulary.object_index[item.category] for item in task.episode.items]
            places = [self.vocabulary.place_index[receptacle.place] for receptacle in task.episode.receptacles]
            self._lying, self._taken = (values[np.ix_(objects, places)] for values in self.values())

    def __call__(self, task: Task, skills: list[Skill]) -> Skill | None:
        if task.steps == 0:
            self._begin(task)
        if task.held is not None:
            return self._carry(task, task.held, skills)
        if (explore := Skill(Kind.EXPLORE)) in skills:
            return explore
        if self._goal is None or task.memory.moved.get(self._goal[0], 0) > self._moves:
            self._choose(task)
        while self._goal is not None:
            item, on = self._goal[0], task.memory.item_on[self._goal[0]]
            if on is not None and (skill := self._towards(Skill(Kind.PICK, item, on), skills)) is not None:
                return skill
            self._choose(task)
        return None

    def _choose(self, task: Task) -> None:
        """Sets the goal to the move that gains most, or a random one; to None where none gains enough."""
        lying = {item: on for item, on in task.memory.item_on.items() if on is not None and self._may(item, on)}
        places = sorted(task.memory.receptacles - task.memory.full)
        self._goal, most = None, self.least
        if not places:
            return
        if lying and self.rng.random() < self.epsilon:
            item = int(self.rng.choice(sorted(lying)))
            self._goal = item, int(self.rng.choice([place for place in places if place != lying[item]] or places))
        for item, on in sorted(lying.items()) if self._goal is None else ():
            here = (self._taken if item in task.memory.moved else self._lying)[item, on]
            gains = self._taken[item, places] - here
            gains[[place == on or not self._may(item, place) for place in places]] = -np.inf
            if gains.max() > most:
                self._goal, most = (item, places[int(gains.argmax())]), float(gains.max())
        if self._goal is not None:
            self._moves = task.memory.moved.get(self._goal[0], 0)

    def _carry(self, task: Task, item: int, skills: list[Skill]) -> Skill | None:
        """Placing the held object at its goal, or the way there; at the best other place where it cannot be put."""
        memory = task.memory
        others = sorted(memory.receptacles, key=lambda k: (-self._taken[item, k], k))
        goal = [self._goal[1]] if self._goal is not None and self._goal[0] == item else []
        for place in [*goal, *others]:
            skill = Skill(Kind.PLACE, item, place)
            if place not in memory.full and self._may(item, place) and (way := self._towards(skill, skills)):
                return way
        return next((skill for skill in skills if skill.kind is Kind.PLACE), None)

    def _towards(self, skill: Skill, skills: list[Skill]) -> Skill | None:
        """`skill` if it can be done, else the way to where it can; None where neither is, or it was tried enough."""
        if skill in skills:
            return skill
        way, what = Skill(Kind.GO, receptacle=skill.receptacle), (skill.item, skill.receptacle)
        self._tries[what] = self._tries.get(what, 0) + 1
        return way if way in skills and self._may(*what) else None

    def _may(self, item: int, receptacle: int) -> bool:
        return self._tries.get((item, receptacle), 0) <= TRIES
