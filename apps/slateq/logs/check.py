"""What a log of one's own must keep to: each check names the first row that does not, and its column."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.slateq.logs.column_map import Theirs
from apps.slateq.logs.lists import lengths_of, padded
from apps.slateq.logs.reader import keys_of
from apps.slateq.logs.schema import NOTHING, SCORES, SLATES, Floats, Integers, arrow

TOLERANCE = 1e-3  # of a propensity, as a share of it: logs are often in single precision


class SessionCheck:
    """That the rows of a session follow each other and time does not run backwards; remembers 8 bytes a session."""

    def __init__(self) -> None:
        self.seen = np.empty(0, np.uint64)  # sorted keys of sessions that are over
        self.last: tuple[np.uint64, float, int] | None = None  # key, time, step of the row before

    def steps(self, rows: Theirs) -> tuple[Integers, Floats]:
        """The step and the time [B] of each row."""
        pa, column = arrow(), rows.columns["session"]
        if not (pa.types.is_integer(column.type) or pa.types.is_string(column.type)):
            rows.refuse_type("session", "whole numbers or text")
        rows.refuse(column.is_null().to_numpy(zero_copy_only=False), "session", "is empty")
        key, time = keys_of(column), rows.numbers("time")
        same = np.r_[self.last is not None and self.last[0] == key[0], key[1:] == key[:-1]]
        before = np.r_[time[0] if self.last is None else self.last[1], time[:-1]]
        rows.refuse(same & (time < before), "time", "time runs backwards in the session")
        begins = np.flatnonzero(~same)
        self._check_new(rows, key, begins)
        first = 0 if self.last is None else self.last[2] + 1
        start = np.zeros(len(key), np.int64)
        start[begins] = begins + (first if same[0] else 0)
        step = np.arange(len(key)) + (first if same[0] else 0) - np.maximum.accumulate(start)
        if rows.has("step"):
            given = rows.numbers("step")
            rows.refuse(given != step, "step", "does not count the session's rows from 0")
        self.last = (key[-1], float(time[-1]), int(step[-1]))
        return step, time

    def _check_new(self, rows: Theirs, key: NDArray[np.uint64], begins: Integers) -> None:
        """That no session begins that was there before."""
        fresh, at = np.unique(key[begins], return_index=True)
        again = np.isin(key[begins], self.seen) | ~np.isin(np.arange(len(begins)), at)
        if self.last is not None:
            again |= key[begins] == self.last[0]
        wrong = np.zeros(len(key), bool)
        wrong[begins[again]] = True
        rows.refuse(wrong, "session", "the session was over already; let the rows of a session follow each other")
        self.seen = np.union1d(self.seen, fresh)


def checked_slates(rows: Theirs) -> tuple[Integers, Integers, Any]:
    """Slates [B, K] as places among the candidates, their lengths [B], and the ids of the candidates [B, N]."""
    candidates, slate = ids_of(rows, "candidates"), rows.list_column("slate")
    counts, lengths = lengths_of(rows.columns["candidates"]), lengths_of(slate)
    rows.refuse(counts == 0, "candidates", "there are none")
    rows.refuse(repeats(candidates, counts), "candidates", "an item stands there twice")
    rows.refuse(lengths == 0, "slate", "nothing was shown")
    rows.refuse(lengths > counts, "slate", "the slate is longer than the list of candidates")
    places = places_of(rows, "slate", candidates)
    rows.refuse(repeats(places, lengths), "slate", "an item stands there twice")
    return places, lengths, candidates


def checked_propensities(rows: Theirs, lengths: Integers) -> dict[str, Floats]:
    """{propensity [B], propensities [B, K], marginals [B, K]}, as far as the file has them."""
    found: dict[str, Floats] = {}
    for name in ("propensities", "marginals"):
        if rows.has(name):
            values, given = rows.lists(name)
            rows.refuse(given != lengths, name, "is not as long as the slate")
            rows.refuse(((values <= 0) | (values > 1)).any(axis=1), name, "a probability lies outside (0, 1]")
            found[name] = values
    if "propensities" in found:
        found["propensity"] = np.prod(found["propensities"], axis=1)
    if rows.has("propensity"):
        propensity = rows.numbers("propensity")
        rows.refuse((propensity <= 0) | (propensity > 1), "propensity", "the probability lies outside (0, 1]")
        if "propensities" in found:
            off = np.abs(propensity - found["propensity"]) > TOLERANCE * propensity
            rows.refuse(off, "propensity", "is not the product of the places' propensities")
        found["propensity"] = propensity
    if "marginals" in found:
        low = found["marginals"] < found["propensity"][:, None] * (1 - TOLERANCE)
        rows.refuse(low.any(axis=1), "marginals", "an item is likelier in this slate than in any")
    return found


def checked_click(rows: Theirs, slate: Integers, lengths: Integers, candidates: Any) -> tuple[Integers, Floats]:
    """The clicked place [B], NOTHING for none, and the reward [B]."""
    name = "click" if rows.has("click") else "click_item"
    column = rows.columns[name]
    none = column.is_null().to_numpy(zero_copy_only=False)
    if name == "click":
        if not arrow().types.is_integer(column.type):
            rows.refuse_type(name, "whole numbers")
        click = column.fill_null(NOTHING).to_numpy().astype(np.int64)
        rows.refuse(~none & ((click < 0) | (click >= lengths)), name, "the slate has no such place, from 0")
    else:
        item = place_of_one(rows, name, candidates)
        hit = (slate == item[:, None]) & (slate != NOTHING)
        rows.refuse(~none & ~hit.any(axis=1), name, "the clicked item is not in the slate")
        click = np.where(none, NOTHING, hit.argmax(axis=1))
    reward = rows.numbers("reward")
    rows.refuse((click == NOTHING) & (reward != 0), "reward", "there is a reward and no click that earned it")
    return click, reward


def checked_more(rows: Theirs, candidates: Any, counts: Integers, lengths: Integers) -> dict[str, Any]:
    """{column: (values [B, M], lengths [B])} of what describes users and candidates, and of what policies do."""
    found: dict[str, Any] = {}
    for name in rows.columns:
        if name in ("context", "features"):
            values, given = rows.lists(name, 0.0)
            each = counts if name == "features" else np.ones_like(given)
            rows.refuse(given % each != 0, name, "has not equally many numbers for each candidate")
            width = given // each
            rows.refuse(width != width[0], name, "has not as many numbers as in the row before")
            found[name] = values, given
        elif name.startswith(SCORES):
            values, given = rows.lists(name, 0.0)
            rows.refuse(given != counts, name, "has not one number for each candidate")
            found[name] = values, given
        elif name.startswith(SLATES):
            places, given = places_of(rows, name, candidates), lengths_of(rows.columns[name])
            rows.refuse(given < lengths, name, "is shorter than what was shown")
            rows.refuse(repeats(places, given), name, "an item stands there twice")
            found[name] = places, given
    return found


def ids_of(rows: Theirs, name: str) -> Any:
    """The lists of ids of an Arrow column, whole numbers or text."""
    pa, column = arrow(), rows.list_column(name)
    kind = column.type.value_type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind)):
        rows.refuse_type(name, "lists of whole numbers or of text")
    return padded(column, NOTHING)[0] if pa.types.is_integer(kind) else _text(column)


def places_of(rows: Theirs, name: str, candidates: Any) -> Integers:
    """[B, M] where the items of the column stand among the candidates [B, N]; NOTHING after a list's end."""
    items, lengths = ids_of(rows, name), lengths_of(rows.columns[name])
    counts = lengths_of(rows.columns["candidates"])
    there = np.arange(candidates.shape[1]) < counts[:, None]
    hit = (items[:, :, None] == candidates[:, None, :]) & there[:, None, :]
    inside = np.arange(items.shape[1]) < lengths[:, None]
    rows.refuse((inside & ~hit.any(axis=2)).any(axis=1), name, "an item is not among the candidates")
    return np.where(inside, hit.argmax(axis=2), NOTHING)


def place_of_one(rows: Theirs, name: str, candidates: Any) -> Integers:
    """[B] where the item of the column stands among the candidates [B, N]; NOTHING where it is not."""
    column = rows.columns[name]
    if arrow().types.is_integer(column.type):
        item = column.fill_null(NOTHING).to_numpy()
    else:
        item = np.array(["" if value is None else value for value in column.to_pylist()], object)
    counts = lengths_of(rows.columns["candidates"])
    hit = (candidates == item[:, None]) & (np.arange(candidates.shape[1]) < counts[:, None])
    return np.where(hit.any(axis=1), hit.argmax(axis=1), NOTHING)


def repeats(values: Any, lengths: Integers) -> NDArray[np.bool_]:
    """[B] whether something stands twice among the first `lengths` [B] of `values` [B, M]."""
    inside = np.arange(values.shape[1]) < lengths[:, None]
    same = (values[:, :, None] == values[:, None, :]) & inside[:, :, None] & inside[:, None, :]
    return np.asarray(same.sum(axis=(1, 2)) > inside.sum(axis=1))


def _text(column: Any) -> Any:
    """[B, M] lists of text as objects, None after their end."""
    lists = column.to_pylist()
    out = np.full((len(lists), max(map(len, lists), default=0)), None, object)
    for row, items in enumerate(lists):
        out[row, : len(items)] = items
    return out
