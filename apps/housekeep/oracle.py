"""What is true: does an object belong at a place, and is a pick or a place therefore good?

Placing is good where the object belongs. Picking is good where it does not belong, since it can then be put right, and
bad where it does.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

from apps.housekeep.describe import Decision
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.knowledge.places import place_name
from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt

PICK, PLACE = "pick", "place"


class Truth(Protocol):
    """Where things belong; `digest` names the content."""

    @property
    def digest(self) -> str: ...

    def belongs(self, object: str, receptacle: str, room: str) -> bool:
        """Whether people keep `object` there; LookupError where this truth does not know."""
        ...


class PlacesTruth:
    """Every object's places; a place that is not among them is wrong for it.

    So it is with the benchmark's votes: receptacles that people were never asked about are correct for nothing.
    """

    def __init__(self, places_of: Mapping[str, Iterable[str]]) -> None:
        self.places_of = {name: frozenset(places) for name, places in places_of.items()}

    def belongs(self, object: str, receptacle: str, room: str) -> bool:
        """Whether the place is among the object's; KeyError for an unknown object."""
        return place_name(receptacle, room) in self.places_of[object]

    @cached_property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of all objects and places."""
        return _digest(f"{name}:{','.join(sorted(places))}" for name, places in self.places_of.items())


class EpisodesTruth:
    """What episodes themselves say, for the pairs of object and place that they hold."""

    def __init__(self, answers: Mapping[tuple[str, str], bool]) -> None:
        self.answers = answers  # (object, place)

    def belongs(self, object: str, receptacle: str, room: str) -> bool:
        """The episodes' answer; KeyError for a pair that no episode has."""
        return self.answers[object, place_name(receptacle, room)]

    @cached_property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of all answers."""
        return _digest(f"{o}:{place}:{int(answer)}" for (o, place), answer in self.answers.items())


class FirstTruth:
    """The first of several truths that knows a pair: the episodes' own, then the labels that audits are made of."""

    def __init__(self, truths: Sequence[Truth]) -> None:
        self.truths = tuple(truths)

    def belongs(self, object: str, receptacle: str, room: str) -> bool:
        """The answer of the first truth that has one; KeyError when none has."""
        for truth in self.truths:
            try:
                return truth.belongs(object, receptacle, room)
            except KeyError:
                continue
        raise KeyError((object, place_name(receptacle, room)))

    @cached_property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of the truths' digests, in order."""
        return _digest(truth.digest for truth in self.truths)


def truth_from_episodes(episodes: Sequence[Episode]) -> EpisodesTruth:
    """The union of the episodes' end matrices; UserError naming two that contradict each other."""
    answers: dict[tuple[str, str], bool] = {}
    said_by: dict[tuple[str, str], Episode] = {}
    for episode in episodes:
        objects = [item.category for item in episode.items]
        for receptacle, row in zip(episode.receptacles, episode.end.tolist(), strict=True):
            place = receptacle.place
            for name, answer in zip(objects, row, strict=True):
                if answers.setdefault((name, place), answer) is not answer:
                    raise UserError(_contradiction((name, place), said_by[name, place], episode))
                said_by.setdefault((name, place), episode)
    return EpisodesTruth(answers)


def _contradiction(pair: tuple[str, str], first: Episode, second: Episode) -> str:
    return (
        f"{second.source}: episode {second.episode_id}: whether {pair[0]} belongs on {pair[1]} contradicts "
        f"{first.source}: episode {first.episode_id}; use --judge oracle with episodes of one truth only"
    )


def asked(prompt: Prompt) -> Decision | None:
    """The pick or place that a prompt asks about; None for any other question."""
    facts = prompt.facts
    if facts.get("kind") not in (PICK, PLACE) or not {"object", "receptacle"} <= facts.keys():
        return None
    return Decision(facts["kind"], facts["object"], facts["receptacle"], facts.get("room", ""))


def verdict(prompt: Prompt, truth: Truth) -> Verdict:
    """The expert's verdict; neutral for what is no pick or place; LookupError where the truth does not know."""
    decision = asked(prompt)
    if decision is None:
        return Verdict.NEUTRAL
    belongs = truth.belongs(decision.object, decision.receptacle, decision.room)
    return Verdict.GOOD if belongs == (decision.kind == PLACE) else Verdict.BAD


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]
