"""A world of three items and slates of two, small enough that everything that can happen is listed."""

from itertools import permutations, product

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from apps.slateq.logs.schema import NOTHING, Slates
from apps.slateq.off_policy.distributions import Mixture, PlackettLuce, SlateDistribution
from apps.slateq.off_policy.estimators import Models
from apps.slateq.off_policy.reward_model import RewardModel, Scale
from apps.slateq.off_policy.user_model import UserModel

ITEMS, PLACES = 3, 2
SLATES = np.array(list(permutations(range(ITEMS), PLACES)))  # [6, 2]
REWARD = np.array([[2.0, 5.0], [3.0, 1.0], [4.0, 7.0]])  # [item, place] what a click earns

numbers = st.floats(-2, 2, allow_subnormal=False)
shares = st.floats(0.05, 1.0)


@st.composite
def policies(draw: st.DrawFn) -> SlateDistribution:
    """A policy that shows every one of the SLATES with some probability, for six rows."""
    if draw(st.booleans()):
        return PlackettLuce(np.tile(draw(arrays(float, ITEMS, elements=numbers)), (len(SLATES), 1)), PLACES)
    shown = np.tile(SLATES[draw(st.integers(0, 5))], (len(SLATES), 1))
    return Mixture(shown, draw(shares), np.full(len(SLATES), ITEMS))


def chances_of_clicks(draw: st.DrawFn, kind: str) -> NDArray[np.float64]:
    """[6, 3] P(click at place 0, at place 1, nowhere) for each of the SLATES.

    "any": whatever it may be. "cascade": a click depends on what stands above. "independent": on item and place.
    """
    if kind == "any":
        raw = draw(arrays(float, (6, 3), elements=shares))
        return raw / raw.sum(axis=1, keepdims=True)
    alone = draw(arrays(float, (ITEMS, PLACES), elements=st.floats(0.01, 0.5)))
    clicks = alone[SLATES, np.arange(PLACES)]
    if kind == "cascade":
        clicks[:, 1] *= 1 - clicks[:, 0]
    return np.c_[clicks, 1 - clicks.sum(axis=1)]


def rows_of(logging: SlateDistribution, slates: NDArray[np.int64], clicks: NDArray[np.int64]) -> Slates:
    """A log in which `logging`, of six equal rows, showed `slates` [B, 2], and `clicks` [B] followed."""
    every = np.array([np.flatnonzero((slate == SLATES).all(axis=1))[0] for slate in slates])
    prefix, items = logging.prefixes(SLATES)[every], logging.items(SLATES)[every]
    item = slates[np.arange(len(slates)), np.maximum(clicks, 0)]
    rng = np.random.default_rng(0)
    return Slates(
        key=np.arange(len(slates), dtype=np.uint64),  # all in one half, so that one regression speaks of all
        step=np.zeros(len(slates), np.int64),
        candidates=np.full(len(slates), ITEMS),
        slate=slates,
        propensity=prefix[:, -1],
        click=clicks,
        reward=np.where(clicks == NOTHING, 0.0, REWARD[item, clicks]),
        propensities=np.c_[prefix[:, :1], prefix[:, 1:] / prefix[:, :-1]],
        marginals=items,
        more={"scores.a": np.tile(rng.normal(size=ITEMS), (len(slates), 1))},
    )


def everything(logging: SlateDistribution, clicks: NDArray[np.float64]) -> tuple[Slates, NDArray[np.float64]]:
    """Every slate with every click, and the probability of each of these rows under `logging`."""
    pairs = list(product(range(len(SLATES)), (0, 1, NOTHING)))
    rows = rows_of(logging, SLATES[[s for s, _ in pairs]], np.array([c for _, c in pairs]))
    chance = np.array([clicks[s, c] for s, c in pairs])  # NOTHING is the last column
    return rows, rows.propensity * chance


class Repeated:
    """A policy of six equal rows, for any number of rows."""

    def __init__(self, policy: SlateDistribution, rows: Slates) -> None:
        self.policy = policy
        self.every = np.array([np.flatnonzero((slate == SLATES).all(axis=1))[0] for slate in rows.slate])

    def prefixes(self, slate: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.policy.prefixes(SLATES)[self.every]

    def items(self, slate: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.policy.items(SLATES)[self.every]

    def next_items(self, slate: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.policy.next_items(SLATES)[self.every]

    def draw(self, uniform: NDArray[np.float64]) -> NDArray[np.int64]:
        raise NotImplementedError


def some_models(draw: st.DrawFn) -> Models:
    """A regression and a model of users that say anything."""
    nothing, one = np.zeros(0), np.zeros(1)
    scale = Scale((nothing, nothing), (one, one + 1))
    regression = RewardModel(scale, draw(arrays(float, (2, PLACES, 3), elements=numbers)))
    choice, reward = (draw(arrays(float, (2, 2), elements=numbers)) for _ in range(2))
    return Models(regression, regression, Known(scale, choice, reward, (0.0, 0.0)))


class Known(UserModel):
    """A model of users whose mean over a policy's slates is taken over all of them, not over draws."""

    def value_of(self, rows: Slates, policy: SlateDistribution) -> NDArray[np.float64]:
        assert isinstance(policy, Repeated)
        values = [self.value(rows, np.tile(slate, (len(rows), 1))) for slate in SLATES]
        return policy.policy.prefixes(SLATES)[:, -1] @ np.array(values)


def true_value(policy: SlateDistribution, clicks: NDArray[np.float64]) -> float:
    """What a slate of `policy` earns."""
    earned = clicks[:, :PLACES] * REWARD[SLATES, np.arange(PLACES)]
    return float(policy.prefixes(SLATES)[:, -1] @ earned.sum(axis=1))
