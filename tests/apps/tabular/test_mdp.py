"""Finite problems: values by hand, and that the worlds are what they say."""

import numpy as np
import pytest

from apps.tabular.labels import make_labels, oracle_labels
from apps.tabular.mdp import FiniteMDP, expected_return, loss, policy_values, value_iteration
from apps.tabular.worlds import LEFT, RIGHT, WORLDS, chain, cliff, early_end, make_world, river, trap
from lmgt_core.errors import UserError

RNG = np.random.default_rng(0)


def test_the_best_values_of_a_chain_are_its_discounted_reward() -> None:
    q = value_iteration(chain(length=3, discount=0.9))
    np.testing.assert_allclose(q[:3, RIGHT], [0.81, 0.9, 1.0], atol=1e-12)
    np.testing.assert_allclose(q[:3, LEFT], [0.1, 0.9 * 0.81, 0.9 * 0.9], atol=1e-12)
    assert q[3:].tolist() == [[0, 0], [0, 0]]


def test_the_best_way_along_a_cliff_is_its_edge() -> None:
    mdp = cliff(rows=3, columns=5, discount=0.98)
    best = value_iteration(mdp)
    steps = 6  # up, four to the right, down
    assert best[10].max() == pytest.approx(-sum(0.98**t for t in range(steps)), abs=1e-9)
    assert best[10, RIGHT] < -100


def test_leaving_at_once_is_best_where_an_early_end_pays() -> None:
    assert value_iteration(early_end()).argmax(axis=1)[:4].tolist() == [1, 1, 1, 1]


def test_swimming_is_best_in_the_river_and_nothing_ends_there() -> None:
    mdp = river()
    assert not mdp.terminal.any()
    assert value_iteration(mdp).argmax(axis=1).tolist() == [RIGHT] * 5


def test_a_move_in_the_trap_slips_to_both_sides() -> None:
    mdp = trap(size=4, slip=0.1)
    np.testing.assert_allclose(mdp.transitions[5, 1, [6, 9, 1]], [0.9, 0.05, 0.05])  # right of (1, 1), with slips


@pytest.mark.parametrize("name", WORLDS)
def test_no_policy_is_better_than_value_iteration_says(name: str) -> None:
    mdp = make_world(name)
    q = value_iteration(mdp)
    np.testing.assert_allclose(policy_values(mdp, q.argmax(axis=1)), q.max(axis=1), atol=1e-9)
    for _ in range(20):
        policy = RNG.integers(mdp.actions, size=mdp.states)
        assert (policy_values(mdp, policy) <= q.max(axis=1) + 1e-9).all()
        assert loss(mdp, policy) >= 0
    assert loss(mdp, q.argmax(axis=1)) == 0
    assert expected_return(mdp, q.argmax(axis=1)) == pytest.approx(float(mdp.start @ q.max(axis=1)))


def test_a_shift_pays_nothing_where_an_episode_is_over() -> None:
    mdp = chain(length=2)
    shifted = mdp.shifted(np.ones((4, 2)))
    assert value_iteration(shifted)[2:].tolist() == [[0, 0], [0, 0]]
    assert shifted.rewards[0, LEFT, 2] == pytest.approx(1.1)


def test_judges_are_right_as_often_as_their_names_say() -> None:
    mdp = trap(size=20, slip=0.0)
    truth = oracle_labels(mdp)
    noisy = make_labels("noisy:0.8", mdp, np.random.default_rng(1))
    assert 0.77 < (noisy == truth).mean() < 0.83  # of 1,600
    assert (make_labels("adversarial", mdp, RNG) == -truth).all()
    assert (make_labels("constant", mdp, RNG) == 1).all()
    assert not make_labels("none", mdp, RNG).any()


@pytest.mark.parametrize("name", ["noisy", "noisy:2", "noisy:x", "guru", "oracle:1"])
def test_an_unknown_judge_is_answered_with_the_names_that_there_are(name: str) -> None:
    with pytest.raises(UserError, match="judge"):
        make_labels(name, chain(), RNG)


def test_an_unknown_world_is_answered_with_the_names_that_there_are() -> None:
    with pytest.raises(UserError, match="chain, cliff, trap"):
        make_world("maze")


def test_what_is_no_decision_problem_is_refused() -> None:
    ones = np.ones((1, 1, 1))
    with pytest.raises(ValueError, match="discount"):
        FiniteMDP("x", ones, ones, np.zeros(1, bool), np.ones(1), 1.0)
    with pytest.raises(ValueError, match="do not add up"):
        FiniteMDP("x", 2 * ones, ones, np.zeros(1, bool), np.ones(1), 0.9)
