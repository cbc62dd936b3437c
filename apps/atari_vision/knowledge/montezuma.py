"""Montezuma's Revenge: where Panama Joe is in the first room, read from the RAM, and the way to its key.

Only the first room is known; everywhere else the expert is neutral.
"""

from typing import Any

from apps.atari_vision.knowledge.knowledge import Box, Facts, Knowledge
from apps.atari_vision.knowledge.pitfall import ACTIONS as MOVES
from captioners.phrasing import Phrasing
from lmgt_core.judging.judgment import Verdict

ROOM, JOE_X, JOE_Y, SKULL_X, KEY, SKULLS = 3, 42, 43, 47, 49, 67  # bytes of the RAM
FIRST = 1
KEY_THERE = 4
ELSEWHERE = "in another room"
PLACES = (
    "on the upper floor",
    "on the ladder in the middle",
    "on the small platform at the foot of the ladder in the middle",
    "near the rope",
    "on the ledge at the right, where a ladder leads down",
    "on the ladder at the right",
    "on the floor at the bottom",
    "on the ladder at the left",
    "on the ledge at the left, below the key",
    ELSEWHERE,
)
SKULL = ("is far away", "is close on your left", "is close on your right")
KEYS = ("hangs at the left", "is gone")
PHRASING = Phrasing(
    "You are Panama Joe in Montezuma's Revenge. You are {place}. The skull {skull}. The key {key}.",
    {"place": PLACES, "skull": SKULL, "key": KEYS},
)
ACTIONS = tuple(words.replace("run", "walk") for words in MOVES)
UP, RIGHT, LEFT, DOWN, JUMP_RIGHT, JUMP_LEFT = 2, 3, 4, 5, 11, 12
# place -> the actions that lead on, and those that lead back
WAY = {
    PLACES[0]: ((DOWN,), ()),
    PLACES[1]: ((DOWN,), (UP,)),
    PLACES[2]: ((JUMP_RIGHT,), (LEFT, JUMP_LEFT, UP)),
    PLACES[3]: ((JUMP_RIGHT,), (LEFT, JUMP_LEFT)),
    PLACES[4]: ((RIGHT, DOWN), (LEFT, JUMP_LEFT)),
    PLACES[5]: ((DOWN,), (UP,)),
    PLACES[6]: ((LEFT,), (RIGHT, JUMP_RIGHT)),
    PLACES[7]: ((UP,), (DOWN,)),
    PLACES[8]: ((JUMP_LEFT, LEFT), (RIGHT, JUMP_RIGHT)),
}


def positions(ram: Any) -> dict[str, Box]:
    """Joe, and the skull of the first room, as (left, top, width, height)."""
    found: dict[str, Box] = {"joe": (int(ram[JOE_X]) - 1, 308 - int(ram[JOE_Y]), 7, 20)}
    if int(ram[ROOM]) == FIRST and int(ram[SKULLS]) & 2:
        found["skull"] = (int(ram[SKULL_X]) + 32, 166, 7, 13)
    return found


def facts(ram: Any) -> dict[str, str]:
    """Joe's part of the first room, the skull within 20 pixels of him on the floor, and whether the key is there."""
    seen = positions(ram)
    left, top = seen["joe"][:2]
    middle = left + 3
    key = KEYS[0] if int(ram[KEY]) == KEY_THERE else KEYS[1]
    if int(ram[ROOM]) != FIRST:
        return {"place": ELSEWHERE, "skull": SKULL[0], "key": key}
    skull = SKULL[0]
    if "skull" in seen and top > 135 and abs(seen["skull"][0] - left) < 20:
        skull = SKULL[1] if seen["skull"][0] < left else SKULL[2]
    return {"place": _place(middle, top), "skull": skull, "key": key}


def _place(middle: int, top: int) -> str:
    if top < 78:
        return PLACES[0]
    if 70 <= middle <= 90:
        return PLACES[1] if top < 112 else PLACES[2] if top < 135 else PLACES[6]
    if top >= 155:
        return PLACES[6]
    if middle < 40:
        return PLACES[8] if top < 122 else PLACES[7]
    if middle > 120:
        return PLACES[4] if top < 122 else PLACES[5]
    return PLACES[3] if top < 135 else PLACES[6]


def expert(known: Facts, action: int) -> Verdict:
    """Good to follow the way to the key, bad to go back; a skull close by is to be jumped over."""
    if known["place"] == ELSEWHERE or known["key"] == KEYS[1]:
        return Verdict.NEUTRAL
    if known["place"] == PLACES[6] and known["skull"] == SKULL[1]:
        return Verdict.GOOD if action == JUMP_LEFT else Verdict.BAD if action == LEFT else Verdict.NEUTRAL
    onwards, back = WAY[known["place"]]
    return Verdict.GOOD if action in onwards else Verdict.BAD if action in back else Verdict.NEUTRAL


MONTEZUMA = Knowledge(PHRASING, facts, expert, ACTIONS, positions=positions)
