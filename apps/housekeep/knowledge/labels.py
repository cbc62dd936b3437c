"""What is known beforehand of where things belong: the labels that judges are fitted to and audited on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.knowledge.common_sense import OBJECTS, PLACES, SPLITS, belongs
from apps.housekeep.knowledge.votes import load_splits, load_votes
from apps.housekeep.oracle import PlacesTruth
from lmgt_core.errors import UserError

TRAIN, VAL, TEST = "train", "val", "test"


@dataclass(frozen=True, eq=False)
class Labels:
    """Answers of people, or of the built-in table, about every object at every place.

    `splits` names the objects of train (all that may be fitted to), val (probes of the audit before training) and test.
    """

    source: str  # votes, table
    objects: tuple[str, ...]
    places: tuple[str, ...]  # room|receptacle
    share: NDArray[np.float64]  # [place, object], of the people who would put it there, in [0, 1]
    correct: NDArray[np.bool_]  # [place, object]
    splits: Mapping[str, tuple[str, ...]]
    liked: NDArray[np.bool_] | None = None  # [place, object, person], who would put it there; None for the table

    def only(self, objects: Sequence[str]) -> "Labels":
        """The labels of these objects alone; KeyError for one without labels."""
        index = {name: i for i, name in enumerate(self.objects)}
        columns = [index[name] for name in objects]
        splits = {split: tuple(o for o in names if o in set(objects)) for split, names in self.splits.items()}
        return replace(
            self,
            objects=tuple(objects),
            share=self.share[:, columns],
            correct=self.correct[:, columns],
            splits=splits,
            liked=None if self.liked is None else self.liked[:, columns],
        )

    @cached_property
    def train(self) -> "Labels":
        """The labels of the train objects: all that a judge may be fitted to."""
        return self.only(self.splits[TRAIN])

    @cached_property
    def truth(self) -> PlacesTruth:
        """The correct places of every object."""
        rows = self.correct.T  # [object, place]
        return PlacesTruth(
            {o: [self.places[k] for k in np.flatnonzero(row)] for o, row in zip(self.objects, rows, strict=True)}
        )

    @cached_property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of objects, places and answers."""
        content = hashlib.sha256("\n".join((*self.objects, "", *self.places)).encode())
        content.update(np.ascontiguousarray(self.share).tobytes() + np.ascontiguousarray(self.correct).tobytes())
        return content.hexdigest()[:12]


def labels_from_votes(votes: Path, splits: Path) -> Labels:
    """What people voted; UserError naming the file for a split's object without votes."""
    found, parts = load_votes(votes), load_splits(splits)
    for split, names in parts.items():
        if missing := sorted(set(names) - set(found.objects)):
            raise UserError(
                f"{splits}: {split} object {missing[0]} has no votes in {votes}; use the files of one release"
            )
    liked = found.ranks > 0
    return Labels("votes", found.objects, found.places, liked.mean(axis=2), found.correct, parts, liked)


def labels_from_table() -> Labels:
    """What the built-in common-sense table says, as certainties."""
    correct = np.array([[belongs(name, place) for name in OBJECTS] for place in PLACES])
    return Labels("table", OBJECTS, PLACES, correct.astype(np.float64), correct, SPLITS)
