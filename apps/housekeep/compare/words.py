"""What a caption says of a home: which objects and furniture it names, where it puts them, and how far that is right.

A caption may be anybody's prose. It is read with the words of the episodes' objects, furniture and rooms, and the
relation "object on furniture in room"; synonyms and all other words are passed over. A word that names both an object
and furniture (`plant`) is passed over as well: which of the two is meant cannot be told.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from apps.housekeep.describe import Decision
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.knowledge.places import NO_TOP, object_words, receptacle_words, room_words
from apps.housekeep.oracle import PICK

Place = tuple[str, str]  # words of furniture and of its room; "" where no room is named
OBJECT, FURNITURE, ROOM = "object", "furniture", "room"
CLAUSE = re.compile(r"[.;:!?\n]+")
HOST = re.compile(r"\b(on|in|inside|onto|atop|upon|at)\b", re.IGNORECASE)  # before furniture
CARRIES = re.compile(r"\b(with|holds|holding|contains|containing|has|carries)\b", re.IGNORECASE)  # after it
ROOM_OF = re.compile(r"\b(in|of)\b", re.IGNORECASE)
Hit = tuple[str, str, int, int]  # kind, words, start, end


@dataclass(frozen=True)
class Mentions:
    """The words that a caption names; `on` has the places of objects as far as it says them."""

    objects: frozenset[str] = frozenset()
    furniture: frozenset[str] = frozenset()
    on: Mapping[str, Place] = field(default_factory=dict)
    rooms: Mapping[str, str] = field(default_factory=dict)  # furniture -> room, as far as it is said


@dataclass(frozen=True)
class InView:
    """What a frame really shows, in words; `faint` things are too small to be demanded or to be called wrong."""

    objects: Mapping[str, frozenset[Place]]  # with the places of those of that name
    furniture: frozenset[str]
    faint: frozenset[str] = frozenset()


class HomeWords:
    """The words of a set of episodes, and the reading of captions with them."""

    def __init__(self, episodes: Sequence[Episode]) -> None:
        objects = {item.category for episode in episodes for item in episode.items}
        places = {(r.category, r.room) for episode in episodes for r in episode.receptacles}
        self.categories = {object_words(name): name for name in sorted(objects)}
        self.places: dict[Place, tuple[str, str]] = {}
        for category, room in sorted(places, key=lambda place: (place[0].endswith(NO_TOP), place)):
            self.places.setdefault((receptacle_words(category), room_words(room)), (category, room))
        furniture = {words for words, _ in self.places}
        self.ambiguous = frozenset(furniture & self.categories.keys())
        kinds = dict.fromkeys((room for _, room in self.places if room), ROOM)
        kinds |= dict.fromkeys(furniture, FURNITURE) | dict.fromkeys(self.categories, OBJECT)
        self._kinds = {words: kind for words, kind in kinds.items() if words not in self.ambiguous}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest = sorted({*self._kinds, *self.ambiguous}, key=len, reverse=True)
        return re.compile(r"\b(" + "|".join(map(re.escape, longest)) + r")(?:e?s)?\b", re.IGNORECASE)

    def read(self, caption: str) -> Mentions:
        """What `caption` names; a room that is the only one named is that of all its furniture."""
        objects: set[str] = set()
        on: dict[str, Place] = {}
        rooms: dict[str, str] = {}
        furniture: set[str] = set()
        for clause in CLAUSE.split(caption):
            found = _Clause(self._hits(clause), clause)
            objects |= found.objects
            furniture |= found.furniture
            rooms = found.rooms | rooms
            on = found.on | on
        named = {words.lower() for kind, words, _, _ in self._hits(caption) if kind == ROOM}
        if len(named) == 1:
            (only,) = named
            rooms = {words: rooms.get(words, only) for words in furniture}
        on = {thing: (where, room or rooms.get(where, "")) for thing, (where, room) in on.items()}
        return Mentions(frozenset(objects), frozenset(furniture), on, rooms)

    def _hits(self, text: str) -> Iterator[Hit]:
        """(kind, words, start, end) of every known word in `text`, in order."""
        for match in self._pattern.finditer(text):
            words = match[1].lower()
            if words in self._kinds:
                yield self._kinds[words], words, match.start(), match.end()

    def decision(self, kind: str, thing: str, furniture: str, said: Mentions) -> Decision | str:
        """The decision that is asked about as `said` has it, or why it cannot be known from that.

        `thing` is the object that is named in the question (held, for a place), `furniture` the place of a place.
        """
        if kind == PICK:
            if thing not in said.on:
                return f"the caption does not say where the {thing} is"
            furniture, room = said.on[thing]
        elif furniture not in said.furniture:
            return f"the caption names no {furniture}"
        else:
            room = said.rooms.get(furniture, "")
        known = self.places.get((furniture, room)) or self.places.get((furniture, ""))  # a window has no room
        if known is None and not room:
            return f"the caption does not say in which room the {furniture} is"
        category, of_room = known or (furniture.replace(" ", "_"), room.replace("'", "").replace(" ", "_"))
        return Decision(kind, self.categories[thing], category, of_room)


class _Clause:
    """One clause, word by word: `mug on the table`, `on the table there is a mug`, `a table with a mug`."""

    def __init__(self, hits: Iterable[Hit], text: str) -> None:
        self.objects: set[str] = set()
        self.furniture: set[str] = set()
        self.on: dict[str, Place] = {}
        self.rooms: dict[str, str] = {}
        self._waiting: list[str] = []  # objects since the last piece of furniture
        self._host, self._carries = "", False  # the last piece of furniture, and whether what follows is on it
        end = 0
        for kind, words, start, stop in hits:
            take = {OBJECT: self._object, FURNITURE: self._piece, ROOM: self._room}[kind]
            take(words, text[end:start])
            end = stop

    def _object(self, words: str, before: str) -> None:
        self.objects.add(words)
        self._carries |= bool(self._host and CARRIES.search(before))
        if self._carries:
            self.on[words] = (self._host, "")
        self._waiting.append(words)

    def _piece(self, words: str, before: str) -> None:
        self.furniture.add(words)
        hosts = bool(HOST.search(before))
        if hosts:  # `a shelf with a mug, a book on the table`: only the last of them moves on
            self.on |= {t: (words, "") for t in self._waiting if t not in self.on or t == self._waiting[-1]}
        self._host, self._carries, self._waiting = words, hosts and not self._waiting, []

    def _room(self, words: str, before: str) -> None:
        if not self._host or self._waiting or not ROOM_OF.search(before):
            return
        self.rooms.setdefault(self._host, words)
        self.on = {t: (w, words if w == self._host and not room else room) for t, (w, room) in self.on.items()}


@dataclass(frozen=True)
class Correctness:
    """How right captions are, pooled over frames; each share in [0, 1], None where there is nothing to share."""

    exact: tuple[bool, ...]  # [frame] names all that is in view, where it is, and nothing else
    object_precision: float | None
    object_recall: float | None
    furniture_precision: float | None
    furniture_recall: float | None
    placed_right: float | None  # of the objects in view: named, with the right furniture and no wrong room

    def columns(self) -> dict[str, float | None]:
        """The shares by name, as columns of a table."""
        return {
            "object_precision": self.object_precision,
            "object_recall": self.object_recall,
            "furniture_precision": self.furniture_precision,
            "furniture_recall": self.furniture_recall,
            "placed_right": self.placed_right,
        }


def correctness(said: Sequence[Mentions], seen: Sequence[InView]) -> Correctness:
    """What is named beside what is in view, by class: two mugs are one mention."""
    counts = np.zeros((2, 3), int)  # (objects, furniture) x (named and there, named, there)
    placed: list[bool] = []
    exact = []
    for words, truth in zip(said, seen, strict=True):
        there = (frozenset(truth.objects), truth.furniture)
        named = tuple(part - truth.faint for part in (words.objects, words.furniture))
        counts += [[len(n & t), len(n), len(t)] for n, t in zip(named, there, strict=True)]
        right = [_placed(words.on.get(thing), places) for thing, places in truth.objects.items()]
        placed += right
        exact.append(named == there and all(right))
    shares = [(_share(both, n), _share(both, t)) for both, n, t in counts.tolist()]
    return Correctness(tuple(exact), *shares[0], *shares[1], _share(sum(placed), len(placed)))


def _placed(said: Place | None, places: frozenset[Place]) -> bool:
    """Furniture whose room nobody knows (a window) is right with any room."""
    return said is not None and any(
        said[0] == where and (said[1] == room or not (said[1] and room)) for where, room in places
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
