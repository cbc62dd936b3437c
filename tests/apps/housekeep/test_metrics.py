"""The benchmark's metrics, computed by hand in the small home."""

import numpy as np
import pytest

from apps.housekeep.knowledge.votes import Votes
from apps.housekeep.metrics import METRICS, episode_metrics
from apps.housekeep.simulator.protocol import Action
from apps.housekeep.task import Task
from tests.apps.housekeep.small_home import BOOK, CHEST, MUG, SHELF, TABLE, TOY, home, instance
from tests.apps.housekeep.test_task import GRAB, SIMULATOR, move, task


def test_doing_nothing_scores_zero_except_where_it_does_not() -> None:
    metrics = episode_metrics(task())
    assert tuple(metrics) == METRICS
    assert metrics["object_success"] == metrics["net_success"] == metrics["episode_success"] == 0.0
    assert metrics["all_objects_right"] == pytest.approx(1 / 3)  # why it is never shown alone
    assert metrics["misplaced_found"] == 1.0  # both stand in view at the start
    assert metrics["path_efficiency"] is None and metrics["soft_score"] is None
    assert metrics["pick_place_efficiency"] == 0.0 and metrics["return"] == 0.0


def test_an_object_that_was_right_counts_only_when_touched() -> None:
    a_task = task()
    move(a_task, MUG, SHELF)
    assert episode_metrics(a_task)["object_success"] == pytest.approx(1 / 2)  # of mug and toy
    move(a_task, BOOK, CHEST)
    assert episode_metrics(a_task)["object_success"] == pytest.approx(1 / 3)  # of mug, toy and the touched book
    move(a_task, BOOK, SHELF)
    assert episode_metrics(a_task)["object_success"] == pytest.approx(2 / 3)


def test_net_success_is_negative_when_more_is_broken_than_mended() -> None:
    a_task = task()
    move(a_task, BOOK, CHEST)
    assert episode_metrics(a_task)["net_success"] == pytest.approx(-1 / 2)  # -1 of 2 misplaced
    move(a_task, MUG, SHELF)
    assert episode_metrics(a_task)["net_success"] == 0.0
    move(a_task, TOY, TABLE)
    assert episode_metrics(a_task)["net_success"] == pytest.approx(1 / 2)


def test_an_object_in_the_hand_is_not_right() -> None:
    a_task = task()
    a_task.step(GRAB, instance(BOOK))
    metrics = episode_metrics(a_task)
    assert (metrics["all_objects_right"], metrics["return"]) == (0.0, -1.0)


def test_everything_right_is_episode_success() -> None:
    a_task = task()
    move(a_task, MUG, SHELF)
    move(a_task, TOY, SHELF)
    metrics = episode_metrics(a_task)
    assert metrics["episode_success"] == metrics["object_success"] == metrics["net_success"] == 1.0
    assert (metrics["steps"], metrics["return"], metrics["failed_grabs"]) == (4.0, 2.0, 0.0)


def test_pick_place_efficiency_divides_useful_by_all_interactions_of_an_object() -> None:
    a_task = task()
    move(a_task, MUG, SHELF)
    assert episode_metrics(a_task)["pick_place_efficiency"] == 1.0
    move(a_task, TOY, CHEST)
    move(a_task, TOY, TABLE)  # four interactions where two were needed
    assert a_task.terminated
    assert episode_metrics(a_task)["pick_place_efficiency"] == pytest.approx((1 + 2 / 4) / 2)


def test_moving_an_object_that_was_right_is_useless_even_if_it_ends_right() -> None:
    a_task = task()
    move(a_task, BOOK, SHELF)
    assert episode_metrics(a_task)["pick_place_efficiency"] == 0.0


def test_only_misplaced_objects_count_as_found() -> None:
    episode = home({BOOK: CHEST}, {BOOK: (CHEST,)})
    object.__setattr__(episode, "start_rotation", (0.0, 1.0, 0.0, 0.0))
    a_task = Task(SIMULATOR)
    a_task.reset(episode)
    assert episode_metrics(a_task)["misplaced_found"] == 0.0
    a_task.memory.item_on = {BOOK: CHEST, TOY: CHEST}
    assert episode_metrics(a_task)["misplaced_found"] == pytest.approx(1 / 2)


def test_a_detour_while_carrying_lowers_path_efficiency() -> None:
    a_task = task()
    a_task.step(GRAB, instance(MUG))
    for action in [Action.MOVE_FORWARD] * 2 + [Action.TURN_LEFT] * 9 + [Action.MOVE_FORWARD]:
        a_task.step(action)  # half a metre ahead, a quarter back
    for _ in range(9):
        a_task.step(Action.TURN_LEFT)
    a_task.step(GRAB, 1 + SHELF)
    assert episode_metrics(a_task)["path_efficiency"] == pytest.approx(0.25 / 0.75, abs=0.05)


def test_a_straight_way_is_fully_efficient_and_the_way_without_load_does_not_count() -> None:
    a_task = task()
    for action in [Action.TURN_LEFT] * 9 + [Action.TURN_RIGHT] * 9 + [Action.MOVE_FORWARD]:
        a_task.step(action)
    a_task.step(GRAB, instance(MUG))
    a_task.step(Action.MOVE_FORWARD)
    a_task.step(GRAB, 1 + SHELF)
    assert episode_metrics(a_task)["path_efficiency"] == pytest.approx(1.0)


def test_nothing_misplaced_leaves_the_shares_undefined() -> None:
    metrics = episode_metrics(task(start={MUG: SHELF, TOY: TABLE}))
    assert metrics["object_success"] is None and metrics["net_success"] is None
    assert metrics["misplaced_found"] is None and metrics["episode_success"] == 1.0


def votes() -> Votes:
    """Ten people on three places and two objects; nobody was asked about the toy."""
    ranks = np.zeros((3, 2, 10), np.int64)
    ranks[0, 0] = [1, 1, 1, 1, 2, 2, 2, 2, -1, 0]  # mug on the shelf: eight would, at ranks 1 and 2
    ranks[1, 0] = [-1] * 7 + [3] * 3  # mug on the table: three would
    ranks[0, 1] = [1] * 6 + [-1] * 4  # book on the shelf: six would
    places = tuple(f"living_room|{category}" for category in ("shelf", "table", "chest"))
    places = tuple(f"living_room|{category}" for category in ("shelf", "table", "chest"))
    return Votes(ranks=ranks, objects=("mug", "book"), places=places)


def test_soft_score_is_the_share_of_people_who_would_put_it_there() -> None:
    a_task = task()
    assert episode_metrics(a_task, votes())["soft_score"] == pytest.approx((0.3 + 0.0) / 2)  # mug and toy count
    move(a_task, MUG, SHELF)
    assert episode_metrics(a_task, votes())["soft_score"] == pytest.approx((0.8 + 0.0) / 2)


def test_rearrange_quality_is_the_mean_reciprocal_rank_of_what_ended_right() -> None:
    a_task = task()
    assert episode_metrics(a_task, votes())["rearrange_quality"] is None  # nothing that counts is right
    move(a_task, MUG, SHELF)
    assert episode_metrics(a_task, votes())["rearrange_quality"] == pytest.approx((4 * 1 + 4 * 1 / 2) / 8)
    move(a_task, BOOK, SHELF)
    assert episode_metrics(a_task, votes())["rearrange_quality"] == pytest.approx((0.75 + 1.0) / 2)


def test_what_is_in_the_hand_has_no_soft_score() -> None:
    a_task = task()
    a_task.step(GRAB, instance(MUG))
    assert episode_metrics(a_task, votes())["soft_score"] == 0.0  # the toy alone, of which nobody spoke


def test_failed_grabs_are_counted() -> None:
    a_task = task()
    a_task.step(GRAB, 1 + TABLE)
    a_task.step(GRAB, 1 + CHEST)
    assert episode_metrics(a_task)["failed_grabs"] == 2.0
