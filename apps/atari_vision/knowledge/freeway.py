"""Freeway: lane and cars, read from the RAM, and a chicken that walks up and waits for cars."""

from typing import Any

from apps.atari_vision.knowledge.knowledge import Box, Facts, Knowledge
from captioners.phrasing import Phrasing
from lmgt_core.judging.judgment import Verdict

CHICKEN_Y, FIRST_CAR = 14, 108  # bytes of the RAM: ten cars from the lowest lane up; see pong.py
CHICKEN_X = 44
LANES, LANE_HEIGHT, TOP_LANE = 10, 16, 27  # pixels
NEAR = 14  # pixels between chicken and car from which on a car is close: about two decisions of a fast one
PLACES = ("on the pavement below", "on the lower half of the road", "on the upper half of the road")
AHEAD = ("free", "blocked by a car close by")
HERE = ("no car comes near", "a car is about to hit you")
ACTIONS = ("wait", "walk up", "walk down")
WAIT, UP, DOWN = range(3)
PHRASING = Phrasing(
    "You are the left chicken in Freeway and want to cross the road upwards. You are {place}. "
    "The lane above you is {ahead}; in your own lane {here}.",
    {"place": PLACES, "ahead": AHEAD, "here": HERE},
)


def positions(ram: Any) -> dict[str, Box]:
    """The left chicken and the ten cars, `car 1` in the lowest lane, as (left, top, width, height)."""
    found: dict[str, Box] = {"chicken": (CHICKEN_X, 193 - int(ram[CHICKEN_Y]), 6, 8)}
    for lane in range(LANES):
        top = TOP_LANE + (LANES - 1 - lane) * LANE_HEIGHT
        found[f"car {lane + 1}"] = ((int(ram[FIRST_CAR + lane]) - 3) % 160, top, 8, 10)
    return found


def facts(ram: Any) -> dict[str, str]:
    """Where the chicken is, and whether cars are close in its lane and in the one above."""
    seen = positions(ram)
    middle = seen["chicken"][1] + 4
    lane = (TOP_LANE + LANES * LANE_HEIGHT - 3 - middle) // LANE_HEIGHT  # -1 on the pavement
    place = PLACES[0 if lane < 0 else 1 if lane < LANES // 2 else 2]
    return {"place": place, "ahead": AHEAD[_close(seen, lane + 1)], "here": HERE[_close(seen, lane)]}


def _close(seen: dict[str, Box], lane: int) -> bool:
    """Whether the lane's car comes near: cars of the lower five lanes drive to the right, the others to the left."""
    if not 0 <= lane < LANES:
        return False
    left = seen[f"car {lane + 1}"][0]
    before, behind = (NEAR, 2) if lane < LANES // 2 else (2, NEAR)
    return CHICKEN_X - 8 - before <= left <= CHICKEN_X + 6 + behind


def expert(known: Facts, action: int) -> Verdict:
    """Good to walk up when the lane above is free, to wait when it is not; walking down helps only out of a lane."""
    blocked, danger = known["ahead"] == AHEAD[1], known["here"] == HERE[1]
    if not blocked:
        return {UP: Verdict.GOOD, WAIT: Verdict.BAD if danger else Verdict.NEUTRAL, DOWN: Verdict.BAD}[action]
    if danger:
        return Verdict.NEUTRAL
    return {UP: Verdict.BAD, WAIT: Verdict.GOOD, DOWN: Verdict.NEUTRAL}[action]


FREEWAY = Knowledge(PHRASING, facts, expert, ACTIONS, positions=positions)
