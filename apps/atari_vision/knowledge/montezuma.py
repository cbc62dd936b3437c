"""Montezuma's Revenge: where Panama Joe is in the first room, read from the RAM, and the way to its key.

Only the first room is known; everywhere else the expert is neutral.
"""

from typing import Any

from apps.atari_vision.knowledge.knowledge import Box, Facts, Knowledge
from apps.atari_vision.knowledge.pitfall import ACTIONS as MOVES
from captioners.phrasing import Phrasing
from lmgt_core.judging.judgment import Verdict

ROOM, JOE_X, JOE_Y, SKULL_X, KEY, SKULL_TURN, SKULLS = 3, 42, 43, 47, 49, 51, 67  # bytes of the RAM
FIRST = 1
KEY_THERE = 4
TO_THE_RIGHT = 8  # of the skull's turn
STEP, FLOOR = 116, 160  # rows of Joe's head while he stands on the ledges and the platform, and on the floor
EDGE, ROPE, LADDER, LEFT_LADDER = (84, 91), 108, (129, 134), 22  # columns of Joe
LEAP, WARY = 13, 45  # pixels between Joe and the skull on his left at which he leaps, and at which he waits for it
ELSEWHERE = "in another room"
PLACES = (
    "on the upper floor",
    "on the ladder in the middle",
    "on the small platform at the foot of the ladder in the middle",
    "at the right edge of the small platform",
    "in the air, left of the rope",
    "on the rope",
    "on the ledge at the right, left of its ladder",
    "on the ledge at the right, above its ladder",
    "on the ledge at the right, right of its ladder",
    "on the ladder at the right",
    "on the floor at the bottom",
    "in the air above the floor at the bottom",
    "at the foot of the ladder at the left",
    "on the ladder at the left",
    "on the ledge at the left, below the key",
    "somewhere off the way to the key",
    ELSEWHERE,
)
SKULL = ("is far away", "is on your left", "is about to reach you from the left", "is behind you")
KEYS = ("hangs at the left", "is gone")
PHRASING = Phrasing(
    "You are Panama Joe in Montezuma's Revenge. You are {place}. The skull {skull}. The key {key}.",
    {"place": PLACES, "skull": SKULL, "key": KEYS},
)
ACTIONS = tuple(words.replace("run", "walk") for words in MOVES)
STILL, UP, RIGHT, LEFT, DOWN, JUMP_RIGHT, JUMP_LEFT = 0, 2, 3, 4, 5, 11, 12
# place -> the actions that lead on, and those that lead back
WAY = {
    PLACES[0]: ((DOWN,), ()),
    PLACES[1]: ((DOWN,), (UP,)),
    PLACES[2]: ((RIGHT,), (LEFT, JUMP_LEFT, UP)),
    PLACES[3]: ((JUMP_RIGHT,), (LEFT, JUMP_LEFT)),
    PLACES[4]: ((RIGHT,), (LEFT, JUMP_LEFT)),
    PLACES[5]: ((JUMP_RIGHT, STILL), (LEFT, JUMP_LEFT)),  # a button that is held starts no jump
    PLACES[6]: ((RIGHT,), (LEFT, JUMP_LEFT)),
    PLACES[7]: ((DOWN,), (LEFT, JUMP_LEFT)),
    PLACES[8]: ((LEFT,), (RIGHT, JUMP_RIGHT)),
    PLACES[9]: ((DOWN,), (UP,)),
    PLACES[10]: ((LEFT,), (RIGHT, JUMP_RIGHT)),
    PLACES[11]: ((LEFT,), (RIGHT,)),
    PLACES[12]: ((UP,), (RIGHT, JUMP_RIGHT)),
    PLACES[13]: ((UP,), (DOWN,)),
    PLACES[14]: ((JUMP_LEFT,), (RIGHT, JUMP_RIGHT)),
}


def positions(ram: Any) -> dict[str, Box]:
    """Joe, and the skull of the first room, as (left, top, width, height)."""
    found: dict[str, Box] = {"joe": (int(ram[JOE_X]) - 1, 308 - int(ram[JOE_Y]), 7, 20)}
    if int(ram[ROOM]) == FIRST and int(ram[SKULLS]) & 2:
        found["skull"] = (int(ram[SKULL_X]) + 32, 166, 7, 13)
    return found


def facts(ram: Any) -> dict[str, str]:
    """Joe's part of the first room, the skull of its floor beside him, and whether the key is there."""
    seen = positions(ram)
    left, top = seen["joe"][:2]
    key = KEYS[0] if int(ram[KEY]) == KEY_THERE else KEYS[1]
    if int(ram[ROOM]) != FIRST:
        return {"place": ELSEWHERE, "skull": SKULL[0], "key": key}
    skull = _skull(left - seen["skull"][0], int(ram[SKULL_TURN])) if "skull" in seen and top >= FLOOR else SKULL[0]
    return {"place": _place(left, top), "skull": skull, "key": key}


def _skull(distance: int, turn: int) -> str:
    if distance < 0:
        return SKULL[3]
    if distance > WARY:
        return SKULL[0]
    return SKULL[2] if turn == TO_THE_RIGHT and distance <= LEAP else SKULL[1]


def _place(left: int, top: int) -> str:
    if top < 78:
        return PLACES[0]
    if top >= FLOOR:
        return PLACES[12] if left <= LEFT_LADDER else PLACES[10]
    if left < 40:
        return PLACES[14] if top <= STEP else PLACES[13]
    if left > LADDER[0] - 12 and top <= STEP:
        return PLACES[6 if left < LADDER[0] else 7 if left <= LADDER[1] else 8]
    if LADDER[0] <= left <= LADDER[1]:
        return PLACES[9]
    if top > 135:
        return PLACES[11]
    if 70 <= left < EDGE[0]:
        return PLACES[1] if top < STEP - 4 else PLACES[2]
    if EDGE[0] <= left <= EDGE[1] and top == STEP:
        return PLACES[3]
    if EDGE[0] <= left < ROPE:
        return PLACES[4]
    return PLACES[5] if left == ROPE else PLACES[6] if left > ROPE else PLACES[15]


def expert(known: Facts, action: int) -> Verdict:
    """Good to follow the way to the key, bad to go back; a skull that comes is waited for and leapt over."""
    if known["place"] not in WAY or known["key"] == KEYS[1]:
        return Verdict.NEUTRAL
    onwards, back = WAY[known["place"]]
    if known["place"] == PLACES[10] and known["skull"] in SKULL[1:3]:
        onwards, back = ((STILL,), (LEFT,)) if known["skull"] == SKULL[1] else ((JUMP_LEFT,), (LEFT,))
    return Verdict.GOOD if action in onwards else Verdict.BAD if action in back else Verdict.NEUTRAL


MONTEZUMA = Knowledge(PHRASING, facts, expert, ACTIONS, positions=positions)
