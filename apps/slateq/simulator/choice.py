"""How a user chooses from a slate: the choice models of RecSim (module choice_model), for any number of users at once.

Two steps, so that a recommender can take the first for all candidates and the second for each slate: the affinity of a
user to a document gives a score, and the scores of a slate give probabilities.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np

from apps.slateq.simulator.protocol import ChoiceModel, Integers, Scores
from lmgt_core.errors import UserError

Number: TypeAlias = float | Scores  # the same for all users, or each user's own, as a column [B, 1]


@dataclass(frozen=True)
class MultinomialProportional:
    """P(i) is proportional to affinity - min_normalizer, and that of no click to no_click_mass - min_normalizer."""

    no_click_mass: Number
    min_normalizer: float
    name = "multinomial-proportional"

    def scores(self, affinity: Scores) -> Scores:
        """[..., N + 1] affinities above the normalizer, the mass of no click among them."""
        return _with_no_click(affinity, self.no_click_mass) - self.min_normalizer

    def probabilities(self, scores: Scores) -> Scores:
        """[..., K + 1] each score's share of the sum."""
        return _shares(scores)


@dataclass(frozen=True)
class MultinomialLogit:
    """P(i) is proportional to exp(affinity), and that of no click to exp(no_click_mass)."""

    no_click_mass: Number
    name = "multinomial-logit"

    def scores(self, affinity: Scores) -> Scores:
        """[..., N + 1] exponentials, divided by the largest in the row so that none overflows."""
        logits = _with_no_click(affinity, self.no_click_mass)
        scores: Scores = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return scores

    def probabilities(self, scores: Scores) -> Scores:
        """[..., K + 1] each score's share of the sum."""
        return _shares(scores)


@dataclass(frozen=True)
class _Cascade:
    """The user goes down the slate, looks at a place with attention_prob, and then clicks with score_scaling * score.

    RecSim's reading: not looking at one place does not end the walk. The scores here hold the scaling already, so they
    are the probability of a click on a document that is looked at; no click is what remains and scores 0.
    """

    attention_prob: Number
    score_scaling: Number

    def probabilities(self, scores: Scores) -> Scores:
        """[..., K + 1] the chance of getting to each place without a click, times that of a click there."""
        clicks = self.attention_prob * scores[..., :-1]
        walked = np.cumprod(1 - clicks, axis=-1)  # past each place without a click
        out = np.empty_like(scores)
        out[..., 0] = clicks[..., 0]
        out[..., 1:-1] = walked[..., :-1] * clicks[..., 1:]
        out[..., -1] = walked[..., -1]
        return out

    def _scaled(self, scores: Scores) -> Scores:
        scaled = self.score_scaling * scores
        if (scaled > 1).any():
            raise ValueError(f"score_scaling {np.max(self.score_scaling):g} makes a click more than certain")
        return _with_no_click(scaled, 0.0)


@dataclass(frozen=True)
class ProportionalCascade(_Cascade):
    """A cascade whose scores are affinity - min_normalizer."""

    min_normalizer: float
    name = "proportional-cascade"

    def scores(self, affinity: Scores) -> Scores:
        """[..., N + 1] chances of a click on a document that is looked at; ValueError above 1."""
        return self._scaled(affinity - self.min_normalizer)


@dataclass(frozen=True)
class ExponentialCascade(_Cascade):
    """A cascade whose scores are exp(affinity)."""

    name = "exponential-cascade"

    def scores(self, affinity: Scores) -> Scores:
        """[..., N + 1] chances of a click on a document that is looked at; ValueError above 1."""
        return self._scaled(np.exp(affinity))


@dataclass(frozen=True)
class First:
    """The first document of a slate is always chosen, as in RecSim's long-term satisfaction."""

    name = "first"

    def scores(self, affinity: Scores) -> Scores:
        """[..., N + 1] ones, and 0 for no click."""
        return _with_no_click(np.ones_like(affinity), 0.0)

    def probabilities(self, scores: Scores) -> Scores:
        """[..., K + 1] one for the first place, 0 for all others."""
        out = np.zeros_like(scores)
        out[..., 0] = 1
        return out


@dataclass(frozen=True)
class ChoiceParameters:
    """What a world has for every choice model."""

    no_click_mass: float
    min_normalizer: float
    attention_prob: float
    score_scaling: float


def make_choice_model(name: str, parameters: ChoiceParameters) -> ChoiceModel:
    """The choice model called `name`; UserError for parameters that give no probabilities."""
    p = parameters
    if name == "first":
        return First()
    if name == "multinomial-logit":
        return MultinomialLogit(p.no_click_mass)
    if name == "multinomial-proportional":
        if p.no_click_mass < p.min_normalizer:
            raise UserError(
                f"--no-click-mass {p.no_click_mass:g}: must not be under --min-normalizer ({p.min_normalizer:g})"
            )
        return MultinomialProportional(p.no_click_mass, p.min_normalizer)
    if not (0 <= p.attention_prob <= 1 and p.score_scaling >= 0):
        raise UserError(f"--choice-model {name}: needs --attention-prob in [0, 1] and --score-scaling of 0 or more")
    if name == "proportional-cascade":
        return ProportionalCascade(p.attention_prob, p.score_scaling, p.min_normalizer)
    return ExponentialCascade(p.attention_prob, p.score_scaling)


def choose(probabilities: Scores, uniform: Scores) -> Integers:
    """[B] the place of `probabilities` [B, K + 1] that the uniform numbers [B] in [0, 1) fall on; K for no click.

    Calculated as numpy.random.RandomState.choice does, so that equal numbers make RecSim's choices.
    """
    below = np.cumsum(probabilities, axis=1)
    below /= below[:, -1:]
    place: Integers = (below <= uniform[:, None]).sum(axis=1)
    return place


def of_each_user(model: ChoiceModel, numbers: Mapping[str, Scores]) -> ChoiceModel:
    """`model` with those of `numbers` [B] that it has; the other names are not its own."""
    own = {field.name for field in fields(model)}  # type: ignore[arg-type]
    mine = {name: number[:, None] for name, number in numbers.items() if name in own}
    return replace(model, **mine) if mine else model  # type: ignore[type-var]


def _with_no_click(scores: Scores, no_click: Number) -> Scores:
    out = np.empty((*scores.shape[:-1], scores.shape[-1] + 1), scores.dtype)
    out[..., :-1] = scores
    out[..., -1:] = no_click
    return out


def _shares(scores: Scores) -> Scores:
    shares: Scores = scores / scores.sum(axis=-1, keepdims=True)
    return shares
