"""Breakout: where the ball is, read from the RAM, and a paddle that stays under it."""

from typing import Any

from apps.atari_vision.knowledge.knowledge import Box, Facts, Knowledge
from captioners.phrasing import Phrasing
from lmgt_core.judging.judgment import Verdict

BALL_X, BALL_Y, PLAYER_X = 99, 101, 72  # bytes of the RAM; see pong.py
PADDLE_TOP, PADDLE_WIDTH = 189, 16
NOWHERE = "not in play"
SIDES = (
    "far to the left of your paddle",
    "to the left of your paddle",
    "straight above your paddle",
    "to the right of your paddle",
    "far to the right of your paddle",
)
HEIGHTS = ("up among the bricks", "between the bricks and your paddle", "close to your paddle", NOWHERE)
ACTIONS = (
    "keep your paddle still",
    "press the button, which serves a new ball",
    "move your paddle to the right",
    "move your paddle to the left",
)
STILL, FIRE, RIGHT, LEFT = range(4)
PHRASING = Phrasing(
    "You play Breakout with the paddle at the bottom. The ball is {height}; it is {side}.",
    {"height": HEIGHTS, "side": (*SIDES, NOWHERE)},
)


def positions(ram: Any) -> dict[str, Box]:
    """Ball and paddle as (left, top, width, height); a ball that is not in play is left out."""
    x, y, player = int(ram[BALL_X]), int(ram[BALL_Y]), int(ram[PLAYER_X])
    found: dict[str, Box] = {"player": (player - 47, PADDLE_TOP, PADDLE_WIDTH, 4)}
    if y and y + 9 <= 196:
        found["ball"] = (x - 49, y + 9, 2, 4)
    return found


def facts(ram: Any) -> dict[str, str]:
    """The ball beside the paddle, by 5 and 30 pixels to the side."""
    seen = positions(ram)
    if "ball" not in seen:
        return {"height": NOWHERE, "side": NOWHERE}
    ball, player = seen["ball"], seen["player"]
    right = (ball[0] + 1) - (player[0] + PADDLE_WIDTH / 2)
    side = SIDES[0 if right < -30 else 1 if right < -5 else 2 if right <= 5 else 3 if right <= 30 else 4]
    return {"height": HEIGHTS[0 if ball[1] < 93 else 1 if ball[1] < 160 else 2], "side": side}


def expert(known: Facts, action: int) -> Verdict:
    """Good to serve when no ball is in play, else to move under the ball; moving away from it is bad."""
    if known["side"] == NOWHERE:
        return Verdict.GOOD if action == FIRE else Verdict.NEUTRAL
    level = SIDES.index(known["side"])
    wanted = (LEFT,) if level < 2 else (RIGHT,) if level > 2 else (STILL, FIRE)
    if action in wanted:
        return Verdict.GOOD
    return Verdict.BAD if action in (LEFT, RIGHT) and level != 2 else Verdict.NEUTRAL


BREAKOUT = Knowledge(PHRASING, facts, expert, ACTIONS, positions=positions)
