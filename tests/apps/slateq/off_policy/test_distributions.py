"""Probabilities of slates, against every slate listed, and by hand."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apps.slateq.logs.schema import NOTHING
from apps.slateq.off_policy.distributions import Mixture, PlackettLuce, SlateDistribution


@st.composite
def distributions(draw: st.DrawFn) -> tuple[SlateDistribution, np.ndarray]:
    """A policy for as many equal rows as there are slates, and these slates."""
    n = draw(st.integers(2, 5))
    k = draw(st.integers(1, min(n, 3)))
    slates = np.array(list(permutations(range(n), k)))
    if draw(st.booleans()):
        scores = draw(arrays(float, n, elements=st.floats(-8, 8)))
        return PlackettLuce(np.tile(scores, (len(slates), 1)), k), slates
    shown = np.tile(slates[draw(st.integers(0, len(slates) - 1))], (len(slates), 1))
    return Mixture(shown, draw(st.floats(0, 1)), np.full(len(slates), n)), slates


@settings(max_examples=60, deadline=None)
@given(distributions())
def test_what_is_said_of_slates_and_places_is_what_listing_all_slates_gives(given_: tuple) -> None:
    policy, slates = given_
    prefix, items, following = policy.prefixes(slates), policy.items(slates), policy.next_items(slates)
    whole = prefix[:, -1]
    assert whole.sum() == pytest.approx(1)
    for row, slate in enumerate(slates):
        for place, item in enumerate(slate):
            begins_alike = (slates[:, : place + 1] == slate[: place + 1]).all(axis=1)
            assert prefix[row, place] == pytest.approx(whole[begins_alike].sum(), abs=1e-12)
            assert items[row, place] == pytest.approx(whole[slates[:, place] == item].sum(), abs=1e-9)
            before = 1.0 if place == 0 else prefix[row, place - 1]
            assert before * following[row, place, item] == pytest.approx(prefix[row, place], abs=1e-12)
            assert following[row, place, slate[:place]].sum() == 0


def test_a_mixture_by_hand() -> None:
    policy = Mixture(np.array([[0, 1]] * 3), 0.3, np.array([3, 3, 3]))
    slates = np.array([[0, 1], [0, 2], [2, 0]])
    np.testing.assert_allclose(policy.prefixes(slates), [[0.8, 0.75], [0.8, 0.05], [0.1, 0.05]])
    np.testing.assert_allclose(policy.items(slates), [[0.8, 0.8], [0.8, 0.1], [0.1, 0.1]])
    np.testing.assert_allclose(policy.next_items(slates)[0], [[0.8, 0.1, 0.1], [0, 15 / 16, 1 / 16]])


def test_plackett_luce_by_hand() -> None:
    policy = PlackettLuce(np.log([[1.0, 2.0, 3.0]]), 2)
    np.testing.assert_allclose(policy.prefixes(np.array([[2, 1]])), [[1 / 2, 1 / 3]])
    np.testing.assert_allclose(policy.items(np.array([[2, 0]])), [[1 / 2, 1 / 12 + 1 / 6]])


def test_what_has_no_chance_is_never_drawn_and_the_rest_shares() -> None:
    policy = PlackettLuce(np.array([[0.0, -np.inf, 0.0, 0.0]]), 2)
    np.testing.assert_allclose(policy.prefixes(np.array([[0, 1]])), [[1 / 3, 0]])
    np.testing.assert_allclose(policy.items(np.array([[0, 2]])), [[1 / 3, 1 / 3]])
    assert 1 not in PlackettLuce(np.tile(policy.scores, (500, 1)), 3).draw(np.random.default_rng(0).random((500, 5)))


@pytest.mark.parametrize("kind", ["mixture", "plackett-luce"])
def test_slates_are_drawn_as_often_as_is_said(kind: str) -> None:
    rows, slates = 40_000, np.array(list(permutations(range(3), 2)))
    policy: SlateDistribution
    if kind == "mixture":
        policy = Mixture(np.tile([2, 0], (rows, 1)), 0.4, np.full(rows, 3))
    else:
        policy = PlackettLuce(np.tile([0.0, 1.0, -0.5], (rows, 1)), 2)
    drawn = policy.draw(np.random.default_rng(1).random((rows, 4)))
    for slate in slates:
        share = (drawn == slate).all(axis=1).mean()
        chance = policy.prefixes(np.tile(slate, (rows, 1)))[0, -1]
        assert abs(share - chance) < 4 * np.sqrt(chance * (1 - chance) / rows)


def test_shorter_slates_among_fewer_candidates_have_probabilities_of_their_own() -> None:
    policy = Mixture(np.array([[1, 0], [0, NOTHING]]), 1.0, np.array([4, 2]))
    slate = np.array([[3, 2], [1, NOTHING]])
    np.testing.assert_allclose(policy.prefixes(slate), [[1 / 4, 1 / 12], [1 / 2, 1 / 2]])
    np.testing.assert_allclose(policy.items(slate), [[1 / 4, 1 / 4], [1 / 2, 1]])
    np.testing.assert_allclose(policy.next_items(slate)[1, 0], [1 / 2, 1 / 2, 0, 0])
    drawn = policy.draw(np.random.default_rng(0).random((2, 5)))
    assert drawn[1, 1] == NOTHING and drawn[1, 0] in (0, 1)
