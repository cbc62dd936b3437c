"""States and actions of the control tasks in words.

Numbers are put into ranges (listed in README.md) before they become words, so that a million steps ask a few thousand
questions at most. `facts` hold the same labels; experts calculate with the middles of the ranges.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import atan2, degrees
from typing import Any

from apps.control.bins import Quantity, mirrored
from lmgt_core.judging.description import Description

ACTION = "action"  # the fact that names the action
SIDES = ("left", "right")
TURNS = ("clockwise", "counter-clockwise")


@dataclass(frozen=True)
class BinnedDescriber:
    """Puts the quantities of a state into ranges and their labels into `sentence`."""

    quantities: tuple[Quantity, ...]
    values: Callable[[Any], Sequence[float]]
    """Observation -> the quantities' values, in their units."""
    sentence: str
    action: Quantity
    """The action as a quantity: the index of a discrete one, or its own value."""
    _known: dict[tuple[int, ...], Description] = field(default_factory=dict, repr=False)

    def __call__(self, observation: Any, action: Any) -> Description:
        """The description; equal ranges give the same object, so a step costs no formatting."""
        value = float(action[0]) if hasattr(action, "__len__") else float(action)
        key = tuple(q.index(v) for q, v in zip(self.quantities, self.values(observation), strict=True))
        return self.of_ranges((*key, self.action.index(value)))

    def of_ranges(self, key: tuple[int, ...]) -> Description:
        """The description of the ranges `key`: one index a quantity, then the action's."""
        if key not in self._known:
            named = {q.name: q.labels[i] for q, i in zip((*self.quantities, self.action), key, strict=True)}
            state = self.sentence.format(**named)
            self._known[key] = Description(state, named[ACTION], facts=named)
        return self._known[key]

    def everything(self) -> Iterator[Description]:
        """Every description there is."""
        for key in product(*(range(len(q.labels)) for q in (*self.quantities, self.action))):
            yield self.of_ranges(key)


def choice(*labels: str) -> Quantity:
    """A discrete action 0, 1, ... named by `labels`."""
    n = len(labels)
    return Quantity(ACTION, "", tuple(i + 0.5 for i in range(n - 1)), labels, tuple(float(i) for i in range(n)))


CARTPOLE = BinnedDescriber(
    (
        mirrored(
            "angle",
            "degrees",
            (0, 1, 3, 6, 12),
            (
                "less than 1 degree to the {side}",
                "1 to 3 degrees to the {side}",
                "3 to 6 degrees to the {side}",
                "more than 6 degrees to the {side}",
            ),
            SIDES,
        ),
        mirrored(
            "angular velocity",
            "degrees per second",
            (10, 30, 90, 150),
            (
                "is tipping slowly to the {side} (10 to 30 degrees per second)",
                "is tipping to the {side} (30 to 90 degrees per second)",
                "is tipping fast to the {side} (over 90 degrees per second)",
            ),
            SIDES,
            "hardly turns (under 10 degrees per second)",
        ),
        mirrored(
            "position",
            "metres",
            (0.4, 1.2, 2.4),
            ("to the {side} of the middle (0.4 to 1.2 m)", "close to the {side} end of the track (over 1.2 m)"),
            SIDES,
            "near the middle of the track (within 0.4 m)",
        ),
        mirrored(
            "velocity",
            "metres per second",
            (0.5, 1.5),
            ("rolls to the {side} (over 0.5 m/s)",),
            SIDES,
            "hardly rolls (under 0.5 m/s)",
        ),
    ),
    lambda o: (degrees(o[2]), degrees(o[3]), o[0], o[1]),
    "The pole leans {angle} and {angular velocity}. The cart is {position} and {velocity}.",
    choice("push the cart to the left", "push the cart to the right"),
)

PENDULUM = BinnedDescriber(
    (
        mirrored(
            "angle",
            "degrees from upright, counter-clockwise",
            (2, 6, 12, 25, 45, 75, 105, 135, 165, 180),
            (
                "2 to 6 degrees {side} of upright",
                "6 to 12 degrees {side} of upright",
                "12 to 25 degrees {side} of upright",
                "25 to 45 degrees {side} of upright",
                "45 to 75 degrees {side} of upright",
                "about horizontal, {side} of upright (75 to 105 degrees)",
                "below the horizontal, {side} of upright (105 to 135 degrees)",
                "low, {side} of upright (135 to 165 degrees)",
                "hanging almost straight down, {side} of upright (over 165 degrees)",
            ),
            TURNS,
            "upright (within 2 degrees)",
        ),
        mirrored(
            "angular velocity",
            "radians per second",
            (0.25, 1, 2, 4, 6, 8),
            (
                "creeps {side} (0.25 to 1 radian per second)",
                "turns slowly {side} (1 to 2 radians per second)",
                "turns {side} (2 to 4 radians per second)",
                "turns fast {side} (4 to 6 radians per second)",
                "turns very fast {side} (over 6 radians per second)",
            ),
            TURNS,
            "is almost still (under 0.25 radians per second)",
        ),
    ),
    lambda o: (degrees(atan2(o[1], o[0])), o[2]),
    "The pendulum is {angle} and {angular velocity}.",
    Quantity(
        ACTION,
        "newton metres, counter-clockwise",
        (-1.2, -0.3, 0.3, 1.2),
        (
            "apply a strong clockwise torque (over 1.2 Nm)",
            "apply a weak clockwise torque (0.3 to 1.2 Nm)",
            "apply almost no torque (under 0.3 Nm)",
            "apply a weak counter-clockwise torque (0.3 to 1.2 Nm)",
            "apply a strong counter-clockwise torque (over 1.2 Nm)",
        ),
        (-2.0, -0.75, 0.0, 0.75, 2.0),  # the strong ones stand for the limit, which is what a controller asks for
    ),
)

ACROBOT = BinnedDescriber(
    (
        mirrored(
            "upper link",
            "degrees from hanging down, counter-clockwise",
            (0, 45, 90, 135, 180),
            (
                "hangs down, a little {side} (under 45 degrees)",
                "hangs down to the {side} (45 to 90 degrees)",
                "points up to the {side} (90 to 135 degrees)",
                "points almost straight up, a little {side} (over 135 degrees)",
            ),
            SIDES,
        ),
        mirrored(
            "upper link's turn",
            "radians per second",
            (0.2, 1, 3, 12),
            (
                "swings slowly to the {side} (0.2 to 1 radian per second)",
                "swings to the {side} (1 to 3 radians per second)",
                "swings fast to the {side} (over 3 radians per second)",
            ),
            SIDES,
            "is almost still (under 0.2 radians per second)",
        ),
        mirrored(
            "lower link",
            "degrees from the upper link's direction, counter-clockwise",
            (30, 120, 180),
            ("bent to the {side} (30 to 120 degrees)", "folded back on the {side} (over 120 degrees)"),
            SIDES,
            "in line with the upper link (within 30 degrees)",
        ),
        mirrored(
            "lower link's turn",
            "radians per second",
            (1, 28),
            ("turns to the {side} against it (over 1 radian per second)",),
            SIDES,
            "hardly turns against it (under 1 radian per second)",
        ),
    ),
    lambda o: (degrees(atan2(o[1], o[0])), o[4], degrees(atan2(o[3], o[2])), o[5]),
    "The upper link {upper link} and {upper link's turn}. The lower link is {lower link} and {lower link's turn}.",
    choice(
        "turn the lower link to the left with the motor at the middle joint",
        "leave the motor at the middle joint off",
        "turn the lower link to the right with the motor at the middle joint",
    ),
)

MOUNTAIN_CAR = BinnedDescriber(
    (
        Quantity(
            "position",
            "along the track, from -1.2 (left) to 0.6 (right); the valley's bottom is at -0.52, the flag at 0.5",
            (-1.0, -0.7, -0.52, -0.3, 0.0, 0.3),
            (
                "near the top of the left hill",
                "on the left hill",
                "in the valley, a little left of its bottom",
                "in the valley, a little right of its bottom",
                "on the right hill",
                "high on the right hill",
                "near the flag on top of the right hill",
            ),
            (-1.1, -0.85, -0.61, -0.41, -0.15, 0.15, 0.45),
        ),
        mirrored(
            "velocity",
            "of the track's unit per step",
            (0.001, 0.01, 0.03, 0.07),
            (
                "rolls slowly to the {side}",
                "rolls to the {side}",
                "rolls fast to the {side}",
            ),
            SIDES,
            "stands still",
        ),
    ),
    lambda o: (o[0], o[1]),
    "The car is {position} and {velocity}.",
    choice("accelerate to the left", "do not accelerate", "accelerate to the right"),
)

CARDS = {1: "ace", **{n: str(n) for n in range(2, 11)}}


class BlackjackDescriber:
    """Every hand in its own words: 280 states times 2 actions."""

    actions = ("stand and take no more cards", "hit and take another card")

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int, int], Description] = {}

    def __call__(self, observation: Any, action: Any) -> Description:
        """The description of hitting or standing on a hand."""
        player, dealer, ace = (int(x) for x in observation)
        key = (player, dealer, ace, int(action))
        if key not in self._known:
            kind = "one of its aces counts as 11" if ace else "no ace in it counts as 11"
            words = self.actions[int(action)]
            facts = {"sum": str(player), "dealer": CARDS[dealer], "usable ace": "yes" if ace else "no", ACTION: words}
            state = f"The player's cards sum to {player}; {kind}. The dealer shows {_article(CARDS[dealer])}."
            self._known[key] = Description(state, words, facts=facts)
        return self._known[key]

    def everything(self) -> Iterator[Description]:
        """Every description there is: hard 4 to 21 and soft 12 to 21 against 10 cards, and two actions."""
        hands = [(n, 0) for n in range(4, 22)] + [(n, 1) for n in range(12, 22)]
        for (player, ace), dealer, action in product(hands, range(1, 11), (0, 1)):
            yield self((player, dealer, ace), action)


def _article(card: str) -> str:
    return f"an {card}" if card in ("ace", "8") else f"a {card}"


BLACKJACK = BlackjackDescriber()


class WatchDescriber:
    """Only the decision at the bench is judged; on the way to the customer nothing can be changed."""

    actions = ("repair the watch and sell it", "leave the watch unrepaired")

    def __init__(self, prices: Sequence[int]) -> None:
        self.prices = tuple(prices)  # of a repaired watch of each brand
        self._known: dict[tuple[int, int], Description] = {}

    def __call__(self, observation: Any, action: Any) -> Description | None:
        """The description of the decision; None during transport."""
        if int(observation[-1]) != 0:
            return None
        return self.of(int(observation[0]), int(action))

    def of(self, brand: int, action: int) -> Description:
        """The description of repairing (0) or leaving (1) a watch of `brand`."""
        if (brand, action) not in self._known:
            words = self.actions[action]
            price = self.prices[brand]
            facts = {"brand": f"brand {brand}", "price": str(price), ACTION: words}
            state = f"A broken pocket watch of brand {brand} is on the bench; repaired it sells for {price}."
            self._known[brand, action] = Description(state, words, facts=facts)
        return self._known[brand, action]

    def everything(self) -> Iterator[Description]:
        """Every description there is."""
        for brand, action in product(range(len(self.prices)), range(2)):
            yield self.of(brand, action)
