"""The columns of a log, and the arrays that a batch of its rows becomes.

B rows, up to K places of a slate, up to N candidates, D numbers that describe a candidate, U that describe the user.
Slates and candidates may differ in length from row to row: arrays are as wide as the longest, the rest is filled.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.extras import need

KEY = b"lmgt"  # of the file's metadata: {"format": 1, "world": settings of a simulator or None, ...}
FORMAT = 1
NOTHING = -1  # a place after the slate's end; no click

COLUMNS: Mapping[str, str] = {
    "session": "who was served: whole numbers or text; the rows of a session follow each other",
    "step": "slates served in the session before this one",
    "time": "when the slate was shown, in seconds or minutes; never falls within a session",
    "candidates": "ids of what could be shown, whole numbers or text; in simulated worlds the documents' topics",
    "slate": "places among the candidates, from 0, the first shown first",
    "propensity": "probability with which this slate was shown, of all that could have been",
    "propensities": "for each place, the probability of its item given the items before it",
    "marginals": "for each place, the probability of its item there, whatever the other places hold",
    "click": "the place that was clicked, from 0; null for none",
    "reward": "what the slate earned, by its click: 0 without one",
    "context": "what describes the user, one list of one length in all rows",
    "features": "what describes each candidate, one after the other in one list",
    "history": "simulated worlds: sums over the session so far",
    "choice_scores": "simulated worlds: the scores that a recommender may know, last that of no click",
}
SCORES = "scores."  # begins the names of columns with one number for each candidate: what a policy ranks by
SLATES = "slates."  # begins the names of columns with places among the candidates: what a policy would have shown
REQUIRED = ("session", "step", "time", "candidates", "slate", "propensity", "click", "reward")

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Slates:
    """Rows of a log: whole sessions, one after the other.

    What the file does not have, or nobody asked the reader for, is None or missing from `more`.
    """

    key: NDArray[np.uint64]  # [B] a number that stands for the session, equal for equal ids in any file
    step: Integers  # [B]
    candidates: Integers  # [B] how many there were
    slate: Integers  # [B, K] places among the candidates, NOTHING after the slate's end
    propensity: Floats  # [B]
    click: Integers  # [B] a place in the slate, or NOTHING
    reward: Floats  # [B]
    propensities: Floats | None = None  # [B, K], 1 after the slate's end
    marginals: Floats | None = None  # [B, K], 1 after the slate's end
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # column -> [B, ...]

    def __len__(self) -> int:
        return len(self.step)

    @property
    def begins(self) -> Integers:
        """[S] the rows at which sessions begin."""
        return np.flatnonzero(np.r_[True, self.key[1:] != self.key[:-1]]) if len(self) else np.empty(0, np.int64)

    @property
    def rewards(self) -> Floats:
        """[B, K] the reward at the place that was clicked, 0 elsewhere."""
        at_click = np.arange(self.slate.shape[1]) == self.click[:, None]
        return np.where(at_click, self.reward[:, None], 0.0)


def arrow() -> Any:
    """The module `pyarrow`; UserError that says how to get it."""
    need("a log of slates", "pyarrow")
    import pyarrow

    return pyarrow


def arrow_schema(about: Mapping[str, Any], session: Any, candidate: Any, extra: Mapping[str, Any]) -> Any:
    """The Arrow schema of a log whose sessions and candidates have ids of these Arrow types.

    `extra` gives the types of the columns that not every log has; `about` is kept in the file's metadata.
    """
    pa = arrow()
    numbers = pa.list_(pa.float64())
    types = {
        "session": session,
        "step": pa.int32(),
        "time": pa.float64(),
        "candidates": pa.list_(candidate),
        "slate": pa.list_(pa.int32()),
        "propensity": pa.float64(),
        "click": pa.int32(),
        "reward": pa.float64(),
        "propensities": numbers,
        "marginals": numbers,
        **{name: pa.list_(pa.float32()) for name in ("context", "features", "history", "choice_scores")},
    }
    names = [*REQUIRED, *extra]
    fields = [pa.field(name, extra.get(name) or types[name]) for name in names]
    content = json.dumps({"format": FORMAT, **about})
    return pa.schema(fields, metadata={KEY: content.encode()})
