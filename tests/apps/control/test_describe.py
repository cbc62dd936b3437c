"""Words for states and actions: equal situations get equal words, and there are few."""

import math

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.control.bins import Quantity, mirrored
from apps.control.describe import ACROBOT, BLACKJACK, CARTPOLE, MOUNTAIN_CAR, PENDULUM
from apps.control.worlds import WORLDS

LEAN = mirrored("lean", "degrees", (0, 1, 3, 12), ("a bit {side}", "{side}", "far {side}"), ("left", "right"))
TURN = mirrored("turn", "", (10, 30, 90), ("slowly {side}", "{side}"), ("left", "right"), "still")


def test_ranges_are_the_same_on_both_sides_of_zero() -> None:
    assert LEAN.edges == (-3, -1, 0, 1, 3)
    assert LEAN.labels == ("far left", "left", "a bit left", "a bit right", "right", "far right")
    assert LEAN.centres == (-7.5, -2, -0.5, 0.5, 2, 7.5)


def test_a_range_around_zero_has_its_own_name() -> None:
    assert TURN.edges == (-30, -10, 10, 30)
    assert TURN.labels == ("left", "slowly left", "still", "slowly right", "right")
    assert TURN.centre("still") == 0


@given(st.floats(-20, 20))
def test_the_opposite_value_has_the_opposite_label(value: float) -> None:
    if value not in LEAN.edges and -value not in LEAN.edges:
        swapped = LEAN.labels[LEAN.index(-value)].replace("left", "RIGHT").replace("right", "left").lower()
        assert LEAN.labels[LEAN.index(value)] == swapped


@given(st.floats(-100, 100))
def test_a_value_lies_between_the_edges_of_its_range(value: float) -> None:
    i = TURN.index(value)
    edges = (-math.inf, *TURN.edges, math.inf)
    assert edges[i] <= value < edges[i + 1]


def test_a_quantity_with_two_equal_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="different labels"):
        Quantity("x", "", (0.0,), ("same", "same"), (-1.0, 1.0))


def test_cartpole_in_words() -> None:
    observation = (0.5, -0.6, math.radians(2), math.radians(-45))  # position, velocity, angle, angular velocity
    description = CARTPOLE(observation, 1)
    assert description.state == (
        "The pole leans 1 to 3 degrees to the right and is tipping to the left (30 to 90 degrees per second). "
        "The cart is to the right of the middle (0.4 to 1.2 m) and rolls to the left (over 0.5 m/s)."
    )
    assert description.action == "push the cart to the right"


def test_a_continuous_torque_is_put_into_words() -> None:
    up = (1.0, 0.0, 0.0)  # cosine, sine, angular velocity
    assert PENDULUM(up, np.array([0.1], dtype=np.float32)).action == "apply almost no torque (under 0.3 Nm)"
    assert PENDULUM(up, np.array([-2.0])).action == "apply a strong clockwise torque (over 1.2 Nm)"
    assert "upright (within 2 degrees)" in PENDULUM(up, [0.0]).state


def test_pendulum_sides_follow_gymnasiums_angle() -> None:
    angle = math.radians(20)  # counter-clockwise of upright is positive
    assert "counter-clockwise of upright" in PENDULUM((math.cos(angle), math.sin(angle), 0.0), [0.0]).state


def test_blackjack_in_words() -> None:
    assert BLACKJACK((16, 10, 0), 1).state == (
        "The player's cards sum to 16; no ace in it counts as 11. The dealer shows a 10."
    )
    soft = BLACKJACK((18, 1, 1), 0)
    assert soft.state == "The player's cards sum to 18; one of its aces counts as 11. The dealer shows an ace."
    assert soft.facts == {"sum": "18", "dealer": "ace", "usable ace": "yes", "action": "stand and take no more cards"}


def test_equal_ranges_give_the_same_description() -> None:
    first, second = CARTPOLE((0.0, 0.0, 0.030, 0.0), 0), CARTPOLE((0.1, 0.1, 0.031, 0.1), 0)
    assert first is second


@pytest.mark.parametrize(
    ("describer", "questions"),
    [(CARTPOLE, 1680), (PENDULUM, 1045), (BLACKJACK, 560), (ACROBOT, 2520), (MOUNTAIN_CAR, 147)],
)
def test_a_task_has_few_questions(describer, questions: int) -> None:
    prose = [(d.state, d.action) for d in describer.everything()]
    assert len(prose) == len(set(prose)) == questions


@pytest.mark.parametrize("name", WORLDS)
def test_whatever_a_task_shows_is_described(name: str) -> None:
    task = WORLDS[name]
    known = {(d.state, d.action) for d in task.describer.everything()}
    env = task.make()
    env.action_space.seed(1)
    observation, _ = env.reset(seed=1)
    for _ in range(300):
        action = env.action_space.sample()
        description = task.describer(observation, action)
        assert description is None or (description.state, description.action) in known
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            observation, _ = env.reset()


def test_a_watch_on_its_way_is_not_judged() -> None:
    task = WORLDS["PocketWatch-v0"]
    assert task.describer((1, 0, 0, 0, 0), 0) is not None
    assert task.describer((1, 1, 0, 0, 1), 0) is None


def test_blackjack_observations_are_integers_for_learners() -> None:
    env = WORLDS["Blackjack-v1"].make()
    observation, _ = env.reset(seed=3)
    assert isinstance(env.observation_space, gym.spaces.MultiDiscrete)
    assert env.observation_space.contains(observation)
