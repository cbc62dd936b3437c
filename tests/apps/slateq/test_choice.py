"""Choice models by hand: scores of documents, probabilities of slates, and what luck makes of them."""

import numpy as np
import pytest

from apps.slateq.simulator.choice import (
    ChoiceParameters,
    ExponentialCascade,
    First,
    MultinomialLogit,
    MultinomialProportional,
    ProportionalCascade,
    choose,
    make_choice_model,
)
from lmgt_core.errors import UserError

AFFINITY = np.array([[0.0, -1.0, 1.0]])


def test_proportional_choices_are_shares_of_what_lies_above_the_normalizer() -> None:
    model = MultinomialProportional(no_click_mass=1.0, min_normalizer=-1.0)
    scores = model.scores(AFFINITY)
    assert scores.tolist() == [[1, 0, 2, 2]]
    np.testing.assert_allclose(model.probabilities(scores), [[0.2, 0, 0.4, 0.4]])


def test_logit_choices_are_a_softmax_that_does_not_overflow() -> None:
    model = MultinomialLogit(no_click_mass=np.log(2.0))
    probabilities = model.probabilities(model.scores(np.log([[1.0, 5.0]])))
    np.testing.assert_allclose(probabilities, [[1 / 8, 5 / 8, 2 / 8]])
    assert model.probabilities(model.scores(np.array([[1e5, 0.0]]))).tolist() == [[1, 0, 0]]


def test_a_cascade_goes_down_the_slate() -> None:
    model = ProportionalCascade(attention_prob=0.5, score_scaling=0.4, min_normalizer=-1.0)
    scores = model.scores(AFFINITY)
    np.testing.assert_allclose(scores, [[0.4, 0, 0.8, 0]])
    # .5 * .4, then nothing, then what is left after .2 times .5 * .8; no click: .8 * .6
    np.testing.assert_allclose(model.probabilities(scores), [[0.2, 0, 0.32, 0.48]])
    np.testing.assert_allclose(model.probabilities(scores[:, [2, 1, 0, 3]]), [[0.4, 0, 0.12, 0.48]])


def test_an_exponential_cascade_scores_by_the_exponential() -> None:
    model = ExponentialCascade(attention_prob=1.0, score_scaling=0.1)
    np.testing.assert_allclose(model.scores(np.log([[1.0, 5.0]])), [[0.1, 0.5, 0]])
    with pytest.raises(ValueError, match="more than certain"):
        model.scores(np.log([[11.0]]))


def test_the_first_is_always_chosen() -> None:
    model = First()
    assert model.probabilities(model.scores(AFFINITY)).tolist() == [[1, 0, 0, 0]]


@pytest.mark.parametrize(("luck", "place"), [(0.0, 0), (0.19, 0), (0.2, 2), (0.59, 2), (0.61, 3), (0.999, 3)])
def test_luck_falls_on_places_by_their_probability(luck: float, place: int) -> None:
    assert choose(np.array([[0.2, 0.0, 0.4, 0.4]]), np.array([luck])).tolist() == [place]


def test_the_same_numbers_choose_as_numpys_choice_does() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 500)
    luck, theirs = np.random.RandomState(3).random_sample(500), np.random.RandomState(3)
    assert choose(probabilities, luck).tolist() == [theirs.choice(4, p=p) for p in probabilities]


@pytest.mark.parametrize(
    "parameters",
    [ChoiceParameters(1.0, 0.0, 1.5, 0.1), ChoiceParameters(1.0, 0.0, 0.5, -0.1)],
)
def test_a_cascade_without_probabilities_is_refused(parameters: ChoiceParameters) -> None:
    with pytest.raises(UserError, match="--attention-prob"):
        make_choice_model("exponential-cascade", parameters)
