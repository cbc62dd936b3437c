"""Regressions of rewards on a slate's beginning: the control variates of the doubly robust estimators.

For each place k, ridge regression of what is earned from there on, on what describes the user, the item at k and the
sum of the items above it. The penalty is the number of inputs (standardised): a prior by which all of them together
explain as much as they leave unexplained. Sessions fall into two halves, and each half is predicted by what was fitted
to the other: a prediction that has seen its own reward would bias the estimator.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.slateq.logs.schema import NOTHING, SCORES, Floats, Integers, Slates
from apps.slateq.off_policy.distributions import SlateDistribution

READS = ("context", "features", "history", "choice_scores")  # and every column of scores
Coefficients = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Inputs:
    """What describes the user [B, G] and each candidate [B, N, F]; not standardised."""

    user: Floats
    item: Floats


def inputs_of(rows: Slates) -> Inputs:
    """What the log says of users and candidates, with their product where both have equally many numbers."""
    count, n = len(rows), int(rows.candidates.max())
    context = rows.more.get("context", np.zeros((count, 0)))
    parts = []
    if "features" in rows.more:
        features = rows.more["features"].reshape(count, n, -1)
        parts.append(features)
        if features.shape[2] == context.shape[1]:
            parts.append(features * context[:, None])
    if "choice_scores" in rows.more:
        parts.append(rows.more["choice_scores"][:, :n, None])
    parts += [rows.more[name][:, :, None] for name in sorted(rows.more) if name.startswith(SCORES)]
    item = np.concatenate(parts, axis=2) if parts else np.zeros((count, n, 0))
    user = np.concatenate([context, rows.more.get("history", np.zeros((count, 0)))], axis=1)
    return Inputs(np.asarray(user, np.float64), np.where(np.isfinite(item), item, 0.0).astype(np.float64))


@dataclass(frozen=True, eq=False)
class Scale:
    """Means and deviations that inputs are standardised by."""

    user: tuple[Floats, Floats]
    item: tuple[Floats, Floats]

    @classmethod
    def of(cls, inputs: Inputs) -> "Scale":
        """Those of `inputs`; what does not vary is left as it is."""

        def both(values: Floats) -> tuple[Floats, Floats]:
            deviation = values.std(axis=0)
            return values.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0)

        return cls(both(inputs.user), both(inputs.item.reshape(-1, inputs.item.shape[2])))

    def __call__(self, inputs: Inputs) -> Inputs:
        return Inputs((inputs.user - self.user[0]) / self.user[1], (inputs.item - self.item[0]) / self.item[1])


@dataclass(frozen=True, eq=False)
class RewardModel:
    """`coefficients` [2, K, 1 + G + 2 F] of the two halves: of 1, the user, the item, and the sum of those above it."""

    scale: Scale
    coefficients: Coefficients

    def predict(self, rows: Slates, policy: SlateDistribution) -> tuple[Floats, Floats]:
        """Q [B, K] of the items that were shown, and V [B, K], its mean over what `policy` would put there."""
        inputs = self.scale(inputs_of(rows))
        own = self.coefficients[1 - half_of(rows)]  # [B, K, .]
        next_items = policy.next_items(rows.slate)
        q, v = np.zeros(rows.slate.shape), np.zeros(rows.slate.shape)
        for place in range(min(rows.slate.shape[1], own.shape[1])):
            q[:, place], v[:, place] = _at(inputs, rows.slate, place, own[:, place], next_items[:, place])
        return q, v


def fit_rewards(rows: Slates, policy: SlateDistribution) -> RewardModel:
    """Of what a slate earns from each place on, if the later places were filled by `policy` (Kiyohara et al. 2022).

    From the last place to the first, so that each regression can take the next one's prediction for its target.
    """
    inputs = inputs_of(rows)
    scale = Scale.of(inputs)
    inputs, half, next_items = scale(inputs), half_of(rows), policy.next_items(rows.slate)
    k, rewards = rows.slate.shape[1], rows.rewards
    width = 1 + inputs.user.shape[1] + 2 * inputs.item.shape[2]
    coefficients, later = np.zeros((2, k, width)), np.zeros(len(rows))
    for place in reversed(range(k)):
        coefficients[:, place] = _fitted(inputs, rows.slate, place, rewards[:, place] + later, half)
        later = _at(inputs, rows.slate, place, coefficients[half, place], next_items[:, place])[1]
    return RewardModel(scale, coefficients)


def fit_returns(rows: Slates, returns: Floats) -> RewardModel:
    """Of `returns` [B], what was earned from each slate to the end of its session, as it was logged."""
    inputs = inputs_of(rows)
    scale = Scale.of(inputs)
    inputs, half = scale(inputs), half_of(rows)
    places = range(rows.slate.shape[1])
    return RewardModel(scale, np.stack([_fitted(inputs, rows.slate, k, returns, half) for k in places], axis=1))


def half_of(rows: Slates) -> Integers:
    """[B] 0 or 1, by the session."""
    return (rows.key >> np.uint64(63)).astype(np.int64)


def _at(
    inputs: Inputs, slate: Integers, place: int, coefficients: Coefficients, next_items: Floats
) -> tuple[Floats, Floats]:
    """[B] Q of the item at `place`, and [B] its mean over `next_items` [B, N]; 0 after a slate's end."""
    users, items = inputs.user.shape[1], inputs.item.shape[2]
    of_user, of_item, of_above = np.split(coefficients[:, 1:], [users, users + items], axis=1)
    base = coefficients[:, 0] + (inputs.user * of_user).sum(axis=1)
    base += (_above(inputs, slate, place) * of_above).sum(axis=1)
    each = np.einsum("bnf,bf->bn", inputs.item, of_item)  # [B, N]
    there = slate[:, place] != NOTHING
    item = np.take_along_axis(each, np.where(there, slate[:, place], 0)[:, None], axis=1)[:, 0]
    mean = (each * next_items).sum(axis=1) + base * next_items.sum(axis=1)
    return np.where(there, base + item, 0.0), np.where(there, mean, 0.0)


def _fitted(inputs: Inputs, slate: Integers, place: int, target: Floats, half: Integers) -> Coefficients:
    """[2, .] the coefficients of each half's ridge regression; the constant is not shrunk."""
    there = slate[:, place] != NOTHING
    item = np.take_along_axis(inputs.item, np.where(there, slate[:, place], 0)[:, None, None], axis=1)[:, 0]
    design = np.c_[np.ones(len(target)), inputs.user, item, _above(inputs, slate, place)]
    penalty = np.r_[1e-9, np.full(design.shape[1] - 1, design.shape[1] - 1.0)]
    out = np.zeros((2, design.shape[1]))
    for number in (0, 1):
        mine = there & (half == number)
        if mine.any():
            x = design[mine]
            out[number] = np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ target[mine])
    return out


def _above(inputs: Inputs, slate: Integers, place: int) -> Floats:
    """[B, F] the sum of what describes the items above `place`."""
    above = np.take_along_axis(inputs.item, np.maximum(slate[:, :place], 0)[:, :, None], axis=1)
    return np.asarray((above * (slate[:, :place] != NOTHING)[:, :, None]).sum(axis=1))
