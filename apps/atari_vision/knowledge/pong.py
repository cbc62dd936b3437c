"""Pong: where the ball is, read from the RAM, and a paddle that follows it."""

from typing import Any

from apps.atari_vision.knowledge.knowledge import Box, Facts, Knowledge
from captioners.phrasing import Phrasing
from lmgt_core.judging.judgment import Verdict

# Bytes of the RAM that hold positions (OCAtari, Delfosse et al. 2024, lists the same ones); a test compares the
# positions with the colours of frames.
BALL_X, BALL_Y, PLAYER_Y, ENEMY_Y = 49, 54, 51, 50
PADDLE_HEIGHT, TOP = 15, 34
NOWHERE = "not in play"
HEIGHTS = (
    "far above your paddle",
    "above your paddle",
    "level with your paddle",
    "below your paddle",
    "far below your paddle",
)
SIDES = ("on your half of the court", "on the opponent's half of the court", NOWHERE)
ACTIONS = (
    "keep your paddle still",
    "keep your paddle still and press the button",
    "move your paddle up",
    "move your paddle down",
    "move your paddle up and press the button",
    "move your paddle down and press the button",
)
STILL, UP, DOWN = (0, 1), (2, 4), (3, 5)
PHRASING = Phrasing(
    "You play Pong with the paddle on the right. The ball is {side}; it is {height}.",
    {"side": SIDES, "height": (*HEIGHTS, NOWHERE)},
)


def positions(ram: Any) -> dict[str, Box]:
    """Ball and paddles as (left, top, width, height); what is not on the court is left out."""
    r = [int(b) for b in ram]
    found: dict[str, Box] = {}
    if r[BALL_Y] and r[BALL_X] > 49:
        found["ball"] = (r[BALL_X] - 49, r[BALL_Y] - 14, 2, 4)
    for name, x, y in (("player", 140, r[PLAYER_Y] - 13), ("enemy", 16, r[ENEMY_Y] - 15)):
        top = max(y, TOP)
        if r[PLAYER_Y if name == "player" else ENEMY_Y] > 18 and y + PADDLE_HEIGHT > TOP:
            found[name] = (x, top, 4, min(y + PADDLE_HEIGHT, 194) - top)
    return found


def facts(ram: Any) -> dict[str, str]:
    """The ball beside the paddle, by 4 and 30 pixels of height."""
    seen = positions(ram)
    if "ball" not in seen or "player" not in seen:
        return {"side": NOWHERE, "height": NOWHERE}
    ball, player = seen["ball"], seen["player"]
    above = (player[1] + player[3] / 2) - (ball[1] + ball[3] / 2)
    height = HEIGHTS[0 if above > 30 else 1 if above > 4 else 2 if above >= -4 else 3 if above >= -30 else 4]
    return {"side": SIDES[0] if ball[0] > 80 else SIDES[1], "height": height}


def expert(known: Facts, action: int) -> Verdict:
    """Good to move towards the ball's height, bad to move away; standing still is good only when level."""
    if known["height"] == NOWHERE:
        return Verdict.NEUTRAL
    level = HEIGHTS.index(known["height"])
    wanted = UP if level < 2 else DOWN if level > 2 else STILL
    if action in wanted:
        return Verdict.GOOD
    return Verdict.NEUTRAL if action in STILL or level == 2 else Verdict.BAD


PONG = Knowledge(PHRASING, facts, expert, ACTIONS, positions=positions)
