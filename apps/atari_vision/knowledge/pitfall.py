"""Pitfall: Harry and what lies in his way, read from the RAM, and a runner who jumps over it.

The screen's kind is in one byte, what stands or rolls on it in another. The bytes and shapes are those that OCAtari
lists (Delfosse et al. 2024); a test compares Harry's and the logs' places with the colours of frames.
"""

from typing import Any

from apps.atari_vision.knowledge.knowledge import Box, Facts, Knowledge
from captioners.phrasing import Phrasing
from lmgt_core.judging.judgment import Verdict

HARRY_X, HARRY_Y, LOG_X, THING, SCREEN = 97, 105, 98, 19, 20  # bytes of the RAM
GROUND = 118  # rows of the frame that Harry's head reaches only underground
STANDING = 32  # Harry's byte while his feet are on the ground; less in the air
NEAR = {"a rolling log": (6, 18), "a log": (6, 14)}  # pixels ahead of Harry at which a jump takes him over a thing
NEAR_EDGE = (0, 8)  # of what is in the ground, and of fires and snakes
LOG_GAPS = {0: (0,), 1: (0, 16), 2: (0, 32), 3: (0, 32, 64), 4: (0,), 5: (0, 32, 64)}  # of logs, by the thing's byte
LYING = (4, 5)  # of these bytes: logs that do not roll
HOLES = {0: ((76, 8),), 1: ((48, 12), (76, 8), (100, 12))}  # left edge and width, by screen
PONDS = {2: "a tar pit", 3: "a pond", 4: "a pond with crocodiles", 5: "a tar pit that opens and closes",
         6: "a tar pit that opens and closes", 7: "a pond that opens and closes"}  # fmt: skip
POND = (48, 64)
FIXED = {6: "a fire", 7: "a snake"}  # at a fixed place
FIXED_X = 124
BEFORE_HOLE = "a log before a hole"
LANDING = (9, 34)  # pixels ahead of Harry between which a jump over a log may end in a hole
LEVELS = ("above ground", "underground", "in the air")
THINGS = ("nothing", "a rolling log", "a log", BEFORE_HOLE, "a hole", *dict.fromkeys(PONDS.values()), *FIXED.values())
PHRASING = Phrasing(
    "You are Harry in Pitfall and run to the right through the jungle. You are {level}. Close ahead of you is {ahead}.",
    {"level": LEVELS, "ahead": THINGS},
)
ACTIONS = (
    "stand still",
    "jump straight up",
    "climb up",
    "run to the right",
    "run to the left",
    "climb down",
    "climb up and to the right",
    "climb up and to the left",
    "run to the right and downwards",
    "run to the left and downwards",
    "jump straight up, looking up",
    "jump to the right",
    "jump to the left",
    "jump straight up, looking down",
    "jump to the right, looking up",
    "jump to the left, looking up",
    "jump to the right, looking down",
    "jump to the left, looking down",
)
RUN, JUMP, UPWARDS = (3, 6, 8), (11, 14, 16), (1, 10, 13)
BACK = (4, 7, 9, 12, 15, 17)


def positions(ram: Any) -> dict[str, Box]:
    """Harry, and the logs of a screen that has any, as (left, top, width, height)."""
    found: dict[str, Box] = {"harry": (int(ram[HARRY_X]), int(ram[HARRY_Y]) + 72, 7, 20)}
    if int(ram[SCREEN]) != 4:
        for i, gap in enumerate(LOG_GAPS.get(int(ram[THING]), ())):
            found[f"log {i + 1}"] = ((int(ram[LOG_X]) + gap + 1) % 160, 118, 6, 14)
    return found


def facts(ram: Any) -> dict[str, str]:
    """Whether Harry is above ground, and the nearest thing close to his right."""
    seen = positions(ram)
    harry = seen["harry"]
    if harry[1] > GROUND:
        return {"level": LEVELS[1], "ahead": THINGS[0]}
    screen, thing = int(ram[SCREEN]), int(ram[THING])
    log = "a log" if thing in LYING else "a rolling log"
    things = [(box[0], log) for name, box in seen.items() if name.startswith("log")]
    things += [(left, "a hole") for left, _ in HOLES.get(screen, ())]
    things += [(POND[0], PONDS[screen])] if screen in PONDS else []
    things += [(FIXED_X, FIXED[thing])] if thing in FIXED and screen != 5 else []
    near = {name: NEAR.get(name, NEAR_EDGE) for _, name in things}
    distances = [(left - harry[0], name) for left, name in things]
    ahead = sorted((far, name) for far, name in distances if near[name][0] <= far <= near[name][1])
    name = ahead[0][1] if ahead else THINGS[0]
    if name.endswith("log") and any(LANDING[0] <= far <= LANDING[1] for far, thing in distances if thing == "a hole"):
        name = BEFORE_HOLE
    level = LEVELS[2] if int(ram[HARRY_Y]) < STANDING else LEVELS[0]
    return {"level": level, "ahead": name}


def expert(known: Facts, action: int) -> Verdict:
    """Run to the right, jump over what lies close ahead; of ponds and the underground it knows nothing.

    In the air it lets the button go: one that is held starts no jump. A heuristic: it says how not to lose points, not
    how to find treasure.
    """
    if known["level"] == LEVELS[1] or known["ahead"] in PONDS.values():
        return Verdict.NEUTRAL
    if action in BACK:
        return Verdict.BAD
    clear = known["ahead"] == THINGS[0] or known["level"] == LEVELS[2]
    over = UPWARDS if known["ahead"] == BEFORE_HOLE else JUMP
    if action in (RUN if clear else over):
        return Verdict.GOOD
    return Verdict.BAD if not clear and action in RUN else Verdict.NEUTRAL


PITFALL = Knowledge(PHRASING, facts, expert, ACTIONS, positions=positions)
