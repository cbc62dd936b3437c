"""What a linear model sees of an object at a place: products of features of their words.

A word's features span its likeness to the words of the training homes (the leading eigenvectors of a kernel, as in
Williams and Seeger 2000), so that a model carries over to words like them. Objects are alike as MiniLM finds their
names alike, places as their furniture is, and half of it only where their rooms are alike too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.text_observation import Encoder
from apps.housekeep.knowledge.places import object_words, receptacle_words, room_words, split_place

OBJECT_FEATURES, PLACE_FEATURES = 64, 64
OBJECT_WIDTH, PLACE_WIDTH = 1.0, 0.3  # how much less than 1 a cosine is where a likeness has fallen to 1/e
HOME = "home"  # the room of a place that has none
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WordFeatures:
    """The features of words of one kind; `names` are those that the kernel's eigenvectors were taken of."""

    names: tuple[str, ...]
    projection: Floats  # [name, feature], of a word's likeness to each of the names

    @classmethod
    def of(cls, names: Sequence[str], likeness: Floats, size: int) -> "WordFeatures":
        """The `size` leading features of `names`, whose likeness [name, name] is given."""
        values, vectors = np.linalg.eigh(likeness)
        leading = [i for i in range(len(names))[::-1] if values[i] > 1e-6 * values[-1]][:size]
        return cls(tuple(names), vectors[:, leading] / np.sqrt(values[leading]))

    def __call__(self, likeness: Floats) -> Floats:
        """[word, 1 + feature] a one and the features of words whose likeness [word, name] is given."""
        return np.hstack([np.ones((len(likeness), 1)), likeness @ self.projection])


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """The features of objects and those of places; a pair's are all their products."""

    objects: WordFeatures
    places: WordFeatures

    @classmethod
    def of(cls, vocabulary: Vocabulary, encoder: Encoder) -> "PairFeatures":
        """Those that the words of `vocabulary` span."""
        objects, places = vocabulary.objects, vocabulary.places
        return cls(
            WordFeatures.of(objects, objects_likeness(encoder, objects, objects), OBJECT_FEATURES),
            WordFeatures.of(places, places_likeness(encoder, places, places), PLACE_FEATURES),
        )

    def __call__(self, vocabulary: Vocabulary, encoder: Encoder) -> tuple[Floats, Floats]:
        """[object, 1 + feature] and [place, 1 + feature] of the words of a vocabulary, which may be another one."""
        return (
            self.objects(objects_likeness(encoder, vocabulary.objects, self.objects.names)),
            self.places(places_likeness(encoder, vocabulary.places, self.places.names)),
        )


def objects_likeness(encoder: Encoder, ours: Sequence[str], theirs: Sequence[str]) -> Floats:
    """[our object, their object] in (0, 1]."""
    return _likeness(encoder, OBJECT_WIDTH, [object_words(name) for name in ours], [object_words(o) for o in theirs])


def places_likeness(encoder: Encoder, ours: Sequence[str], theirs: Sequence[str]) -> Floats:
    """[our place, their place] in (0, 1]: that of the furniture, halved where rooms have nothing in common."""
    split = [[split_place(name) for name in names] for names in (ours, theirs)]
    our_furniture, their_furniture = ([receptacle_words(receptacle) for receptacle, _ in names] for names in split)
    our_rooms, their_rooms = ([room_words(room) or HOME for _, room in names] for names in split)
    same_room = _likeness(encoder, PLACE_WIDTH, our_rooms, their_rooms)
    return _likeness(encoder, PLACE_WIDTH, our_furniture, their_furniture) * (1.0 + same_room) / 2.0


def _likeness(encoder: Encoder, width: float, ours: Sequence[str], theirs: Sequence[str]) -> Floats:
    cosines = encoder.encode(ours).astype(np.float64) @ encoder.encode(theirs).astype(np.float64).T
    likeness: Floats = np.exp((cosines - 1.0) / width)
    return likeness
