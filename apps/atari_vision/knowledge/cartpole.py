"""CartPole: angle, motion and place in words, and a controller that reads them."""

from bisect import bisect_right
from math import degrees
from typing import Any

from apps.atari_vision.knowledge.knowledge import Facts, Knowledge
from captioners.phrasing import Phrasing
from lmgt_core.judging.judgment import Verdict

ACTIONS = ("push the cart to the left", "push the cart to the right")

# slot -> (borders between its phrases, phrases, the value that each phrase stands for)
LEAN = (
    (-6.0, -2.0, 0.0, 2.0, 6.0),
    (
        "more than 6 degrees to the left",
        "2 to 6 degrees to the left",
        "less than 2 degrees to the left",
        "less than 2 degrees to the right",
        "2 to 6 degrees to the right",
        "more than 6 degrees to the right",
    ),
    (-9.0, -4.0, -1.0, 1.0, 4.0, 9.0),  # degrees
)
TIP = (
    (-60.0, -15.0, 15.0, 60.0),
    (
        "is tipping fast to the left (over 60 degrees per second)",
        "is tipping to the left (15 to 60 degrees per second)",
        "hardly turns (under 15 degrees per second)",
        "is tipping to the right (15 to 60 degrees per second)",
        "is tipping fast to the right (over 60 degrees per second)",
    ),
    (-90.0, -37.0, 0.0, 37.0, 90.0),  # degrees per second
)
PLACE = (
    (-1.2, -0.4, 0.4, 1.2),
    (
        "close to the left end of the track (over 1.2 m from the middle)",
        "to the left of the middle (0.4 to 1.2 m)",
        "near the middle of the track (within 0.4 m)",
        "to the right of the middle (0.4 to 1.2 m)",
        "close to the right end of the track (over 1.2 m from the middle)",
    ),
    (-1.8, -0.8, 0.0, 0.8, 1.8),  # metres
)
ROLL = (
    (-0.5, 0.5),
    ("rolls to the left (over 0.5 m/s)", "hardly rolls (under 0.5 m/s)", "rolls to the right (over 0.5 m/s)"),
    (-1.0, 0.0, 1.0),  # metres per second
)
SLOTS = {"lean": LEAN, "tip": TIP, "place": PLACE, "roll": ROLL}
PHRASING = Phrasing(
    "The pole leans {lean} and {tip}. The cart is {place} and {roll}.",
    {slot: phrases for slot, (_, phrases, _) in SLOTS.items()},
)


def facts(memory: Any) -> dict[str, str]:
    """The facts of (position in m, velocity in m/s, angle in rad, angular velocity in rad/s)."""
    position, velocity, angle, turn = (float(n) for n in memory)
    values = {"lean": degrees(angle), "tip": degrees(turn), "place": position, "roll": velocity}
    return {slot: phrases[bisect_right(borders, values[slot])] for slot, (borders, phrases, _) in SLOTS.items()}


def expert(known: Facts, action: int) -> Verdict:
    """Good to push to the side that the pole leans or is about to lean to.

    The sign of angle + 0.2 s * angular velocity in degrees, plus half a degree for each metre and metre per second of
    the cart: pushing outwards first tips the pole inwards. The signs are those of the linear-quadratic regulator.
    """
    n = {slot: values[phrases.index(known[slot])] for slot, (_, phrases, values) in SLOTS.items()}
    lean = n["lean"] + 0.2 * n["tip"] + 0.5 * n["place"] + 0.5 * n["roll"]
    return Verdict.GOOD if action == (1 if lean > 0 else 0) else Verdict.BAD


CARTPOLE = Knowledge(PHRASING, facts, expert, ACTIONS)
