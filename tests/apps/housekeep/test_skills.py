"""Skills: which ones there are, what they cost, and that they are primitive actions underneath."""

import math

import numpy as np
import pytest

from apps.housekeep.agent.policies import NothingPolicy, RandomPolicy, play
from apps.housekeep.describe import Decision
from apps.housekeep.metrics import episode_metrics
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import Action
from apps.housekeep.skills import (
    ARRIVED_METRES,
    LOOK_AROUND_TURNS,
    Kind,
    Skill,
    SkillRunner,
    at_receptacle,
    candidates,
    decision_of,
    in_reach,
    unexplored,
)
from apps.housekeep.task import Task
from tests.apps.housekeep.small_home import BOOK, CHEST, MUG, SHELF, TABLE, TOY, home
from tests.apps.housekeep.test_task import SIMULATOR, task


def turned_away() -> Task:
    """A task that starts with nothing in view but the wall."""
    episode = home()
    object.__setattr__(episode, "start_rotation", (0.0, 1.0, 0.0, 0.0))
    a_task = Task(SIMULATOR)
    a_task.reset(episode)
    return a_task


def test_only_what_was_seen_can_be_gone_to_or_picked() -> None:
    kinds = {skill.kind for skill in candidates(turned_away())}
    assert kinds == {Kind.LOOK, Kind.EXPLORE}


def test_an_empty_hand_may_pick_and_a_full_one_place() -> None:
    a_task = task()
    picks = [skill for skill in candidates(a_task) if skill.kind is Kind.PICK]
    assert picks == [Skill(Kind.PICK, MUG, TABLE), Skill(Kind.PICK, BOOK, SHELF), Skill(Kind.PICK, TOY, CHEST)]
    assert not any(skill.kind is Kind.PLACE for skill in candidates(a_task))
    SkillRunner(a_task).run(picks[0])
    places = [skill for skill in candidates(a_task) if skill.kind is Kind.PLACE]
    assert places == [Skill(Kind.PLACE, MUG, k) for k in (SHELF, TABLE, CHEST)]
    assert not any(skill.kind is Kind.PICK for skill in candidates(a_task))


def test_candidates_come_in_a_fixed_order_and_never_twice() -> None:
    a_task = task()
    first = candidates(a_task)
    assert first == candidates(a_task) and len(set(first)) == len(first)
    assert [skill.kind for skill in first] == sorted(skill.kind for skill in first)


def test_looking_around_takes_a_full_turn_and_ends_where_it_began() -> None:
    a_task = turned_away()
    before = a_task.simulator.pose
    outcome = SkillRunner(a_task).run(Skill(Kind.LOOK))
    assert (outcome.steps, outcome.failure, outcome.reward) == (LOOK_AROUND_TURNS, "", 0.0)
    assert LOOK_AROUND_TURNS == 18
    assert a_task.simulator.pose.yaw == pytest.approx(before.yaw)
    assert a_task.memory.receptacles == {SHELF, TABLE, CHEST}


def test_a_skill_is_made_of_primitive_actions_and_costs_as_many_steps() -> None:
    a_task, taken = task(), []
    runner = SkillRunner(a_task, watch=lambda _, action: taken.append(action))
    for skill in (Skill(Kind.LOOK), Skill(Kind.GO, receptacle=CHEST), Skill(Kind.PICK, TOY, CHEST)):
        before, seen = a_task.steps, len(taken)
        outcome = runner.run(skill)
        assert outcome.steps == a_task.steps - before == len(taken) - seen > 0
    assert taken[-1] is Action.GRAB_RELEASE and taken.count(Action.GRAB_RELEASE) == 1
    assert Action.MOVE_FORWARD in taken
    assert all(isinstance(action, Action) for action in taken)


def test_the_same_primitive_actions_lead_to_the_same_place() -> None:
    a_task, taken = task(), []
    runner = SkillRunner(a_task, watch=lambda _, action: taken.append(action))
    runner.run(Skill(Kind.LOOK))
    runner.run(Skill(Kind.GO, receptacle=SHELF))
    pose = a_task.simulator.pose
    a_task.reset(home())
    for action in taken:
        a_task.step(action)
    assert a_task.simulator.pose == pose


def test_going_arrives_near_the_standing_place_and_looks_at_it() -> None:
    a_task = task()
    outcome = SkillRunner(a_task).run(Skill(Kind.GO, receptacle=CHEST))
    x, _, z = a_task.simulator.pose.position
    goal = a_task.episode.receptacles[CHEST].nav_position
    assert outcome.failure == "" and math.hypot(goal[0] - x, goal[2] - z) <= ARRIVED_METRES
    assert at_receptacle(a_task, CHEST) and in_reach(a_task, CHEST)
    assert 1 + CHEST in a_task.simulator.visible()
    assert Skill(Kind.GO, receptacle=CHEST) not in candidates(a_task)
    assert a_task.memory.visits == {CHEST: 1}


def test_going_takes_about_the_steps_of_the_shortest_path() -> None:
    a_task = task()
    goal = a_task.episode.receptacles[CHEST].nav_position
    metres = math.dist((0.0, 0.0), (goal[0], goal[2]))
    outcome = SkillRunner(a_task).run(Skill(Kind.GO, receptacle=CHEST))
    turns_and_looks = 2 * 9 + 6
    assert metres / 0.25 - 1 <= outcome.steps <= 1.3 * metres / 0.25 + turns_and_looks


def test_picking_and_placing_move_the_object() -> None:
    a_task = task()
    runner = SkillRunner(a_task)
    assert runner.run(Skill(Kind.PICK, MUG, TABLE)).failure == ""
    assert a_task.held == MUG and a_task.memory.origin == TABLE
    assert runner.run(Skill(Kind.PLACE, MUG, SHELF)).failure == ""
    assert a_task.held is None and a_task.on[MUG] == SHELF and a_task.right[MUG]


def test_a_skill_that_failed_here_is_no_candidate_here() -> None:
    a_task = task()
    runner = SkillRunner(a_task)
    skill = Skill(Kind.PLACE, MUG, SHELF)
    outcome = runner.run(skill)  # an empty hand has nothing to put
    assert outcome.failure and outcome.steps >= 1
    assert a_task.memory.failed == {skill: 1} and skill in a_task.memory.futile
    runner.run(Skill(Kind.PICK, MUG, TABLE))
    assert skill in candidates(a_task)  # the hand has changed: it may be tried again


def test_exploring_brings_new_floor_into_view_until_none_is_left() -> None:
    a_task, runs = turned_away(), 0
    runner = SkillRunner(a_task)
    while Skill(Kind.EXPLORE) in candidates(a_task) and runs < 100:
        before = unexplored(a_task).sum()
        outcome = runner.run(Skill(Kind.EXPLORE))
        assert outcome.steps >= 1 and unexplored(a_task).sum() < before
        runs += 1
    assert 0 < runs < 100 and not unexplored(a_task).any()


def test_a_skill_stops_when_the_budget_is_used_up() -> None:
    a_task = task("sparse", max_steps=5)
    outcome = SkillRunner(a_task).run(Skill(Kind.LOOK))
    assert outcome.steps == 5 and a_task.over


def test_the_rewards_of_a_skill_are_summed() -> None:
    a_task = task("dense")
    runner = SkillRunner(a_task)
    assert runner.run(Skill(Kind.PICK, BOOK, SHELF)).reward == -1.0
    assert runner.run(Skill(Kind.PLACE, BOOK, SHELF)).reward == 1.0


def test_only_picks_and_places_are_decisions_for_a_judge() -> None:
    a_task = task()
    assert decision_of(a_task, Skill(Kind.PICK, MUG, TABLE)) == Decision("pick", "mug", "table", "living_room")
    assert decision_of(a_task, Skill(Kind.PLACE, MUG, SHELF)) == Decision("place", "mug", "shelf", "living_room")
    for skill in (Skill(Kind.LOOK), Skill(Kind.EXPLORE), Skill(Kind.GO, receptacle=TABLE)):
        assert decision_of(a_task, skill) is None


def test_playing_nothing_takes_no_step_and_random_play_ends() -> None:
    a_task = task("sparse", max_steps=150)
    assert play(a_task, NothingPolicy())["steps"] == 0.0
    metrics = play(a_task, RandomPolicy(np.random.default_rng(0)))
    assert a_task.over and metrics == episode_metrics(a_task)


def test_equal_seeds_play_the_same_random_episode() -> None:
    results = []
    for _ in range(2):
        a_task = Task(MujocoSimulator((36, 36)), max_steps=150)
        a_task.reset(home())
        results.append((play(a_task, RandomPolicy(np.random.default_rng(4))), a_task.simulator.pose))
    assert results[0] == results[1]
