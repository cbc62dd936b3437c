"""Frames of play that is half random and half an expert's, so that they show what learners see and what they come to.

The expert reads hidden state (where objects belong); it only decides which frames are seen.
"""

import math
from collections.abc import Callable, Mapping, Sequence, Set

import numpy as np

from apps.housekeep.compare.views import View, view_of
from apps.housekeep.compare.words import HomeWords
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.oracle import PICK, PLACE
from apps.housekeep.simulator.protocol import Simulator
from apps.housekeep.skills import Kind, Skill, SkillRunner, candidates
from apps.housekeep.task import Task
from lmgt_core.errors import UserError

RANDOMNESS = 0.5  # share of random skills
EVERY = 2  # skills between two frames that are looked at
SKILLS = 60  # of an episode
FEWEST_EACH = 3  # frames taken of an episode, if it shows as many


class ExpertPolicy:
    """Puts wrong objects right as far as it has seen them (privileged: reads where they belong), else explores."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def __call__(self, task: Task, skills: list[Skill]) -> Skill:
        """A pick or place that helps; else the way to one; else exploring; else looking around."""
        helping = self._places(task, task.held) if task.held is not None else self._wrong(task)
        last = Kind.PLACE if task.held is not None else Kind.PICK
        for kind in (last, Kind.GO, Kind.EXPLORE, Kind.LOOK):
            options = [s for s in skills if s.kind is kind and (kind not in (last, Kind.GO) or self._helps(s, helping))]
            if options:
                return options[int(self.rng.integers(len(options)))]
        return skills[int(self.rng.integers(len(skills)))]

    @staticmethod
    def _places(task: Task, held: int) -> set[tuple[int, int]]:
        return {(held, int(k)) for k in np.flatnonzero(task.episode.end[:, held])}

    @staticmethod
    def _wrong(task: Task) -> set[tuple[int, int]]:
        known = [(item, on) for item, on in task.memory.item_on.items() if on is not None]
        return {(item, on) for item, on in known if not task.episode.end[on, item]}

    @staticmethod
    def _helps(skill: Skill, helping: Set[tuple[int, int]]) -> bool:
        if skill.kind is Kind.GO:
            return any(receptacle == skill.receptacle for _, receptacle in helping)
        return (skill.item, skill.receptacle) in helping


def collect(
    simulator: Simulator,
    episodes: Sequence[Episode],
    words: HomeWords,
    count: int,
    rng: np.random.Generator,
    without: Set[str] = frozenset(),
    tick: Callable[[int], object] = lambda frames: None,
) -> list[View]:
    """`count` views with questions, all different and none of them in `without`; UserError where play shows fewer.

    Half of them are seen with an empty hand, and ask about picks. `tick` is told of every one.
    """
    found: dict[str, View] = {}
    wanted = {PICK: count - count // 2, PLACE: count // 2}
    each = max(FEWEST_EACH, math.ceil(count / len(episodes)))
    before = -1
    while len(found) > before:  # an episode that is played again is played otherwise
        before = len(found)
        for position in rng.permutation(len(episodes)).tolist():
            for view in _play(simulator, episodes[position], wanted, each, rng, words):
                if view.digest not in found and view.digest not in without and wanted[view.kind]:
                    found[view.digest] = view
                    wanted[view.kind] -= 1
                    tick(1)
            if not any(wanted.values()):
                return list(found.values())
    raise UserError(f"--frames: play of {len(episodes)} episodes showed only {len(found)} new frames; ask for fewer")


def _play(
    simulator: Simulator,
    episode: Episode,
    wanted: Mapping[str, int],
    most: int,
    rng: np.random.Generator,
    words: HomeWords,
) -> list[View]:
    """At most `most` different views of one episode, all of kinds that are still wanted."""
    task, expert = Task(simulator), ExpertPolicy(rng)
    task.reset(episode)
    runner, views = SkillRunner(task), dict[str, View]()
    for number in range(SKILLS):
        if task.over or len(views) == most:
            break
        skills = candidates(task)
        wild = rng.random() < RANDOMNESS
        runner.run(skills[int(rng.integers(len(skills)))] if wild else expert(task, skills))
        if number % EVERY and wanted[PICK if task.held is None else PLACE]:
            view = view_of(task, words)
            if view.questions:
                views[view.digest] = view
    return list(views.values())
