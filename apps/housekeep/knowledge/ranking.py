"""How well scores rank places and objects: the benchmark's mean average precisions, and areas under ROC curves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.knowledge.places import split_place
from lmgt_core.audit.precision import auc

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def average_precisions(relevant: Bools, scores: Floats) -> Floats:
    """The average precision [query] of each column of `relevant` and `scores` [item, query] that has a relevant item.

    It is the mean, over relevant items, of the precision among all items that score at least as high: equal scores are
    one threshold and nothing is interpolated, as in the benchmark's evaluator. Columns without a relevant item are left
    out.
    """
    asked = relevant.any(axis=0)
    relevant, scores = relevant[:, asked], scores[:, asked]
    above = scores[None, :, :] >= scores[:, None, :]  # [item, other item, query], the other scores at least as high
    precision = (above & relevant[None, :, :]).sum(axis=1) / above.sum(axis=1)
    areas: Floats = (precision * relevant).sum(axis=0) / relevant.sum(axis=0)
    return areas


@dataclass(frozen=True)
class Ranking:
    """The four numbers of one scorer, each None where nothing defines it; `n` objects have a right place."""

    orr_map: float | None  # mean over (object, room) of the AP of ranking that room's receptacles
    or_map: float | None  # mean over objects of the AP of ranking rooms
    pooled_auc: float | None  # over all pairs of object and place
    within_receptacle_auc: float | None  # ranks objects for one place, so its popularity cannot help
    n: int


def rank(correct: Bools, scores: Floats, places: Sequence[str]) -> Ranking:
    """The numbers of `scores` [place, object] against `correct` [place, object].

    As in the benchmark's evaluator, rooms (for ORR) and objects (for OR) without a right place are left out. Objects
    that belong nowhere are left out of everything (in the votes one test object, which the evaluator drops by name).
    A room is right for an object when one of its receptacles is, and scores as its best receptacle.
    """
    somewhere = correct.any(axis=0)
    correct, scores = correct[:, somewhere], scores[:, somewhere]
    return Ranking(
        _mean(_precisions_in_rooms(correct, scores, places)),
        _mean(_precisions_of_rooms(correct, scores, places)),
        auc(scores.ravel(), correct.ravel()),
        within_receptacle_auc(correct, scores),
        int(somewhere.sum()),
    )


def within_receptacle_auc(correct: Bools, scores: Floats) -> float | None:
    """The mean over places of the AUC of ranking objects [place, object]; None where no place can be ranked.

    A place weighs as many as the rarer of its right and wrong objects: an AUC over one right object is mostly noise.
    """
    areas, weights = [], []
    for right, values in zip(correct, scores, strict=True):
        if (area := auc(values, right)) is not None:
            areas.append(area)
            weights.append(min(int(right.sum()), int((~right).sum())))
    return float(np.average(areas, weights=weights)) if areas else None


def _rooms(places: Sequence[str]) -> list[NDArray[np.int64]]:
    """The positions of each room's places."""
    names = np.array([split_place(place)[1] for place in places])
    return [np.flatnonzero(names == room) for room in dict.fromkeys(names.tolist())]


def _precisions_in_rooms(correct: Bools, scores: Floats, places: Sequence[str]) -> Floats:
    return np.concatenate([average_precisions(correct[room], scores[room]) for room in _rooms(places)])


def _precisions_of_rooms(correct: Bools, scores: Floats, places: Sequence[str]) -> Floats:
    rooms = _rooms(places)
    right = np.array([correct[room].any(axis=0) for room in rooms])  # [room, object]
    best = np.array([scores[room].max(axis=0) for room in rooms])
    return average_precisions(right, best)


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None
