"""A model of whole sessions that is fitted to a log: what users click, what that earns, and when they stop.

Clicks and rewards are those of `user_model.py`. After each slate a user stops with a probability that is logistic in
sums over the session so far: slates, clicks, rewards, and what describes the items that were clicked (a discrete-time
hazard; Allison 1982, "Discrete-Time Methods for the Analysis of Event Histories"). A budget that every slate takes from
and every item gives back to in its own measure is of this form. How long a user takes over a slate is not modelled.

A session that is simulated meets the situations (user and candidates) of a logged one, in their order, and where it
lasts longer those of the sessions after that; so situations are taken not to depend on what is served. (A session's own
ones over and over would let a few users with good candidates stay for ever.) Clicks, rewards and ends come from what
was fitted to the other half of the sessions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from apps.slateq.logs.schema import NOTHING, Floats, Integers, Slates
from apps.slateq.off_policy.reward_model import Inputs, half_of, inputs_of
from apps.slateq.off_policy.user_model import Coefficients, UserModel, fit_logit, fit_users, worst_tenth

VARIANCE = 100.0  # of the prior of the stopping model's coefficients: wide, since some users stop at a fixed limit
LONGEST = 10  # times the longest logged session: where a simulated one is cut


@dataclass(frozen=True, eq=False)
class Outcomes:
    """How long S sessions were, how often something was clicked in them, and what they earned, [S] each."""

    slates: Floats
    clicks: Floats
    reward: Floats

    @classmethod
    def logged(cls, rows: Slates) -> "Outcomes":
        """Those of a log's rows."""
        begins = rows.begins
        clicks = np.add.reduceat((rows.click != NOTHING).astype(np.float64), begins)
        return cls(np.diff(np.r_[begins, len(rows)]).astype(np.float64), clicks, np.add.reduceat(rows.reward, begins))


@dataclass(frozen=True, eq=False)
class SessionModel:
    """`stop` [2, 4 + F] are the coefficients of the two halves, of 1 and the sums, which `sums` are standardised by.

    `left` holds what the rewards of each half's clicks differ from their means; `off` is the largest difference between
    predicted and seen shares of slates that were a session's last, over tenths of held-out slates, and its error.
    """

    rows: Slates
    inputs: Inputs  # of the rows, standardised
    users: UserModel
    sums: tuple[Floats, Floats]  # mean and deviation
    stop: Coefficients
    left: tuple[Floats, Floats]
    off: tuple[float, float] = (0.0, 0.0)

    def stops(self, sums: Floats, half: Integers) -> Floats:
        """[B] P(the session ends with this slate), by the sums [B, 3 + F] up to it."""
        utility = (_standard(sums, self.sums) * self.stop[1 - half]).sum(axis=1)
        return np.asarray(1 / (1 + np.exp(-np.clip(utility, -500, 500))))

    def simulate(self, slate: Integers, seed: Sequence[int]) -> Outcomes:
        """S sessions, the situations of each beginning with a logged one's; `slate` [B, K] is what every row is shown.

        Equal seeds give equal luck, whatever is shown.
        """
        rng, begins, half = np.random.default_rng(seed), self.rows.begins, half_of(self.rows)
        chances, rewards = self.users.predicted(self.inputs, half, slate)
        upto = np.cumsum(chances[:, :-1], axis=1)
        sums, active = np.zeros((len(begins), 3 + self.inputs.item.shape[2])), np.ones(len(begins), bool)
        for step in range(LONGEST * int(self.rows.step.max() + 1)):
            luck, on = rng.random((len(begins), 3)), np.flatnonzero(active)
            if not len(on):
                break
            at = (begins[on] + step) % len(half)
            place = (luck[on, :1] > upto[at]).sum(axis=1)
            clicked = place < slate.shape[1]
            place = np.where(clicked, place, 0)
            reward = np.where(clicked, rewards[at, place] + self._left(half[at], luck[on, 1]), 0.0)
            sums[on] += increments(clicked, reward, self.inputs.item[at, np.maximum(slate[at, place], 0)])
            active[on] = luck[on, 2] >= self.stops(sums[on], half[begins[on]])
        return Outcomes(sums[:, 0], sums[:, 1], sums[:, 2])

    def _left(self, half: Integers, luck: Floats) -> Floats:
        """[B] what a reward differs from its mean, drawn from what was seen in the other half."""
        both = [left[(luck * len(left)).astype(np.int64)] if len(left) else np.zeros(len(luck)) for left in self.left]
        return np.where(half == 0, both[1], both[0])


def fit_sessions(rows: Slates, times: Floats | None = None, start: SessionModel | None = None) -> SessionModel:
    """The model of the sessions in `rows`, whole sessions, each counted as often as `times` [S] says (default: once).

    `start`: a model of the same rows, from which a fit to nearly the same is found sooner.
    """
    begins, half = rows.begins, half_of(rows)
    counted = np.repeat(np.ones(len(begins)) if times is None else times, np.diff(np.r_[begins, len(rows)]))
    known = replace(rows, more={name: values for name, values in rows.more.items() if name != "history"})
    users = fit_users(known, counted, None if start is None else start.users)
    inputs = users.scale(inputs_of(known)) if start is None else start.inputs
    clicked = rows.click != NOTHING
    place = np.take_along_axis(rows.slate, np.where(clicked, rows.click, 0)[:, None], axis=1)[:, 0]
    item = inputs.item[np.arange(len(rows)), np.maximum(place, 0)]
    sums = summed(increments(clicked, rows.reward, item), begins)
    deviation = sums.std(axis=0)
    scale = sums.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0)
    last = np.r_[begins[1:], len(rows)] - 1
    ended = np.full(len(rows), NOTHING)
    ended[last] = 0
    design, stop = _standard(sums, scale)[:, None], np.zeros((2, sums.shape[1] + 1))  # one alternative: to stop
    rewards = np.einsum("bw,bw->b", np.c_[np.ones(len(rows)), inputs.user, item], users.reward[half])
    left = tuple((rows.reward - rewards)[clicked & (half == number) & (counted > 0)] for number in (0, 1))
    for number in (0, 1):
        mine = (half == number) & (counted > 0)
        outside, guess = np.zeros((int(mine.sum()), 1), bool), None if start is None else start.stop[number]
        stop[number] = fit_logit(design[mine], outside, ended[mine], counted[mine], guess, VARIANCE)
    model = SessionModel(rows, inputs, users, scale, stop, (left[0], left[1]))
    return replace(model, off=worst_tenth(model.stops(sums, half), ended == 0) if start is None else start.off)


def increments(clicked: NDArray[np.bool_], reward: Floats, item: Floats) -> Floats:
    """[B, 3 + F] what one slate adds to the sums: 1, a click, its reward, what describes the clicked item [B, F]."""
    return np.c_[np.ones(len(clicked)), clicked, reward, item * clicked[:, None]]


def _standard(sums: Floats, scale: tuple[Floats, Floats]) -> Floats:
    """[B, 4 + F] of 1 and the standardised sums."""
    return np.c_[np.ones(len(sums)), (sums - scale[0]) / scale[1]]


def summed(values: Floats, begins: Integers) -> Floats:
    """[B, W] the sums of `values` from the beginning of each session to each row."""
    total = np.cumsum(values, axis=0)
    before = np.r_[np.zeros((1, values.shape[1])), total][begins]
    return np.asarray(total - np.repeat(before, np.diff(np.r_[begins, len(values)]), axis=0))
