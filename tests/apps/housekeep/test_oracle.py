from types import SimpleNamespace

import numpy as np
import pytest

from apps.housekeep.oracle import EpisodesTruth, PlacesTruth, asked, truth_from_episodes, verdict
from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt
from tests.apps.housekeep.small_world import question

TRUTH = PlacesTruth({"fork": ["kitchen|counter"], "soap": []})


@pytest.mark.parametrize(
    ("kind", "receptacle", "expected"),
    [
        ("place", "counter", Verdict.GOOD),
        ("place", "fridge", Verdict.BAD),
        ("pick", "counter", Verdict.BAD),
        ("pick", "fridge", Verdict.GOOD),
    ],
)
def test_placing_is_good_where_an_object_belongs_and_picking_where_it_does_not(kind, receptacle, expected):
    assert verdict(question(kind, "fork", receptacle, "kitchen"), TRUTH) is expected


def test_a_receptacle_nobody_voted_on_is_wrong():
    assert verdict(question("place", "fork", "bottom_cabinet_no_top", "kitchen"), TRUTH) is Verdict.BAD
    assert verdict(question("place", "fork", "window", ""), TRUTH) is Verdict.BAD


@pytest.mark.parametrize("facts", [{}, {"kind": "go", "object": "fork", "receptacle": "counter"}, {"kind": "pick"}])
def test_what_is_no_pick_or_place_is_neutral(facts):
    prompt = Prompt("", "", facts=facts)
    assert asked(prompt) is None
    assert verdict(prompt, TRUTH) is Verdict.NEUTRAL


def test_an_unknown_object_has_no_answer():
    with pytest.raises(LookupError):
        verdict(question("place", "spaceship", "counter", "kitchen"), TRUTH)


def episode(number: int, end, places=("kitchen|counter", "kitchen|fridge"), objects=("fork", "milk")):
    """What the truth reads of an episode."""
    return SimpleNamespace(
        source="home.json.gz",
        episode_id=number,
        receptacles=[SimpleNamespace(place=place) for place in places],
        items=[SimpleNamespace(category=name) for name in objects],
        end=np.array(end, bool),
    )


def test_episodes_say_together_what_is_true():
    truth = truth_from_episodes([episode(0, [[1, 0], [0, 1]]), episode(1, [[1]], ("bedroom|shelf",), ("novel",))])
    assert truth.belongs("fork", "counter", "kitchen")
    assert not truth.belongs("milk", "counter", "kitchen")
    assert truth.belongs("novel", "shelf", "bedroom")
    with pytest.raises(LookupError):
        truth.belongs("novel", "counter", "kitchen")  # no episode has both


def test_episodes_that_contradict_each_other_are_named():
    with pytest.raises(UserError) as error:
        truth_from_episodes([episode(3, [[1, 0], [0, 1]]), episode(8, [[1, 0], [1, 1]])])
    message = str(error.value)
    assert "episode 8: whether fork belongs on kitchen|fridge contradicts home.json.gz: episode 3" in message
    assert "\n" not in message


def test_a_digest_names_the_content_whatever_its_order():
    assert PlacesTruth({"a": ["x", "y"], "b": []}).digest == PlacesTruth({"b": [], "a": ["y", "x"]}).digest
    assert PlacesTruth({"a": ["x"]}).digest != PlacesTruth({"a": ["y"]}).digest
    assert EpisodesTruth({("a", "x"): True}).digest != EpisodesTruth({("a", "x"): False}).digest
