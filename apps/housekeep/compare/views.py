"""What is true of a frame of a home: what is in view, and the verdicts of the picks or places that it allows.

With an empty hand the questions are picks of objects in view; with a full one, placing what is held on furniture in
view. All of this is privileged: it reads the semantic sensor, and where objects belong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from apps.housekeep.compare.words import HomeWords, InView
from apps.housekeep.describe import Decision
from apps.housekeep.knowledge.places import object_words, place_words, receptacle_words, room_words
from apps.housekeep.oracle import PICK, PLACE
from apps.housekeep.simulator.protocol import Frame
from apps.housekeep.task import Task
from apps.housekeep.watch.frame_captions import hand_words
from captioners.captioner import CaptionFailure, image_digest
from captioners.objects import ObjectsCaptioner
from lmgt_core.judging.judgment import Verdict

ON = " on the "  # between an object and its place
VISIBLE = ObjectsCaptioner({}).min_share  # of the image; what shows less is faint


@dataclass(frozen=True)
class Question:
    """One pick or place: the true decision, its verdict, and the words that a judge is asked with.

    The words name the object of a pick but not where it is, and the furniture of a place but neither its room nor what
    is held: that has to come from caption or picture, and from the words about the hand.
    """

    decision: Decision
    label: Verdict

    @property
    def thing(self) -> str:
        """The object's words."""
        return object_words(self.decision.object)

    @property
    def furniture(self) -> str:
        """The words of where it is, or is to go."""
        return receptacle_words(self.decision.receptacle)

    @property
    def words(self) -> str:
        """What the robot is about to do."""
        if self.decision.kind == PICK:
            return f"pick up the {self.thing}, to put it somewhere else"
        return f"put what it holds on the {self.furniture}"


@dataclass(frozen=True, eq=False)
class View:
    """A frame, words for its instances (objects with what they are on), what is in view, and the questions."""

    frame: Frame
    names: Mapping[int, str]
    seen: InView
    hand: str
    questions: tuple[Question, ...]
    digest: str

    @property
    def kind(self) -> str:
        """What its questions are about, pick or place."""
        return self.questions[0].decision.kind

    @property
    def things(self) -> list[str]:
        """The words of all that is in view, the largest first."""
        seen = ObjectsCaptioner(self.names, limit=len(self.names)).sightings(self.frame.semantic)
        assert not isinstance(seen, CaptionFailure)  # every instance of an episode has a name
        return [sighting.name for sighting in seen]

    def words(self, limit: int) -> str:
        """The semantic frame in words, the `limit` largest things."""
        reader = ObjectsCaptioner(self.names, limit=limit)
        (said,) = reader.caption_semantic(self.frame.semantic[None], self.frame.depth[None])
        assert isinstance(said, str)  # every instance of an episode has a name
        return said


def view_of(task: Task, words: HomeWords) -> View:
    """What the robot sees now, and what is true of it (privileged: semantic sensor, and where objects belong)."""
    frame, episode = task.simulator.render(), task.episode
    ids, counts = np.unique(frame.semantic, return_counts=True)
    shares = {int(i): n / frame.semantic.size for i, n in zip(ids, counts, strict=True) if i}
    clear = [i for i, share in shares.items() if share >= VISIBLE]
    first = 1 + len(episode.receptacles)
    furniture = [i - 1 for i in clear if i < first]
    items = [i - first for i in clear if i >= first and task.on[i - first] >= 0]
    names = _names(task)
    seen = _in_view(task, words, furniture, items, [i for i in shares if i not in clear])
    if task.held is None:
        questions = [_question(task, PICK, n, task.on[n]) for n in items]
    else:
        questions = [_question(task, PLACE, task.held, k) for k in furniture]
    clearly = [q for q in questions if not {q.thing, q.furniture} & words.ambiguous]
    return View(frame, names, seen, hand_words(task), _sure(clearly), image_digest(frame.rgb))


def _names(task: Task) -> dict[int, str]:
    """Words for every instance: furniture with its room, objects with what they are on."""
    places = [place_words(r.category, r.room) for r in task.episode.receptacles]
    names = {1 + k: place for k, place in enumerate(places)}
    for n, item in enumerate(task.episode.items):
        on = f"{ON}{places[task.on[n]]}" if task.on[n] >= 0 else " in the hand"
        names[1 + len(places) + n] = object_words(item.category) + on
    return names


def _in_view(
    task: Task, words: HomeWords, furniture: Sequence[int], items: Sequence[int], faint: Sequence[int]
) -> InView:
    receptacles, first = task.episode.receptacles, 1 + len(task.episode.receptacles)
    items_words = [object_words(item.category) for item in task.episode.items]
    objects: dict[str, set[tuple[str, str]]] = {}
    for n in items:
        under = receptacles[task.on[n]]
        place = (receptacle_words(under.category), room_words(under.room))
        objects.setdefault(items_words[n], set()).add(place)
    pieces = {receptacle_words(receptacles[k].category) for k in furniture}
    small = {receptacle_words(receptacles[i - 1].category) if i < first else items_words[i - first] for i in faint}
    carrying = {where for places in objects.values() for where, _ in places}  # named with what is on it
    return InView(
        {name: frozenset(places) for name, places in objects.items() if name not in words.ambiguous},
        frozenset(pieces - words.ambiguous),
        frozenset((small | carrying) - pieces - objects.keys()) | words.ambiguous,
    )


def _question(task: Task, kind: str, item: int, receptacle: int) -> Question:
    place = task.episode.receptacles[receptacle]
    belongs = bool(task.episode.end[receptacle, item])
    decision = Decision(kind, task.episode.items[item].category, place.category, place.room)
    return Question(decision, Verdict.GOOD if belongs == (kind == PLACE) else Verdict.BAD)


def _sure(questions: Sequence[Question]) -> tuple[Question, ...]:
    """One question for each wording, where all things that it may mean are at one place and have one verdict."""
    meant: dict[str, list[Question]] = {}
    for question in questions:
        meant.setdefault(question.words, []).append(question)
    return tuple(
        same[0] for same in meant.values() if len({(q.furniture, q.decision.room, q.label) for q in same}) == 1
    )  # fmt: skip
