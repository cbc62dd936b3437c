import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.housekeep.knowledge.places import (
    object_words,
    place_name,
    place_words,
    receptacle_words,
    room_words,
    split_place,
)


@pytest.mark.parametrize(
    ("category", "words"),
    [("bottom_cabinet_no_top", "bottom cabinet"), ("bottom_cabinet", "bottom cabinet"), ("fridge", "fridge")],
)
def test_a_receptacle_is_called_what_people_call_it(category, words):
    assert receptacle_words(category) == words


def test_a_place_is_a_receptacle_in_a_room():
    assert place_words("coffee_table", "living_room") == "coffee table in the living room"
    assert place_words("shelf", "childs_room") == "shelf in the child's room"


def test_a_place_without_a_room_is_a_receptacle():
    assert place_words("window", "") == "window"
    assert room_words("") == ""


def test_an_object_keeps_its_hyphen():
    assert object_words("set-top_box") == "set-top box"


NAMES = st.text(st.characters(categories=("Ll", "Nd"), include_characters="_- "), min_size=1)


@given(NAMES, NAMES | st.just(""))
def test_a_places_name_comes_apart_again(receptacle, room):
    assert split_place(place_name(receptacle, room)) == (receptacle, room)


@pytest.mark.parametrize("name", ["counter", "kitchen|", ""])
def test_what_is_no_place_is_refused(name):
    with pytest.raises(ValueError, match="is not room"):
        split_place(name)
