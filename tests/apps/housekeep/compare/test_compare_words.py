"""Captions are read for what they name and where they put it; correctness is counted by hand."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.housekeep.compare.words import HomeWords, InView, Mentions, correctness
from apps.housekeep.describe import Decision
from apps.housekeep.episodes.episode import Episode
from tests.apps.housekeep.small_home import home, item, receptacle


def wide_home() -> Episode:
    """Tables in three rooms, a window in none, a plant to stand on and one to carry."""
    rooms = {"kitchen_0": ("table", "plant", "bottom_cabinet_no_top", "bottom_cabinet"), "bedroom_0": ("table",),
             "living_room_0": ("coffee_table",), "": ("window",)}  # fmt: skip
    pieces = tuple(receptacle(k, name, 0.0, room) for room, names in rooms.items() for k, name in enumerate(names))
    things = tuple(item(f"{name}_0", 0.0) for name in ("mug", "wine_glass", "plant"))
    return replace(home(), receptacles=pieces, items=things)


WORDS = HomeWords([wide_home()])


@pytest.mark.parametrize(
    ("caption", "on"),
    [
        ("In view: mug on the table in the kitchen (left, 2 m); coffee table.", {"mug": ("table", "kitchen")}),
        ("A kitchen. On the table there are a mug and two wine glasses.",
         {"mug": ("table", "kitchen"), "wine glass": ("table", "kitchen")}),
        ("I see a table with a mug, and a wine glass on the coffee table.",
         {"mug": ("table", ""), "wine glass": ("coffee table", "")}),
        ("A mug stands on a Table, near the window.", {"mug": ("table", "")}),
        ("A table, a mug and a window.", {}),
        ("The bedroom's table holds a mug.", {"mug": ("table", "bedroom")}),
        ("", {}),
    ],
)  # fmt: skip
def test_where_things_are_is_read_from_prose(caption: str, on: dict[str, tuple[str, str]]) -> None:
    assert WORDS.read(caption).on == on


def test_longer_names_win_and_plurals_and_capitals_do_not_matter() -> None:
    said = WORDS.read("Coffee tables, MUGS and a tablet.")
    assert set(said.objects) == {"mug"} and set(said.furniture) == {"coffee table"}


def test_a_word_that_names_an_object_and_furniture_is_passed_over() -> None:
    assert WORDS.ambiguous == {"plant"} and WORDS.read("A plant on the table.").objects == frozenset()


def test_a_decision_is_what_the_caption_says_not_what_is_true() -> None:
    said = WORDS.read("A mug on the table in the bedroom.")
    assert WORDS.decision("pick", "mug", "", said) == Decision("pick", "mug", "table", "bedroom")
    assert WORDS.decision("place", "wine glass", "table", said) == Decision("place", "wine_glass", "table", "bedroom")


def test_a_cabinet_without_a_top_is_not_preferred_and_a_window_needs_no_room() -> None:
    said = WORDS.read("A bottom cabinet in the kitchen and a window.")
    cabinet = WORDS.decision("place", "mug", "bottom cabinet", said)
    assert isinstance(cabinet, Decision) and cabinet.receptacle == "bottom_cabinet"
    assert WORDS.decision("place", "mug", "window", said) == Decision("place", "mug", "window", "")


@pytest.mark.parametrize(
    ("caption", "kind", "furniture", "why"),
    [
        ("A mug and a table.", "pick", "", "where the mug is"),
        ("A mug on the table.", "pick", "", "in which room the table is"),
        ("A mug.", "place", "table", "names no table"),
        ("A table.", "place", "table", "in which room the table is"),
    ],
)
def test_what_a_caption_leaves_open_is_said(caption: str, kind: str, furniture: str, why: str) -> None:
    found = WORDS.decision(kind, "mug", furniture, WORDS.read(caption))
    assert isinstance(found, str) and why in found


KITCHEN = ("table", "kitchen")
SEEN = InView(
    {"mug": frozenset({KITCHEN}), "book": frozenset({("shelf", "")})}, frozenset({"table"}), frozenset({"shelf"})
)


def test_correctness_by_hand() -> None:
    """First frame: all named, `shelf` is faint and free. Second: book missed, fork and sofa made up, mug misplaced."""
    right = Mentions(
        frozenset({"mug", "book"}), frozenset({"table", "shelf"}), {"mug": KITCHEN, "book": ("shelf", "attic")}
    )  # fmt: skip
    wrong = Mentions(frozenset({"mug", "fork"}), frozenset({"table", "sofa"}), {"mug": ("sofa", "")})
    found = correctness([right, wrong], [SEEN, SEEN])
    assert found.exact == (True, False)
    assert (found.object_precision, found.object_recall) == (3 / 4, 3 / 4)
    assert (found.furniture_precision, found.furniture_recall) == (2 / 3, 1.0)
    assert found.placed_right == 2 / 4


def test_a_wrong_room_is_a_wrong_place_and_no_room_is_none() -> None:
    def placed(room: str) -> float | None:
        said = Mentions(frozenset({"mug"}), frozenset({"table"}), {"mug": ("table", room)})
        return correctness([said], [InView({"mug": frozenset({KITCHEN})}, frozenset({"table"}))]).placed_right

    assert (placed("kitchen"), placed(""), placed("bedroom")) == (1.0, 1.0, 0.0)


def test_nothing_said_of_nothing_is_exact_and_has_no_shares() -> None:
    found = correctness([Mentions()], [InView({}, frozenset())])
    assert found.exact == (True,) and set(found.columns().values()) == {None}


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    said = WORDS.read(text)
    assert said.on.keys() <= said.objects and said.rooms.keys() <= said.furniture
    assert {where for where, _ in said.on.values()} <= said.furniture


@settings(deadline=None)
@given(st.lists(st.sampled_from(["mug", "wine glass", "table", "coffee table", "kitchen", "on the", "with a", "in the",
                                 ".", ",", "and"]), max_size=14))  # fmt: skip
def test_places_are_furniture_that_is_named(parts: list[str]) -> None:
    said = WORDS.read(" ".join(parts))
    assert said.on.keys() <= said.objects and {where for where, _ in said.on.values()} <= said.furniture
