"""What the network sees, by hand in the small home."""

import numpy as np
import pytest

from apps.housekeep.agent.features import MAX_PAIRS, PAIR_SCALARS, SCALARS, Observation, Vocabulary, observe
from apps.housekeep.skills import Kind, Skill, SkillRunner, candidates
from apps.housekeep.task import Task
from tests.apps.housekeep.small_home import BOOK, CHEST, MUG, SHELF, TABLE, TOY, home
from tests.apps.housekeep.test_task import move, task

WORDS = Vocabulary.of([home()])


def features(a_task: Task, skill: Skill) -> tuple[dict[str, float], list[tuple[int, int]], list[float]]:
    """The named scalars, the pairs (without the unused) and their moved marks of one candidate."""
    seen = observe(a_task, [skill], WORDS)
    pairs = [(int(o), int(p)) for o, p in seen.pairs[0] if o >= 0]
    return dict(zip(SCALARS, seen.scalars[0].tolist(), strict=True)), pairs, seen.moved[0, : len(pairs)].tolist()


def pair(thing: str, place: str) -> tuple[int, int]:
    return WORDS.object_index[thing], WORDS.place_index[f"living_room|{place}"]


def test_the_vocabulary_is_sorted_and_has_words() -> None:
    assert WORDS.objects == ("book", "mug", "toy")
    assert WORDS.places == ("living_room|chest", "living_room|shelf", "living_room|table")
    assert WORDS.texts() == (
        ["book", "mug", "toy"],
        ["chest in the living room", "shelf in the living room", "table in the living room"],
    )


def test_a_vocabulary_of_several_episodes_has_each_name_once() -> None:
    assert Vocabulary.of([home(), home(episode_id=1)]) == WORDS


def test_shapes_are_a_row_a_candidate() -> None:
    a_task = task()
    options = candidates(a_task)
    seen = observe(a_task, options, WORDS)
    assert len(seen) == len(options)
    assert seen.scalars.shape == (len(options), len(SCALARS)) and seen.scalars.dtype == np.float32
    assert seen.pairs.shape == (len(options), MAX_PAIRS, 2) and seen.pairs.dtype == np.int16
    assert seen.moved.shape == (len(options), MAX_PAIRS) and len(PAIR_SCALARS) == 1


def test_kinds_are_one_hot() -> None:
    a_task = task()
    options = candidates(a_task)
    kinds = observe(a_task, options, WORDS).scalars[:, : len(Kind)]
    assert kinds.sum(axis=1).tolist() == [1.0] * len(options)
    assert kinds.argmax(axis=1).tolist() == [int(skill.kind) for skill in options]


def test_a_pick_is_about_one_object_where_it_is() -> None:
    scalars, pairs, moved = features(task(), Skill(Kind.PICK, MUG, TABLE))
    assert pairs == [pair("mug", "table")] and moved == [0.0]
    assert scalars["hand_full"] == 0.0 and scalars["in_reach"] == 1.0 and scalars["is_origin"] == 0.0
    assert scalars["distance"] == pytest.approx(0.12)  # its standing place is 1.2 m ahead
    assert scalars["objects_there"] == pytest.approx(1 / 4)
    assert scalars["known_objects"] == pytest.approx(0.3)


def test_going_with_an_empty_hand_is_about_the_objects_there() -> None:
    a_task = task(start={TOY: TABLE}, right={TOY: (SHELF,)})
    _, pairs, _ = features(a_task, Skill(Kind.GO, receptacle=TABLE))
    assert pairs == [pair("mug", "table"), pair("toy", "table")]
    _, pairs, _ = features(a_task, Skill(Kind.GO, receptacle=CHEST))
    assert pairs == []


def test_going_with_a_full_hand_is_about_the_held_object_there() -> None:
    a_task = task()
    SkillRunner(a_task).run(Skill(Kind.PICK, MUG, TABLE))
    scalars, pairs, _ = features(a_task, Skill(Kind.GO, receptacle=SHELF))
    assert pairs == [pair("mug", "shelf")]
    assert scalars["hand_full"] == 1.0 and scalars["is_origin"] == 0.0
    assert features(a_task, Skill(Kind.PLACE, MUG, TABLE))[0]["is_origin"] == 1.0
    assert features(a_task, Skill(Kind.GO, receptacle=TABLE))[0]["objects_there"] == 0.0


def test_an_object_that_the_agent_has_put_there_is_marked() -> None:
    a_task = task()
    move(a_task, BOOK, CHEST)
    assert features(a_task, Skill(Kind.PICK, BOOK, CHEST))[2] == [0.5]
    move(a_task, BOOK, SHELF)
    move(a_task, BOOK, CHEST)
    assert features(a_task, Skill(Kind.PICK, BOOK, CHEST))[2] == [1.0]


def test_budget_and_floor_shrink() -> None:
    a_task = task(max_steps=100)
    before = features(a_task, Skill(Kind.LOOK))[0]
    SkillRunner(a_task).run(Skill(Kind.LOOK))
    after = features(a_task, Skill(Kind.LOOK))[0]
    assert (before["steps_left"], after["steps_left"]) == (1.0, pytest.approx(0.82))
    assert after["unexplored"] < before["unexplored"] <= 1.0


def test_visits_and_failures_saturate() -> None:
    a_task = task()
    skill = Skill(Kind.GO, receptacle=TABLE)
    a_task.memory.visits[TABLE], a_task.memory.failed[skill] = 2, 7
    scalars = features(a_task, skill)[0]
    assert scalars["visits"] == pytest.approx(2 / 3) and scalars["failed"] == 1.0


def test_one_row_can_be_taken_alone() -> None:
    a_task = task()
    seen = observe(a_task, candidates(a_task), WORDS)
    row = seen.only(3)
    assert isinstance(row, Observation) and len(row) == 1
    assert np.array_equal(row.scalars[0], seen.scalars[3]) and np.array_equal(row.pairs[0], seen.pairs[3])


def test_features_do_not_change_what_they_look_at() -> None:
    a_task = task()
    first, second = (observe(a_task, candidates(a_task), WORDS) for _ in range(2))
    assert all(np.array_equal(getattr(first, n), getattr(second, n)) for n in ("scalars", "pairs", "moved"))
    assert a_task.steps == 0
