"""Golden values, by hand: rescaling, n-step double Q targets, priorities, importance weights, exploration rates."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from apps.atari_vision.r2d2.targets import (
    double_q_targets,
    exploration_rates,
    importance_weights,
    n_step_returns,
    sequence_priorities,
)
from apps.atari_vision.r2d2.value_rescaling import rescale, unrescale


def test_rescaling_by_hand() -> None:
    x = torch.tensor([0.0, 3.0, -8.0, 99.0])
    # sqrt(4) - 1 + 0.003; -(sqrt(9) - 1) - 0.008; sqrt(100) - 1 + 0.099
    assert rescale(x, 1e-3).tolist() == pytest.approx([0, 1.003, -2.008, 9.099])


@given(st.floats(-50_000, 50_000))
def test_unrescaling_is_the_inverse(x: float) -> None:
    back = unrescale(rescale(torch.tensor(x), 1e-3), 1e-3)
    assert float(back) == pytest.approx(x, rel=1e-4, abs=1e-5)


def test_n_step_returns_by_hand() -> None:
    rewards = torch.tensor([[1.0, 2.0, 4.0]])
    discounts = torch.full((1, 3), 0.5)
    values = torch.tensor([[9.0, 9.0, 16.0, 8.0]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    returns = n_step_returns(rewards, discounts, values, mask, n=2)
    # 1 + .5 * 2 + .25 * 16; 2 + .5 * 4 + .25 * 8; only one step is left for the last: 4 + .5 * 8
    assert returns.tolist() == [[6.0, 6.0, 8.0]]


def test_nothing_after_a_terminal_decision_counts() -> None:
    rewards, values = torch.tensor([[1.0, 2.0, 100.0]]), torch.tensor([[0.0, 0.0, 50.0, 50.0]])
    discounts = torch.tensor([[0.5, 0.0, 0.5]])
    mask = torch.tensor([[True, True, False]])
    assert n_step_returns(rewards, discounts, values, mask, n=3)[0, :2].tolist() == [2.0, 2.0]


def test_a_truncated_episode_bootstraps_from_its_last_observation() -> None:
    rewards, values = torch.tensor([[1.0, 1.0, 100.0]]), torch.tensor([[0.0, 0.0, 8.0, 50.0]])
    mask = torch.tensor([[True, True, False]])
    returns = n_step_returns(rewards, torch.full((1, 3), 0.5), values, mask, n=3)
    assert returns[0, :2].tolist() == [3.5, 5.0]  # 1 + .5 + .25 * 8; 1 + .5 * 8


def test_double_q_values_the_online_choice_by_the_target_network() -> None:
    online = torch.tensor([[[0.0, 0.0], [1.0, 2.0]]])  # chooses action 1
    target = torch.tensor([[[0.0, 0.0], [9.099, 1.003]]])  # h(99), h(3)
    one = torch.ones(1, 1)
    targets = double_q_targets(online, target, one, one, one.bool(), n=1, eps=1e-3)
    assert float(targets) == pytest.approx(5**0.5 - 1 + 0.004, abs=1e-5)  # h(1 + 3), not h(1 + 99)


def test_priorities_mix_the_largest_and_the_mean_error_of_what_exists() -> None:
    errors = torch.tensor([[-4.0, 2.0, 100.0], [1.0, 1.0, 1.0]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert sequence_priorities(errors, mask, 0.9).tolist() == pytest.approx([0.9 * 4 + 0.1 * 3, 1.0])


def test_importance_weights_by_hand() -> None:
    # (4 * 1/16)^-.5 = 2, (4 * 1/4)^-.5 = 1, (4 * 9/16)^-.5 = 2/3; divided by 2
    weights = importance_weights(np.array([1 / 16, 1 / 4, 9 / 16]), stored=4, exponent=0.5)
    assert weights.tolist() == pytest.approx([1, 1 / 2, 1 / 3])


def test_exploration_rates_fall_from_the_first_actor_to_the_last() -> None:
    assert exploration_rates(3, 0.4, 7).tolist() == pytest.approx([0.4, 0.4**4.5, 0.4**8])
    assert exploration_rates(1, 0.4, 7).tolist() == [0.4]
