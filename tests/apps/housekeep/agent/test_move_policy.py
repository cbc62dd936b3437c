"""Moving by values: with true ones all is put right, without any nothing is touched, and then the episode is left."""

import numpy as np
import pytest

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.move_policy import MovePolicy
from apps.housekeep.agent.pair_features import Floats
from apps.housekeep.agent.policies import play
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.skills import Kind, SkillRunner, candidates
from apps.housekeep.task import MAX_STEPS, Task

EPISODES = load_many(("builtin:val",), "0:2")
WORDS = Vocabulary.of(EPISODES)


@pytest.fixture(scope="module")
def task() -> Task:
    return Task(MujocoSimulator())


def truth(episode: Episode) -> Floats:
    """[object, place] 1 where an object of the episode belongs, 0 elsewhere."""
    values = np.zeros((len(WORDS.objects), len(WORDS.places)))
    for (k, n), right in np.ndenumerate(episode.end):
        values[WORDS.object_index[episode.items[n].category], WORDS.place_index[episode.receptacles[k].place]] = right
    return values


def policy(values: Floats, lying: Floats | None = None, least: float = 0.05) -> MovePolicy:
    return MovePolicy(lambda: (values if lying is None else lying, values), WORDS, np.random.default_rng(0), least)


def test_with_true_values_everything_is_put_right(task: Task) -> None:
    for episode in EPISODES:
        task.reset(episode)
        found = play(task, policy(truth(episode)))
        assert (found["object_success"], found["net_success"], found["episode_success"]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("everywhere", [0.0, 1.0])
def test_where_no_move_gains_anything_the_home_is_explored_and_left(task: Task, everywhere: float) -> None:
    task.reset(EPISODES[0])
    found = play(task, policy(np.full((len(WORDS.objects), len(WORDS.places)), everywhere)))
    assert found["object_success"] == found["net_success"] == 0.0
    assert found["map_coverage"] is not None and found["map_coverage"] > 0.9 and task.steps < MAX_STEPS


def test_a_gain_that_is_too_small_moves_nothing(task: Task) -> None:
    for least, touched in ((0.9, True), (1.1, False)):
        task.reset(EPISODES[0])
        play(task, policy(truth(EPISODES[0]), least=least))
        assert bool(task.tally.touched) is touched


def test_what_lies_from_the_start_is_judged_by_other_values_than_what_it_moved(task: Task) -> None:
    task.reset(EPISODES[0])
    found = play(task, policy(truth(EPISODES[0]), lying=np.ones((len(WORDS.objects), len(WORDS.places)))))
    assert found["object_success"] == 0.0 and not task.tally.touched


def test_random_moves_are_carried_out_whole(task: Task) -> None:
    task.reset(EPISODES[0])
    acting, runner = policy(np.zeros((len(WORDS.objects), len(WORDS.places)))), SkillRunner(task)
    acting.epsilon = 1.0
    kinds = []
    while not task.over and (skill := acting(task, candidates(task))) is not None:
        outcome = runner.run(skill)
        if skill.kind in (Kind.PICK, Kind.PLACE) and not outcome.failure:  # a full place takes nothing
            kinds.append(skill.kind)
    assert len(kinds) > 10 and set(kinds[::2]) == {Kind.PICK} and set(kinds[1::2]) == {Kind.PLACE}
    assert len(set(task.memory.moved)) > 2


def test_another_episode_begins_anew(task: Task) -> None:
    acting = policy(truth(EPISODES[0]))
    found = []
    for _ in range(2):
        task.reset(EPISODES[0])
        found.append(play(task, acting))
    assert found[0] == found[1]


def test_an_episode_that_is_left_pays_what_was_put_right_so_far(task: Task) -> None:
    task.reset(EPISODES[0])
    acting, runner = policy(truth(EPISODES[0])), SkillRunner(task)
    earned = 0.0
    while not task.memory.moved:
        skill = acting(task, candidates(task))
        assert skill is not None
        earned += runner.run(skill).reward
    assert earned == 0.0  # a sparse reward is paid at the end
    assert task.leave_off() == 1.0 and task.over
