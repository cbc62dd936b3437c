"""The words that a judge is told."""

from apps.housekeep.describe import Decision, DecisionDescriber, describe


def test_a_pick_says_where_the_object_is() -> None:
    described = describe(Decision("pick", "set-top_box", "bottom_cabinet_no_top", "living_room"))
    assert described.state == "The set-top box is on the bottom cabinet in the living room. The robot's hand is empty."
    assert described.action == (
        "pick up the set-top box from the bottom cabinet in the living room, to put it somewhere else"
    )


def test_a_place_says_what_is_held_and_where_it_goes() -> None:
    described = describe(Decision("place", "tea_pot", "window", ""))
    assert (described.state, described.action) == ("The robot holds the tea pot.", "put the tea pot on the window")


def test_the_facts_are_the_names_of_the_data() -> None:
    facts = describe(Decision("pick", "set-top_box", "bottom_cabinet_no_top", "living_room")).facts
    assert facts == {
        "kind": "pick",
        "object": "set-top_box",
        "receptacle": "bottom_cabinet_no_top",
        "room": "living_room",
    }


def test_equal_decisions_are_described_equally() -> None:
    decision = Decision("place", "mug", "shelf", "kitchen")
    assert describe(decision) == describe(Decision("place", "mug", "shelf", "kitchen"))
    assert describe(decision) != describe(Decision("pick", "mug", "shelf", "kitchen"))


def test_what_is_no_decision_is_not_described() -> None:
    assert DecisionDescriber()(None, "go") is None
    decision = Decision("pick", "mug", "shelf", "kitchen")
    assert DecisionDescriber()(decision, "pick") == describe(decision)
