"""Experts: what a good controller thinks of an action, read from the same words that other judges get.

They calculate with the middles of the ranges in a description, so they know no more than the words say. How well
acting on them does is measured by `python -m apps.control.expert_returns` and stands in README.md.
"""

import math
from collections.abc import Callable, Mapping

from apps.control import blackjack_values, watch_repair
from apps.control.describe import (
    ACROBOT,
    ACTION,
    CARDS,
    CARTPOLE,
    MOUNTAIN_CAR,
    PENDULUM,
    BinnedDescriber,
    BlackjackDescriber,
    WatchDescriber,
)
from lmgt_core.judging.judgment import Verdict

Facts = Mapping[str, str]
Expert = Callable[[Facts], Verdict]  # LookupError for facts of another task


def numbers(describer: BinnedDescriber, facts: Facts) -> dict[str, float]:
    """The middles of the ranges that `facts` name, the action's among them."""
    return {q.name: q.centre(facts[q.name]) for q in (*describer.quantities, describer.action)}


def cartpole_lean(facts: Facts) -> float:
    """How far the pole leans or is about to lean to the right, in degrees, counting how the cart stands.

    A sign rule with the signs of the linear-quadratic regulator: angle + 0.2 s * angular velocity, in degrees, plus
    half a degree for each metre and metre per second of the cart (pushing outwards first tips the pole inwards).
    """
    n = numbers(CARTPOLE, facts)
    return n["angle"] + 0.2 * n["angular velocity"] + 0.5 * n["position"] + 0.5 * n["velocity"]


def cartpole(facts: Facts) -> Verdict:
    """Push to the side that the pole leans or is about to lean to, and a little towards the middle's far side."""
    side = 1.0 if cartpole_lean(facts) > 0 else 0.0
    return Verdict.GOOD if CARTPOLE.action.centre(facts[ACTION]) == side else Verdict.BAD


def pendulum_torque(angle: float, velocity: float) -> float:
    """Newton metres, counter-clockwise, for an angle in radians from upright: pump energy, then balance.

    Angular acceleration is 15 sin(angle) + 3 torque, so twice the kinetic and potential energy per inertia,
    velocity^2 / 2 + 15 cos(angle), is 15 at rest in upright position (Astrom and Furuta 2000).
    """
    if abs(angle) <= math.radians(25) and abs(velocity) < 4:
        torque = -(25 * math.sin(angle) + 5 * velocity) / 3
        return max(-2.0, min(2.0, torque))
    pump = 1.0 if velocity >= 0 else -1.0
    return 2 * pump * (1 if velocity**2 / 2 + 15 * math.cos(angle) < 15 else -1)


def pendulum(facts: Facts) -> Verdict:
    """Good in the range of the controller's torque, neutral in the next one, bad beyond."""
    n = numbers(PENDULUM, facts)
    wanted = PENDULUM.action.index(pendulum_torque(math.radians(n["angle"]), n["angular velocity"]))
    apart = abs(wanted - PENDULUM.action.index(n[ACTION]))
    return (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD, Verdict.BAD, Verdict.BAD)[apart]


def acrobot(facts: Facts) -> Verdict:
    """Turn the lower link against the upper link's motion: the motor's reaction drives the upper link on.

    Where the upper link is almost still its direction is not known, and everything is neutral; so is the motor off.
    """
    n = numbers(ACROBOT, facts)
    torque = n[ACTION] - 1.0
    motion = n["upper link's turn"]
    if torque == 0 or motion == 0:
        return Verdict.NEUTRAL
    return Verdict.GOOD if torque * motion < 0 else Verdict.BAD


def mountain_car(facts: Facts) -> Verdict:
    """Accelerate the way the car rolls, from rest downhill; neutral not to accelerate."""
    n = numbers(MOUNTAIN_CAR, facts)
    push = n[ACTION] - 1.0
    way = n["velocity"] or (-0.52 - n["position"])
    if push == 0:
        return Verdict.NEUTRAL
    return Verdict.GOOD if push * way > 0 else Verdict.BAD


NEAR_TIE = 0.01  # reward; where hit and stand are closer than this, both are neutral


def blackjack(facts: Facts) -> Verdict:
    """What is worth more by exact calculation: basic strategy without doubling and splitting."""
    dealer = {label: card for card, label in CARDS.items()}[facts["dealer"]]
    hand = (int(facts["sum"]), facts["usable ace"] == "yes")
    actions = BlackjackDescriber.actions
    if facts[ACTION] not in actions:
        raise LookupError(facts[ACTION])
    action = actions.index(facts[ACTION])
    gain = blackjack_values.value(hand, dealer, action) - blackjack_values.value(hand, dealer, 1 - action)
    if abs(gain) < NEAR_TIE:
        return Verdict.NEUTRAL
    return Verdict.GOOD if gain > 0 else Verdict.BAD


def watch(facts: Facts) -> Verdict:
    """Whether the decision is the better one on average; the agent does not know the costs, this expert does."""
    brand = int(facts["brand"].removeprefix("brand "))
    action = WatchDescriber.actions.index(facts[ACTION])
    return Verdict.GOOD if action == watch_repair.best_action(brand) else Verdict.BAD
