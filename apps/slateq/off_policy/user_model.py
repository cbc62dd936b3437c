"""A model of users that is fitted to a log: whether and where they click, and what a click earns.

A multinomial logit over the items of a slate and no click (McFadden 1974), so that items take clicks from each other,
which a regression place by place cannot say; and ridge regression of the reward of a click. As in `reward_model.py`
sessions fall into two halves, and each is predicted by what was fitted to the other: all that is measured here is
measured on sessions that were held out.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from apps.slateq.logs.reader import mixed
from apps.slateq.logs.schema import NOTHING, Floats, Integers, Slates
from apps.slateq.off_policy.distributions import SlateDistribution
from apps.slateq.off_policy.reward_model import Inputs, Scale, half_of, inputs_of

DRAWS = 4  # slates of the evaluated policy that are tried for each row
TENTHS = 10  # groups of slates by how likely a click is
TINY = 1e-300  # whose logarithm is still a number
FIT = {"maxiter": 1000, "ftol": 1e-7}  # of L-BFGS: it ends where a step gains so little, as a share of the loss
NOTABLE = 0.05  # a difference in the probability of a click that is worth a word
Coefficients = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UserModel:
    """`choice` and `reward` [2, 1 + G + F] of the two halves: of 1, the user and the item. `off` is how it was checked.

    `off`: the largest difference between predicted and seen shares of slates with a click, over tenths of held-out
    slates by the prediction; and its standard error.
    """

    scale: Scale
    choice: Coefficients
    reward: Coefficients
    off: tuple[float, float]

    def clicks(self, rows: Slates, slate: Integers) -> Floats:
        """[B, K + 1] P(a click on each place of `slate`), the last that of none."""
        return self.predicted(self.scale(inputs_of(rows)), half_of(rows), slate)[0]

    def value(self, rows: Slates, slate: Integers) -> Floats:
        """[B] what `slate` earns in the mean."""
        return self._value(self.scale(inputs_of(rows)), rows, slate)

    def value_of(self, rows: Slates, policy: SlateDistribution) -> Floats:
        """[B] what the slates of `policy` earn in the mean, over DRAWS of them that depend on the row alone."""
        inputs, total = self.scale(inputs_of(rows)), np.zeros(len(rows))
        for number in range(DRAWS):
            total += self._value(inputs, rows, policy.draw(uniforms(rows, number)))
        return total / DRAWS

    @property
    def warning(self) -> str:
        """What speaks against the model; "" for nothing."""
        off, error = self.off
        if abs(off) <= max(NOTABLE, 3 * error):
            return ""
        return f"in a tenth of the slates the model's clicks are off by {off:+.2f}"

    def _value(self, inputs: Inputs, rows: Slates, slate: Integers) -> Floats:
        chances, rewards = self.predicted(inputs, half_of(rows), slate)
        return np.asarray((chances[:, :-1] * rewards).sum(axis=1))

    def predicted(self, inputs: Inputs, half: Integers, slate: Integers) -> tuple[Floats, Floats]:
        """P [B, K + 1] of clicks on `slate` and their mean rewards [B, K], by standardised inputs, for these halves."""

        def at_places(coefficients: Coefficients) -> Floats:
            both = [_scores(inputs, one) for one in coefficients]  # of every candidate, [B, N]
            return np.take_along_axis(np.where(half[:, None] == 0, both[1], both[0]), np.maximum(slate, 0), axis=1)

        utility = np.where(slate == NOTHING, -np.inf, at_places(self.choice))
        return _softmax(utility), at_places(self.reward)


def fit_users(rows: Slates, times: Floats | None = None, start: UserModel | None = None) -> UserModel:
    """The model of the sessions in `rows`, each row counted as often as `times` [B] says (default: once).

    `start`: a model of the same rows, from which a fit to nearly the same is found sooner; it is not checked again.
    """
    inputs = inputs_of(rows)
    scale = Scale.of(inputs)
    design, half = _design(scale(inputs), rows.slate), half_of(rows)
    counted = np.ones(len(rows)) if times is None else times
    choice, reward = (np.zeros((2, design.shape[2])) for _ in range(2))
    for number in (0, 1):
        mine = (half == number) & (counted > 0)
        if mine.any():
            outside, guess = rows.slate[mine] == NOTHING, None if start is None else start.choice[number]
            choice[number] = fit_logit(design[mine], outside, rows.click[mine], counted[mine], guess)
            reward[number] = _fitted_reward(design[mine], rows.click[mine], rows.reward[mine], counted[mine])
    if start is not None:
        return replace(start, choice=choice, reward=reward)
    model = UserModel(scale, choice, reward, (0.0, 0.0))
    clicks = 1 - model.clicks(rows, rows.slate)[:, -1]
    return replace(model, off=worst_tenth(clicks, rows.click != NOTHING))


def uniforms(rows: Slates, number: int) -> Floats:
    """[B, N + 1] numbers in (0, 1) that depend on session, step and `number` alone, so not on how a log is cut."""
    width = int(rows.candidates.max()) + 1
    with np.errstate(over="ignore"):
        start = mixed(rows.key + mixed(rows.step.astype(np.uint64) * np.uint64(DRAWS) + np.uint64(number)))
        drawn = mixed(start[:, None] + np.arange(width, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return ((drawn >> np.uint64(11)) + 0.5) / 2.0**53


def worst_tenth(predicted: Floats, seen: NDArray[np.bool_]) -> tuple[float, float]:
    """The largest difference between what was predicted [B] and the share that was seen [B], over tenths of the rows.

    Tenths by the prediction; with the difference comes its standard error.
    """
    worst = (0.0, 0.0)
    for tenth in np.array_split(np.argsort(predicted), min(TENTHS, len(predicted))):
        off = float(predicted[tenth].mean() - seen[tenth].mean())
        share = float(np.clip(seen[tenth].mean(), 0.01, 0.99))
        if abs(off) > abs(worst[0]):
            worst = off, float(np.sqrt(share * (1 - share) / len(tenth)))
    return worst


def _design(inputs: Inputs, slate: Integers) -> Floats:
    """[B, K, 1 + G + F] of the items of `slate`; anything after its end."""
    count, k = slate.shape
    item = np.take_along_axis(inputs.item, np.maximum(slate, 0)[:, :, None], axis=1)
    user = np.broadcast_to(inputs.user[:, None], (count, k, inputs.user.shape[1]))
    return np.concatenate([np.ones((count, k, 1)), user, item], axis=2)


def _scores(inputs: Inputs, coefficients: Floats) -> Floats:
    """[B, N] what the coefficients [1 + G + F] make of 1, the user and each candidate."""
    users = inputs.user.shape[1]
    of_user = coefficients[0] + inputs.user @ coefficients[1 : 1 + users]
    return np.asarray(of_user[:, None] + inputs.item @ coefficients[1 + users :])


def _softmax(utility: Floats) -> Floats:
    """[B, K + 1] the shares of exp(utility) [B, K] and of 1, for no click."""
    both = np.c_[utility, np.zeros(len(utility))]
    weights = np.exp(both - both.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def fit_logit(
    design: Floats,
    outside: NDArray[np.bool_],
    chosen: Integers,
    times: Floats,
    start: Floats | None = None,
    variance: float = 1.0,
) -> Floats:
    """[W] the coefficients of the likeliest logit: of each row, which of its K alternatives [B, K, W], or none.

    `outside` [B, K] marks places without an alternative, `chosen` [B] is a place or NOTHING, `times` [B] how often a
    row counts. All coefficients but the first, the constant's, have a normal prior of this variance.
    """
    from scipy.optimize import minimize

    chose = np.arange(outside.shape[1]) == chosen[:, None]
    place = np.where(chosen == NOTHING, outside.shape[1], chosen)
    penalty = np.r_[0.0, np.full(design.shape[2] - 1, 1 / variance)]

    def loss(weights: Floats) -> tuple[float, Floats]:
        chances = _softmax(np.where(outside, -np.inf, design @ weights))
        likely = np.maximum(np.take_along_axis(chances, place[:, None], axis=1)[:, 0], TINY)
        value = -times @ np.log(likely) + (penalty * weights**2).sum() / 2
        gradient = np.tensordot(times[:, None] * (chances[:, :-1] - chose), design, 2) + penalty * weights
        return float(value), gradient

    begin = np.zeros(design.shape[2]) if start is None else start
    return np.asarray(minimize(loss, begin, jac=True, method="L-BFGS-B", options=FIT).x)


def _fitted_reward(design: Floats, click: Integers, reward: Floats, times: Floats) -> Floats:
    """The ridge regression of clicks' rewards; 0 where nothing was clicked."""
    some = np.flatnonzero(click != NOTHING)
    x, counted = design[some, click[some]], times[some]
    penalty = np.r_[1e-9, np.full(design.shape[2] - 1, design.shape[2] - 1.0)]
    if not len(some):
        return np.zeros(design.shape[2])
    return np.linalg.solve((x.T * counted) @ x + np.diag(penalty), x.T @ (counted * reward[some]))
