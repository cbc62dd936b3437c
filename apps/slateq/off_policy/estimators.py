"""Estimators of what a policy earns, from slates that another one served: weights, and what they are put on.

Every one is a sum of terms, each the mean over the log of a weight times a value. Self-normalised, a term is divided by
the mean of its weight, which is 1 where nothing is missing. B slates, K places, S sessions of up to T slates; w_k is
the ratio of the two policies' probabilities of a slate's first k items.

| name | a slate earns | right where |
| --- | --- | --- |
| ips | w_K r | always |
| dr | w_K r + sum over k of (w_{k-1} V_k - w_k Q_k) | always |
| iips | sum over k of r_k times the ratio for the item at place k alone | a click depends on its place and item only |
| rips | sum over k of w_k r_k | a click depends on what stands above it, not on what is below |
| cascade-dr | sum over k of w_k (r_k - Q_k) + w_{k-1} V_k | as rips |
| model | M(policy) | the model of users is right |
| model-dr | M(policy) + w_K (r - M(slate)) | always |

M is what a fitted multinomial model of users (`user_model.py`) says of a slate, or of the policy's slates in the mean.
Q_k is a regression (`reward_model.py`) of what the slate earns from place k on, V_k its mean over what the evaluated
policy puts there. Whatever the regression says, w_{k-1} V_k - w_k Q_k is 0 in the mean, so it can be added to any
estimator. Sources: ips and iips Li et al. 2018 (arXiv 1804.10488), rips McInerney et al. 2020 (arXiv 2007.12986),
cascade-dr Kiyohara et al. 2022 (arXiv 2202.01562); self-normalisation Swaminathan and Joachims 2015.

Of sessions, with W_t the product of the ratios of the first t slates:

| name | a session earns |
| --- | --- |
| trajectory | W_T times its return |
| pdis | sum over t of W_t r_t (per-decision; Precup et al. 2000) |
| pdis-cv | the same + sum over t and k of W_{t-1} (w_{k-1} V_k - w_k Q_k), Q_k a regression of the logged return |
| session-model | what the policy earns in sessions of a model that is fitted to the log (`session_model.py`) |

But for the last, which needs a right model, they are right whatever the user does. Self-normalised, pdis is that of
Thomas 2015 ("consistent weighted"): a session that is over keeps its weight and earns nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from apps.slateq.logs.schema import Floats, Integers, Slates
from apps.slateq.off_policy.distributions import SlateDistribution
from apps.slateq.off_policy.reward_model import RewardModel
from apps.slateq.off_policy.user_model import UserModel

SLATE = ("ips", "dr", "iips", "rips", "cascade-dr", "model", "model-dr")
SESSION = ("trajectory", "pdis", "pdis-cv")
SESSION_MODEL = "session-model"  # only with --refits
REGRESSED = ("dr", "cascade-dr", "pdis-cv", "model", "model-dr")  # they need something that is fitted
NEEDS: Mapping[str, str] = {  # the column of a log without which an estimator cannot be had
    "dr": "propensities",
    "iips": "marginals",
    "rips": "propensities",
    "cascade-dr": "propensities",
    "pdis-cv": "propensities",
}


@dataclass(frozen=True, eq=False)
class Models:
    """What was fitted to a log for one policy; None for what was not: Q of rewards, Q of returns, and users."""

    rewards: RewardModel | None = None
    returns: RewardModel | None = None
    users: UserModel | None = None


@dataclass(frozen=True, eq=False)
class Terms:
    """An estimator's J terms for each of S sessions, at up to T steps (1 where steps do not count).

    What the estimator sums are `weighted`, weights times values; `weight` is for the normalisation, `squares` [J, T]
    are sums of squared weights. For slates, both are sums over a session's slates.
    """

    weight: Floats  # [S, J, T]
    weighted: Floats  # [S, J, T]
    squares: Floats  # [J, T]


@dataclass(frozen=True, eq=False)
class Ratios:
    """How much likelier the evaluated policy is to show what was logged."""

    slate: Floats  # [B]
    prefix: Floats | None  # [B, K]
    item: Floats | None  # [B, K]


def ratios_of(rows: Slates, policy: SlateDistribution) -> Ratios:
    """The ratios of `policy`, as far as the log's columns give them."""
    prefix = policy.prefixes(rows.slate)
    item = None if rows.marginals is None else policy.items(rows.slate) / rows.marginals
    logged = None if rows.propensities is None else np.cumprod(rows.propensities, axis=1)
    return Ratios(prefix[:, -1] / rows.propensity, None if logged is None else prefix / logged, item)


def slate_terms(rows: Slates, policy: SlateDistribution, ratios: Ratios, models: Models) -> dict[str, Terms]:
    """The terms of the estimators of one slate's reward, as far as the log's columns and `models` go."""
    rewards, found = rows.rewards, {}
    found["ips"] = (ratios.slate[:, None], rows.reward[:, None])
    if ratios.item is not None:
        found["iips"] = (ratios.item, rewards)
    if ratios.prefix is not None:
        found["rips"] = (ratios.prefix, rewards)
    if ratios.prefix is not None and models.rewards is not None:
        q, v = models.rewards.predict(rows, policy)
        weight = np.c_[ratios.prefix, before(ratios.prefix)]
        whole = np.zeros_like(rewards)
        whole[:, -1] = rows.reward
        found["cascade-dr"] = (weight, np.c_[rewards - q, v])
        found["dr"] = (weight, np.c_[whole - q, v])
    if models.users is not None:
        mean, shown = models.users.value_of(rows, policy), models.users.value(rows, rows.slate)
        once = np.ones(len(rows))
        found["model"] = (once[:, None], mean[:, None])
        found["model-dr"] = (np.c_[once, ratios.slate], np.c_[mean, rows.reward - shown])
    begins = rows.begins
    return {name: _of_slates(weight, value, begins) for name, (weight, value) in found.items()}


def session_terms(rows: Slates, policy: SlateDistribution, ratios: Ratios, models: Models) -> dict[str, Terms]:
    """The terms of the estimators of a session's return, as far as the log's columns and `models` go."""
    begins = rows.begins
    lengths = np.diff(np.r_[begins, len(rows)])
    table = StepTable(lengths)
    weight = np.cumprod(table.of(ratios.slate, 1.0), axis=1)  # [S, T]; after its end a session's weight stays
    reward = table.of(rows.reward, 0.0)
    found = {
        "trajectory": _of_sessions(weight[:, -1:], reward.sum(axis=1, keepdims=True)),
        "pdis": _of_sessions(weight, reward),
    }
    if ratios.prefix is not None and models.returns is not None:
        q, v = models.returns.predict(rows, policy)
        change = (before(ratios.prefix) * v - ratios.prefix * q).sum(axis=1)
        weights = np.stack([weight, before(weight)], axis=1)
        found["pdis-cv"] = _of_sessions(weights, np.stack([reward, table.of(change, 0.0)], axis=1))
    return found


def before(ratio: Floats) -> Floats:
    """[., K] what column k - 1 of `ratio` holds, 1 for the first."""
    return np.asarray(np.c_[np.ones(len(ratio)), ratio[:, :-1]])


class StepTable:
    """Rows of sessions of these lengths [S] as a table [S, T], a session a line."""

    def __init__(self, lengths: Integers) -> None:
        self.there = np.arange(lengths.max(initial=0)) < lengths[:, None]

    def of(self, values: Floats, fill: float) -> Floats:
        """[S, T] the values [B], `fill` after a session's end."""
        out = np.full(self.there.shape, fill)
        out[self.there] = values
        return out


def returns_to_go(rows: Slates) -> Floats:
    """[B] what the session earned from each slate on."""
    total = np.cumsum(rows.reward[::-1])[::-1]
    begins = rows.begins
    ends = np.r_[begins[1:], len(rows)]
    after = np.r_[total, 0.0][ends]
    return np.asarray(total - np.repeat(after, ends - begins))


def _of_slates(weight: Floats, value: Floats, begins: Integers) -> Terms:
    summed, weighted = (np.add.reduceat(part, begins, axis=0)[:, :, None] for part in (weight, weight * value))
    return Terms(summed, weighted, (weight**2).sum(axis=0)[:, None])


def _of_sessions(weight: Floats, value: Floats) -> Terms:
    """From [S, T], or [S, J, T]."""
    if weight.ndim == 2:
        weight, value = weight[:, None], value[:, None]
    return Terms(weight, weight * value, (weight**2).sum(axis=0))


def possible(columns: Mapping[str, object] | list[str], sessions: bool) -> Iterator[tuple[str, str]]:
    """The estimators, each with the column that a log with these `columns` lacks for it, or ""."""
    for name in (*SLATE, *(SESSION if sessions else ())):
        needed = NEEDS.get(name, "")
        yield name, needed if needed and needed not in columns else ""
