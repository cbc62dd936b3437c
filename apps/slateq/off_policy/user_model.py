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
        return self._predicted(self.scale(inputs_of(rows)), rows, slate)[0]

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
        chances, rewards = self._predicted(inputs, rows, slate)
        return np.asarray((chances[:, :-1] * rewards).sum(axis=1))

    def _predicted(self, inputs: Inputs, rows: Slates, slate: Integers) -> tuple[Floats, Floats]:
        """P [B, K + 1], and the rewards [B, K] of clicks."""
        design, other = _design(inputs, slate), 1 - half_of(rows)
        utility = np.einsum("bkw,bw->bk", design, self.choice[other])
        rewards = np.einsum("bkw,bw->bk", design, self.reward[other])
        return _softmax(np.where(slate == NOTHING, -np.inf, utility)), rewards


def fit_users(rows: Slates) -> UserModel:
    """The model of the sessions in `rows`."""
    inputs = inputs_of(rows)
    scale = Scale.of(inputs)
    design, half = _design(scale(inputs), rows.slate), half_of(rows)
    choice, reward = (np.zeros((2, design.shape[2])) for _ in range(2))
    for number in (0, 1):
        mine = half == number
        if mine.any():
            choice[number] = _fitted_choice(design[mine], rows.slate[mine], rows.click[mine])
            reward[number] = _fitted_reward(design[mine], rows.click[mine], rows.reward[mine])
    model = UserModel(scale, choice, reward, (0.0, 0.0))
    return replace(model, off=_checked(model, rows))


def uniforms(rows: Slates, number: int) -> Floats:
    """[B, N + 1] numbers in (0, 1) that depend on session, step and `number` alone, so not on how a log is cut."""
    width = int(rows.candidates.max()) + 1
    with np.errstate(over="ignore"):
        start = mixed(rows.key + mixed(rows.step.astype(np.uint64) * np.uint64(DRAWS) + np.uint64(number)))
        drawn = mixed(start[:, None] + np.arange(width, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return ((drawn >> np.uint64(11)) + 0.5) / 2.0**53


def _checked(model: UserModel, rows: Slates) -> tuple[float, float]:
    predicted = 1 - model.clicks(rows, rows.slate)[:, -1]
    seen = rows.click != NOTHING
    worst = (0.0, 0.0)
    for tenth in np.array_split(np.argsort(predicted), min(TENTHS, len(rows))):
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


def _softmax(utility: Floats) -> Floats:
    """[B, K + 1] the shares of exp(utility) [B, K] and of 1, for no click."""
    both = np.c_[utility, np.zeros(len(utility))]
    weights = np.exp(both - both.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _fitted_choice(design: Floats, slate: Integers, click: Integers) -> Floats:
    """The coefficients of the likeliest logit, with a normal prior of variance 1 on all but the constant."""
    from scipy.optimize import minimize

    outside = slate == NOTHING
    clicked = np.arange(slate.shape[1]) == click[:, None]
    place = np.where(click == NOTHING, slate.shape[1], click)
    penalty = np.r_[0.0, np.ones(design.shape[2] - 1)]

    def loss(weights: Floats) -> tuple[float, Floats]:
        chances = _softmax(np.where(outside, -np.inf, design @ weights))
        chosen = np.take_along_axis(chances, place[:, None], axis=1)
        value = -np.log(chosen).sum() + (penalty * weights**2).sum() / 2
        gradient = np.einsum("bk,bkw->w", chances[:, :-1] - clicked, design) + penalty * weights
        return float(value), gradient

    return np.asarray(minimize(loss, np.zeros(design.shape[2]), jac=True, method="L-BFGS-B").x)


def _fitted_reward(design: Floats, click: Integers, reward: Floats) -> Floats:
    """The ridge regression of clicks' rewards; 0 where nothing was clicked."""
    some = np.flatnonzero(click != NOTHING)
    x = design[some, click[some]]
    penalty = np.r_[1e-9, np.full(design.shape[2] - 1, design.shape[2] - 1.0)]
    return np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ reward[some]) if len(some) else np.zeros(design.shape[2])
