"""What is true of a frame, in the home that fits into the head; and the play that shows frames."""

import numpy as np

from apps.housekeep.compare.frames import ExpertPolicy, collect
from apps.housekeep.compare.trained import home_phrasing, view_facts
from apps.housekeep.compare.views import View, view_of
from apps.housekeep.compare.words import HomeWords, correctness
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many
from apps.housekeep.metrics import episode_metrics
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.skills import SkillRunner, candidates
from apps.housekeep.task import Task
from lmgt_core.judging.judgment import Verdict
from tests.apps.housekeep.small_home import CHEST, MUG, TOY, home, instance

GOOD, BAD = Verdict.GOOD, Verdict.BAD
WORDS = HomeWords([home()])


def started(episode: Episode | None = None) -> Task:
    task = Task(MujocoSimulator((60, 60)))
    task.reset(episode or home())
    return task


def asked(view: View) -> dict[str, Verdict]:
    return {question.words: question.label for question in view.questions}


def test_with_an_empty_hand_wrong_things_are_good_to_pick() -> None:
    view = view_of(started(), WORDS)
    assert asked(view) == {
        "pick up the mug, to put it somewhere else": GOOD,
        "pick up the book, to put it somewhere else": BAD,
        "pick up the toy, to put it somewhere else": GOOD,
    }
    assert view.kind == "pick" and view.hand == "The hand is empty."


def test_with_a_full_hand_right_furniture_is_good_to_put_on() -> None:
    task = started()
    task.simulator.grab_release(instance(MUG))
    task.on[MUG] = -1
    view = view_of(task, WORDS)
    assert asked(view) == {
        "put what it holds on the shelf": GOOD,
        "put what it holds on the table": BAD,
        "put what it holds on the chest": BAD,
    }
    assert view.hand == "The hand holds the mug." and "mug" not in view.seen.objects


def test_the_semantic_frame_in_words_says_exactly_what_is_true() -> None:
    view = view_of(started(), WORDS)
    said = view.words(99)
    assert "mug on the table in the living room" in said
    found = correctness([WORDS.read(said)], [view.seen])
    assert found.exact == (True,) and found.placed_right == 1.0


def test_a_thing_that_two_places_may_mean_is_not_asked_about() -> None:
    """Two things of one name: one belongs where it is, the other does not."""
    from dataclasses import replace

    episode = home({TOY: CHEST})
    twins = tuple(replace(i, category="mug") if n == TOY else i for n, i in enumerate(episode.items))
    view = view_of(started(replace(episode, items=twins)), WORDS)
    assert not any("mug" in words for words in asked(view)) and asked(view)


def test_the_expert_tidies_the_small_home() -> None:
    task, expert = started(), ExpertPolicy(np.random.default_rng(0))
    runner = SkillRunner(task)
    for _ in range(12):
        if task.over:
            break
        runner.run(expert(task, candidates(task)))
    assert task.terminated and episode_metrics(task)["object_success"] == 1.0


def test_frames_are_different_half_of_each_kind_and_the_same_for_a_seed() -> None:
    episodes = load_many(["builtin:val"], "90:")

    def play(without: frozenset[str] = frozenset()) -> list[View]:
        words = HomeWords(episodes)
        return collect(MujocoSimulator((48, 48)), episodes, words, 12, np.random.default_rng(3), without)

    views = play()
    assert len({view.digest for view in views}) == 12
    assert [sum(view.kind == kind for view in views) for kind in ("pick", "place")] == [6, 6]
    assert [view.digest for view in play()] == [view.digest for view in views]
    some = frozenset(view.digest for view in views[:4])
    assert not some & {view.digest for view in play(some)}


def test_a_phrasing_of_views_says_of_each_what_it_shows() -> None:
    task = started()
    first = view_of(task, WORDS)
    task.simulator.grab_release(instance(MUG))
    task.on[MUG] = -1
    views = [first, view_of(task, WORDS)]
    phrasing = home_phrasing(views)
    assert phrasing.slots["mug"] == ("", "mug on the table in the living room; ")
    for view in views:
        said = phrasing.words(view_facts(view, phrasing))
        assert correctness([WORDS.read(said)], [view.seen]).exact == (True,)
