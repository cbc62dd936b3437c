"""What the agent that acts by primitive actions knows, as text, and the text as numbers.

The text is bounded: a few lines in five sections. It is embedded line by line, because lines repeat (a home has a few
hundred of them) and whole texts hardly ever do: a line is encoded once for a process, and a step costs look-ups.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.describe import Decision
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.knowledge.places import object_words, place_words, room_words
from apps.housekeep.simulator.protocol import REACH_METRES, Frame
from apps.housekeep.task import Task
from captioners.captioner import CaptionFailure
from captioners.objects import ObjectsCaptioner

MAX_IN_VIEW = 6
MAX_SEEN = 24


class Encoder(Protocol):
    """Texts to vectors; `MiniLMEncoder` is one, and keeps what it has encoded."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class SeenText:
    """Lines by section; empty sections say so in `str`."""

    hand: tuple[str, ...]  # one line
    ahead: tuple[str, ...]  # what GRAB_RELEASE would do now; at most one line
    view: tuple[str, ...]  # what the image shows, the largest first
    objects: tuple[str, ...]  # every object seen so far, where it was last seen; the newest MAX_SEEN
    rooms: tuple[str, ...]  # the rooms of the receptacles seen so far

    def __str__(self) -> str:
        """The whole text, as a person or a language model reads it."""
        return " ".join(
            [
                *self.hand,
                *self.ahead,
                f"In view: {'; '.join(self.view) or 'nothing'}.",
                f"Objects seen: {'; '.join(self.objects) or 'none'}.",
                f"Rooms seen: {'; '.join(self.rooms) or 'none'}.",
            ]
        )


SECTIONS = tuple(field.name for field in fields(SeenText))


def instance_names(episode: Episode) -> dict[int, str]:
    """Words for every instance id of `episode`: receptacles with their room, objects by their category."""
    names = {1 + k: place_words(r.category, r.room) for k, r in enumerate(episode.receptacles)}
    first = 1 + len(names)
    return names | {first + n: object_words(item.category) for n, item in enumerate(episode.items)}


def captioner_of(episode: Episode) -> ObjectsCaptioner:
    """The objects captioner for frames of `episode` (privileged: it reads the semantic sensor)."""
    return ObjectsCaptioner(instance_names(episode), limit=MAX_IN_VIEW)


def decision_ahead(task: Task, frame: Frame) -> Decision | None:
    """The pick or place that GRAB_RELEASE would be now, as the image's middle pixel shows it; None when it would fail
    or when the agent does not know what the object is on."""
    height, width = frame.semantic.shape
    instance, metres = int(frame.semantic[height // 2, width // 2]), float(frame.depth[height // 2, width // 2])
    if instance == 0 or not 0 < metres <= REACH_METRES:
        return None
    item, held = instance - 1 - len(task.episode.receptacles), task.held
    if item < 0:
        return None if held is None else _decision(task.episode, "place", held, instance - 1)
    on = task.memory.item_on.get(item)
    return None if held is not None or on is None else _decision(task.episode, "pick", item, on)


def _decision(episode: Episode, kind: str, item: int, receptacle: int) -> Decision:
    place = episode.receptacles[receptacle]
    return Decision(kind, episode.items[item].category, place.category, place.room)


def seen_text(task: Task, frame: Frame, captioner: ObjectsCaptioner) -> SeenText:
    """What the agent knows now: its hand, what is ahead and in view, what it has seen since the episode began."""
    episode, memory = task.episode, task.memory
    hand = "The hand is empty."
    if task.held is not None:
        hand = f"The hand holds the {object_words(episode.items[task.held].category)}."
    view = captioner.sightings(frame.semantic, frame.depth)
    if isinstance(view, CaptionFailure):
        raise RuntimeError(f"{episode.source}, episode {episode.episode_id}: {view.reason}")
    objects = [
        f"{object_words(episode.items[item].category)} on the {_place(episode, on)}"
        for item, on in memory.item_on.items()
        if on is not None
    ]
    rooms = sorted({episode.receptacles[k].room for k in memory.receptacles} - {""})
    return SeenText(
        (hand,),
        _ahead(decision_ahead(task, frame)),
        tuple(f"{sighting.name}, {sighting.side}" for sighting in view),
        tuple(objects[-MAX_SEEN:]),
        tuple(room_words(room) for room in rooms),
    )


def _place(episode: Episode, receptacle: int) -> str:
    return place_words(episode.receptacles[receptacle].category, episode.receptacles[receptacle].room)


def _ahead(decision: Decision | None) -> tuple[str, ...]:
    if decision is None:
        return ()
    thing, where = object_words(decision.object), place_words(decision.receptacle, decision.room)
    if decision.kind == "pick":
        return (f"In reach: the {thing} on the {where}.",)
    return (f"The {thing} can be put on the {where}.",)


class TextEncoding:
    """`SeenText` as float32 [section * size]: a section is the mean of its lines' vectors, 0 when empty."""

    def __init__(self, encoder: Encoder, size: int) -> None:
        self.encoder, self.size = encoder, size
        self._last: dict[str, tuple[tuple[str, ...], NDArray[np.float32]]] = {}

    def __call__(self, text: SeenText) -> NDArray[np.float32]:
        """The numbers of `text`, each in [-1, 1] where the encoder's vectors are unit vectors."""
        return np.concatenate([self._section(name, getattr(text, name)) for name in SECTIONS])

    def _section(self, name: str, lines: tuple[str, ...]) -> NDArray[np.float32]:
        """Computed anew only when the section's lines have changed since the last call."""
        known = self._last.get(name)
        if known is None or known[0] != lines:
            vector = self.encoder.encode(lines).mean(axis=0) if lines else np.zeros(self.size)
            known = self._last[name] = (lines, vector.astype(np.float32))
        return known[1]
