"""Experts of games that are read from the memory: what they say where it is easily got wrong, and where it leads."""

import numpy as np

from apps.atari_vision.knowledge import montezuma, pitfall
from apps.atari_vision.oracle import played_return
from apps.atari_vision.simulator.atari import AtariFrames
from apps.atari_vision.simulator.seen import MEMORY
from apps.atari_vision.worlds import world
from lmgt_core.judging.judgment import Verdict

KEY = 100.0  # points
RUN, JUMP_RIGHT, JUMP_UP = 3, 11, 1


def test_the_way_through_montezumas_first_room_ends_at_the_key() -> None:
    returns = [played_return(world("MontezumaRevenge"), "expert", np.random.default_rng(i), i, 500) for i in (0, 1)]
    assert min(returns) >= KEY


def test_the_turn_of_the_skull_is_the_way_in_which_it_rolls() -> None:
    env = AtariFrames("MontezumaRevenge")
    memory = env.reset(seed=0)[0][MEMORY]
    agree = []
    for _ in range(120):
        before = memory
        memory = env.step(montezuma.STILL)[0][MEMORY]
        moved = int(memory[montezuma.SKULL_X]) - int(before[montezuma.SKULL_X])
        if moved:
            agree.append((int(memory[montezuma.SKULL_TURN]) == montezuma.TO_THE_RIGHT) == (moved > 0))
    assert len(agree) > 100 and np.mean(agree) > 0.95


def runner(x: int, y: int, log: int, thing: int, screen: int) -> dict[str, str]:
    """The facts of a memory of Pitfall with Harry at (x, y) and a log."""
    ram = np.zeros(128, np.uint8)
    ram[[pitfall.HARRY_X, pitfall.HARRY_Y, pitfall.LOG_X, pitfall.THING, pitfall.SCREEN]] = x, y, log, thing, screen
    return pitfall.facts(ram)


def test_a_rolling_log_is_jumped_earlier_than_one_that_lies() -> None:
    assert runner(20, pitfall.STANDING, 36, 0, 0)["ahead"] == "a rolling log"
    assert runner(20, pitfall.STANDING, 36, 4, 0)["ahead"] == "nothing"
    assert runner(20, pitfall.STANDING, 30, 4, 0)["ahead"] == "a log"


def test_in_the_air_the_button_is_let_go_lest_the_next_jump_fail() -> None:
    known = runner(42, pitfall.STANDING - 8, 0, 6, 1)
    assert known == {"level": "in the air", "ahead": "a hole"}
    assert pitfall.expert(known, RUN) is Verdict.GOOD and pitfall.expert(known, JUMP_RIGHT) is Verdict.NEUTRAL


def test_over_a_log_before_a_hole_one_jumps_straight_up() -> None:
    known = runner(30, pitfall.STANDING, 41, 0, 1)
    assert known["ahead"] == pitfall.BEFORE_HOLE
    assert pitfall.expert(known, JUMP_UP) is Verdict.GOOD and pitfall.expert(known, JUMP_RIGHT) is not Verdict.GOOD
