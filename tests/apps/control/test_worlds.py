"""Reading states and actions that a person typed."""

import math

import numpy as np
import pytest

from apps.control.worlds import WORLDS, read_action, read_state, world
from lmgt_core.errors import UserError

BLACKJACK, CARTPOLE, PENDULUM = (WORLDS[n] for n in ("Blackjack-v1", "CartPole-v1", "Pendulum-v1"))


@pytest.mark.parametrize(
    ("text", "observation"),
    [
        ("sum 16, dealer 10, no ace", (16, 10, 0)),
        ("sum 18, dealer ace, usable ace", (18, 1, 1)),
        ("Sum: 12, dealer=2, ace=0", (12, 2, 0)),
    ],
)
def test_a_hand_is_read(text: str, observation: tuple[int, ...]) -> None:
    assert read_state(BLACKJACK, text) == observation


def test_numbers_with_units_are_converted() -> None:
    observation = read_state(CARTPOLE, "angle 3, angular velocity -90, position 0.1, velocity -.5")
    assert observation == pytest.approx((0.1, -0.5, math.radians(3), math.radians(-90)))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sum 16, dealer 10", "ace is missing"),
        ("sum 16, dealer 10, no ace, tall 3", "'tall 3' is not understood"),
        ("sum 30, dealer 10, no ace", "from 4 to 21"),
        ("sum 8, dealer 10, usable ace", "sums to 12 or more"),
        ("sixteen", "needs numbers for sum"),
        ("sum 16.5, dealer 10, no ace", "whole number"),
    ],
)
def test_a_state_that_is_not_understood_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        read_state(BLACKJACK, text)


def test_actions_are_read_by_number_and_by_words() -> None:
    assert read_action(BLACKJACK, "hit") == 1
    assert read_action(BLACKJACK, "0") == 0
    assert read_action(CARTPOLE, "right") == 1
    assert read_action(PENDULUM, "-1.5") == np.float32(-1.5)
    assert read_action(PENDULUM, "strong clockwise") == np.float32(-2)


@pytest.mark.parametrize("text", ["", "fold", "clockwise torque", "7"])
def test_an_action_that_is_not_one_is_named_with_the_choices(text: str) -> None:
    with pytest.raises(UserError, match="there are: 0 "):
        read_action(PENDULUM if "torque" in text else BLACKJACK, text)


def test_an_unknown_task_is_named_with_the_choices() -> None:
    with pytest.raises(UserError, match=r"--env Go: no such control task; choose one of CartPole-v1, .*PocketWatch-v0"):
        world("Go")
