"""How well scores rank places and objects: the benchmark's mean average precisions, and areas under ROC curves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.places import split_place
from lmgt_core.precision import auc

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def average_precision(relevant: Bools, scores: Floats) -> float | None:
    """Sum over thresholds of (recall gained) x precision, equal scores being one threshold; None if none is relevant.

    For `relevant` [item] and `scores` [item]. As in the benchmark's evaluator, nothing is interpolated.
    """
    if not relevant.any():
        return None
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # of each run of equal scores
    hits = np.cumsum(relevant[order])[last]
    precision = hits / (np.flatnonzero(last) + 1)
    gained = np.diff(np.append(0, hits)) / hits[-1]
    return float(gained @ precision)


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


def _precisions_in_rooms(correct: Bools, scores: Floats, places: Sequence[str]) -> list[float | None]:
    return [
        average_precision(correct[room, column], scores[room, column])
        for room in _rooms(places)
        for column in range(correct.shape[1])
    ]


def _precisions_of_rooms(correct: Bools, scores: Floats, places: Sequence[str]) -> list[float | None]:
    rooms = _rooms(places)
    right = np.array([correct[room].any(axis=0) for room in rooms])  # [room, object]
    best = np.array([scores[room].max(axis=0) for room in rooms])
    return [average_precision(right[:, column], best[:, column]) for column in range(correct.shape[1])]


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
