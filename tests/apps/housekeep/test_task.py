"""The task's rules, with rewards and tallies computed by hand in the small home."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import Action
from apps.housekeep.task import Task
from tests.apps.housekeep.small_home import BOOK, CHEST, MUG, SHELF, TABLE, TOY, home, instance

GRAB = Action.GRAB_RELEASE
SIMULATOR = MujocoSimulator((36, 36))


def task(reward: str = "dense", max_steps: int = 1000, **homes: dict) -> Task:
    """A task at the start of the small home."""
    made = Task(SIMULATOR, reward, max_steps)  # type: ignore[arg-type]
    made.reset(home(**homes))
    return made


def move(a_task: Task, thing: int, place: int) -> list[float]:
    """Picks `thing`, puts it on `place`; the two rewards."""
    pick, picked = a_task.step(GRAB, instance(thing))
    put, placed = a_task.step(GRAB, 1 + place)
    assert (picked.picked, placed.placed) == (thing, (thing, place))
    return [pick, put]


def test_only_the_book_is_right_at_the_start() -> None:
    assert task().right.tolist() == [False, True, False]
    assert task().right_at_start == 1


def test_the_dense_reward_pays_the_change_at_every_step() -> None:
    a_task = task("dense")
    assert move(a_task, MUG, CHEST) == [0.0, 0.0]  # wrong before, wrong after
    assert move(a_task, BOOK, TABLE) == [-1.0, 0.0]  # an object in the hand is not right
    assert move(a_task, BOOK, SHELF) == [0.0, 1.0]
    assert move(a_task, MUG, SHELF) == [0.0, 1.0]
    assert move(a_task, TOY, TABLE) == [0.0, 1.0]


def test_the_sparse_reward_pays_once_at_the_end() -> None:
    a_task = task("sparse", max_steps=5)
    assert move(a_task, MUG, SHELF) + move(a_task, BOOK, TABLE) == [0.0, 0.0, 0.0, 0.0]
    reward, _ = a_task.step(GRAB, instance(BOOK))
    assert reward == 0.0 and a_task.truncated  # one mended, one broken
    a_task = task("sparse", max_steps=3)
    move(a_task, MUG, SHELF)
    assert a_task.step(Action.TURN_LEFT)[0] == 1.0


def test_breaking_what_was_right_gives_a_negative_sum() -> None:
    a_task = task("sparse", max_steps=2)
    assert move(a_task, BOOK, CHEST) == [0.0, -1.0]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([MUG, BOOK, TOY]), st.sampled_from([SHELF, TABLE, CHEST])), max_size=5))
def test_sparse_and_dense_rewards_have_the_same_sum(moves: list[tuple[int, int]]) -> None:
    sums = []
    for reward in ("sparse", "dense"):
        a_task, total = task(reward, max_steps=11), 0.0
        for thing, place in moves:
            for target in (instance(thing), 1 + place):
                if not a_task.over:
                    total += a_task.step(GRAB, target)[0]
        while not a_task.over:
            total += a_task.step(Action.LOOK_UP)[0]
        sums.append(total)
    assert sums[0] == sums[1] == float(a_task.right.sum() - a_task.right_at_start)


def test_the_episode_ends_when_all_is_right_and_the_hand_is_empty() -> None:
    a_task = task()
    move(a_task, MUG, SHELF)
    a_task.step(GRAB, instance(TOY))
    assert not a_task.over
    a_task.step(GRAB, 1 + TABLE)
    assert a_task.terminated and a_task.over and not a_task.truncated


def test_the_budget_ends_the_episode_and_no_step_follows() -> None:
    a_task = task(max_steps=2)
    a_task.step(Action.TURN_LEFT)
    assert not a_task.over
    a_task.step(Action.TURN_LEFT)
    assert a_task.truncated and not a_task.terminated
    with pytest.raises(RuntimeError, match="reset"):
        a_task.step(Action.TURN_LEFT)


def test_a_home_that_is_tidy_at_the_start_is_over() -> None:
    assert task(start={MUG: SHELF, TOY: TABLE}).terminated


def test_grab_release_fails_on_a_receptacle_with_an_empty_hand() -> None:
    a_task = task()
    reward, result = a_task.step(GRAB, 1 + TABLE)
    assert result.failure and reward == 0.0
    assert (a_task.tally.attempts, a_task.tally.failures, a_task.held) == (1, 1, None)


def test_grab_release_fails_on_an_object_with_a_full_hand() -> None:
    a_task = task()
    a_task.step(GRAB, instance(MUG))
    _, result = a_task.step(GRAB, instance(BOOK))
    assert result.failure and a_task.held == MUG
    assert (a_task.tally.attempts, a_task.tally.failures) == (2, 1)
    assert a_task.tally.touched == {MUG}  # what could not be picked was not touched


def test_grab_release_fails_out_of_view() -> None:
    a_task = task()
    for _ in range(9):
        a_task.step(Action.TURN_LEFT)  # turned round
    _, result = a_task.step(GRAB, instance(MUG))
    assert result.failure and a_task.held is None


def test_a_failed_grab_costs_a_step_like_any_other() -> None:
    a_task = task()
    a_task.step(GRAB, 1 + TABLE)
    assert a_task.steps == 1


def test_the_memory_follows_the_hand() -> None:
    a_task = task()
    assert a_task.memory.item_on == {MUG: TABLE, BOOK: SHELF, TOY: CHEST}
    a_task.step(GRAB, instance(MUG))
    assert a_task.memory.item_on[MUG] is None and a_task.memory.origin == TABLE
    a_task.step(GRAB, 1 + CHEST)
    assert a_task.memory.item_on[MUG] == CHEST and a_task.memory.origin is None
    assert a_task.memory.moved == {MUG: 1}


def test_what_was_never_in_view_is_unknown() -> None:
    episode = home()
    behind = Task(SIMULATOR)
    object.__setattr__(episode, "start_rotation", (0.0, 1.0, 0.0, 0.0))  # half a turn: the wall is in view
    behind.reset(episode)
    assert behind.memory.receptacles == set() and behind.memory.item_on == {}
    explored = behind.memory.explored.sum()
    for _ in range(9):
        behind.step(Action.TURN_LEFT)
    assert behind.memory.receptacles == {SHELF, TABLE, CHEST}
    assert behind.memory.item_on == {MUG: TABLE, BOOK: SHELF, TOY: CHEST}
    assert behind.memory.explored.sum() > explored


def test_a_new_episode_remembers_nothing_of_the_last() -> None:
    a_task = task()
    move(a_task, MUG, CHEST)
    a_task.reset(home())
    assert a_task.memory.moved == {} and a_task.tally.touched == set() and a_task.steps == 0
    assert a_task.on == [TABLE, SHELF, CHEST] and a_task.tally.walked == 0.0


def test_interactions_count_successful_picks_and_places() -> None:
    a_task = task()
    move(a_task, MUG, CHEST)
    a_task.step(GRAB, 1 + SHELF)  # empty hand
    move(a_task, MUG, SHELF)
    a_task.step(GRAB, instance(TOY))
    assert a_task.tally.interactions == {MUG: 4, TOY: 1}
    assert (a_task.tally.attempts, a_task.tally.failures) == (6, 1)


def test_walking_is_measured_in_metres_and_collisions_are_counted() -> None:
    a_task = task()
    for _ in range(3):
        a_task.step(Action.MOVE_FORWARD)
    assert a_task.tally.walked == pytest.approx(0.75)
    for _ in range(20):
        a_task.step(Action.MOVE_FORWARD)  # the table stands in the way
    assert a_task.tally.collisions > 0
    assert a_task.tally.walked < 23 * 0.25
