"""Probabilities of slates: of a whole one, of each item given those before it, and of an item at a place.

B rows, K places, N candidates; places after a slate's end hold NOTHING and have probability 1.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from apps.slateq.logs.schema import NOTHING, Floats, Integers

STEP = 0.35  # of the logarithm of time in `PlackettLuce.items`
SPREAD = 60.0  # scores further under the best than this count as this far
BLOCK = 1024  # rows that are integrated at a time, for memory
EARLY = 11.0  # of the logarithm of time before the first arrivals: no two have rung by then, to nine digits


class SlateDistribution(Protocol):
    """With which probability each of B rows gets which slate."""

    def prefixes(self, slate: Integers) -> Floats:
        """[B, K] P(the first k + 1 items are those of `slate`); the last column is that of the whole slate."""
        ...

    def items(self, slate: Integers) -> Floats:
        """[B, K] P(the item at place k of `slate` is there), whatever the other places hold."""
        ...

    def next_items(self, slate: Integers) -> Floats:
        """[B, K, N] P(each candidate comes at place k) given the items of `slate` before it.

        0 for what was shown already. Rows whose beginning has probability 0 hold anything that sums to at most 1.
        """
        ...

    def draw(self, uniform: Floats) -> Integers:
        """[B, K] a slate for each row, from independent numbers [B, N + 1] between 0 and 1."""
        ...


class Mixture:
    """Shows the slate `shown` [B, K], and with probability `epsilon` any slate of that length, each equally likely.

    `candidates` [B] is how many there are. With epsilon 1 every slate is equally likely.
    """

    def __init__(self, shown: Integers, epsilon: float, candidates: Integers) -> None:
        self.shown, self.epsilon, self.candidates = shown, epsilon, candidates

    def prefixes(self, slate: Integers) -> Floats:
        """[B, K]"""
        left = self.candidates[:, None] - np.arange(slate.shape[1])
        any_slate = np.cumprod(np.where(slate == NOTHING, 1.0, 1.0 / np.maximum(left, 1)), axis=1)
        return self.epsilon * any_slate + (1 - self.epsilon) * self._agrees(slate)

    def items(self, slate: Integers) -> Floats:
        """[B, K]"""
        shown = (slate == _as_wide(self.shown, slate)) & (slate != NOTHING)
        share = self.epsilon / self.candidates[:, None] + (1 - self.epsilon) * shown
        return np.where(slate == NOTHING, 1.0, share)

    def next_items(self, slate: Integers) -> Floats:
        """[B, K, N]"""
        n, k = int(self.candidates.max()), slate.shape[1]
        places = np.arange(n)
        left = np.maximum(self.candidates[:, None] - np.arange(k), 1)
        prefix, agrees = self.prefixes(slate), self._agrees(slate)
        before = np.c_[np.ones(len(slate)), prefix[:, :-1]]
        agreed = np.c_[np.ones(len(slate)), agrees[:, :-1]]
        surely = np.divide((1 - self.epsilon) * agreed, before, out=np.zeros_like(before), where=before > 0)
        free = ~shown_before(slate, n) & (places < self.candidates[:, None, None])
        planned = _as_wide(self.shown, slate)[:, :, None] == places
        return surely[:, :, None] * planned + (1 - surely[:, :, None]) * free / left[:, :, None]

    def draw(self, uniform: Floats) -> Integers:
        """[B, K]"""
        order = uniform[:, :-1].copy()
        order[np.arange(order.shape[1]) >= self.candidates[:, None]] = np.inf
        drawn = np.where(self.shown == NOTHING, NOTHING, order.argsort(axis=1)[:, : self.shown.shape[1]])
        return np.where(uniform[:, -1:] < self.epsilon, drawn, self.shown)

    def _agrees(self, slate: Integers) -> NDArray[np.bool_]:
        """[B, K] whether the first k + 1 items are those of the slate that is shown."""
        return np.logical_and.accumulate(slate == _as_wide(self.shown, slate), axis=1)


class PlackettLuce:
    """Draws item after item from the softmax of `scores` [B, N] of what is left; -inf is never drawn.

    `size` is how many are drawn. Plackett 1975, "The Analysis of Permutations"; Luce 1959.
    """

    def __init__(self, scores: Floats, size: int) -> None:
        top = np.max(scores, axis=1, keepdims=True)
        self.scores, self.size = np.asarray(scores - np.where(np.isfinite(top), top, 0.0), np.float64), size

    def prefixes(self, slate: Integers) -> Floats:
        """[B, K]"""
        place = np.where(slate == NOTHING, 0, slate)[:, :, None]
        each = np.take_along_axis(self.next_items(slate), place, axis=2)[:, :, 0]
        return np.asarray(np.cumprod(np.where(slate == NOTHING, 1.0, each), axis=1))

    def next_items(self, slate: Integers) -> Floats:
        """[B, K, N]"""
        left = np.where(shown_before(slate, self.scores.shape[1]), -np.inf, self.scores[:, None, :])
        top = left.max(axis=2, keepdims=True)
        weights = np.exp(left - np.where(np.isfinite(top), top, 0.0))
        total = weights.sum(axis=2, keepdims=True)
        return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)

    def items(self, slate: Integers) -> Floats:
        """[B, K], by numerical integration, to about nine digits.

        The order is that in which N clocks ring that go at the rates exp(scores). An item is at place k if exactly k
        others have rung when it does: an integral over that time, of a polynomial's coefficient.
        """
        rates = np.where(np.isfinite(self.scores), np.exp(np.maximum(self.scores, -SPREAD)), 0.0)
        blocks = [slice(begin, begin + BLOCK) for begin in range(0, len(slate), BLOCK)]
        return np.concatenate([_places(rates[block], slate[block]) for block in blocks])

    def draw(self, uniform: Floats) -> Integers:
        """[B, size], by the Gumbel variables that the numbers make."""
        noisy = self.scores - np.log(-np.log(uniform[:, :-1]))
        return np.argsort(-noisy, axis=1)[:, : self.size]


def shown_before(slate: Integers, candidates: int) -> NDArray[np.bool_]:
    """[B, K, N] which candidates stand before place k."""
    here = slate[:, :, None] == np.arange(candidates)
    before = np.zeros_like(here)
    before[:, 1:] = np.logical_or.accumulate(here, axis=1)[:, :-1]
    return before


def _places(rates: Floats, slate: Integers) -> Floats:
    """[B, K] P(the clock of the item at place k of `slate` rings as the k-th), of clocks with `rates` [B, N]."""
    slowest = np.where(rates > 0, rates, 1.0).min()
    time = np.exp(np.arange(-EARLY, np.log(40 / slowest) + STEP, STEP))  # [Q]
    rows, out = np.arange(len(slate)), np.ones(slate.shape)
    for place in range(slate.shape[1]):
        there = slate[:, place] != NOTHING
        item = np.where(there, slate[:, place], 0)
        others, rate = rates.copy(), rates[rows, item][:, None]
        others[rows, item] = 0.0  # a clock that never rings
        if place == 0:
            chance = rate[:, 0] / rates.sum(axis=1)
        else:
            chance = (rate * time * np.exp(-rate * time) * STEP * _rung(others, time, place)).sum(axis=1)
        out[:, place] = np.where(there, chance, 1.0)
    return out


def _rung(rates: Floats, time: Floats, count: int) -> Floats:
    """[B, Q] P(exactly `count` of the clocks with `rates` [B, N] have rung at `time` [Q])."""
    chances = [np.ones((len(rates), len(time)))] + [np.zeros((len(rates), len(time))) for _ in range(count)]
    for rate in rates.T:
        silent = np.exp(-rate[:, None] * time)
        for k in range(count, 0, -1):
            chances[k] = chances[k] * silent + chances[k - 1] * (1 - silent)
        chances[0] = chances[0] * silent
    return chances[count]


def _as_wide(shown: Integers, slate: Integers) -> Integers:
    """`shown` with as many places as `slate`, filled with NOTHING or cut."""
    missing = slate.shape[1] - shown.shape[1]
    if missing <= 0:
        return shown[:, : slate.shape[1]]
    return np.pad(shown, ((0, 0), (0, missing)), constant_values=NOTHING)
