"""Descriptions of picks and places, the decisions of Housekeep that are judged.

Picking is judged by whether the object belongs where it is, placing by whether it belongs where it goes. Going,
looking and exploring have no description, and so no shift. A description holds only what the agent has seen, and names
categories and rooms, not single things: equal situations get equal words, so a scene has a few hundred questions.
"""

from dataclasses import dataclass

from apps.housekeep.knowledge.places import object_words, place_words
from lmgt_core.judging.description import Description


@dataclass(frozen=True)
class Decision:
    """A pick or a place as it is judged: categories as in the data, and the kind of room ("" where there is none)."""

    kind: str  # pick, place
    object: str
    receptacle: str
    room: str


def describe(decision: Decision) -> Description:
    """The words and facts of a decision."""
    thing, where = object_words(decision.object), place_words(decision.receptacle, decision.room)
    facts = {
        "kind": decision.kind,
        "object": decision.object,
        "receptacle": decision.receptacle,
        "room": decision.room,
    }
    if decision.kind == "pick":
        state = f"The {thing} is on the {where}. The robot's hand is empty."
        action = f"pick up the {thing} from the {where}, to put it somewhere else"
    else:
        state = f"The robot holds the {thing}."
        action = f"put the {thing} on the {where}"
    return Description(state, action, facts=facts)


class DecisionDescriber:
    """Describer of the native agent of the skills, whose observation already is the decision to be judged."""

    def __call__(self, observation: Decision | None, action: object) -> Description | None:
        """The words and facts of the decision; None where the chosen skill is no pick or place (observation None)."""
        return None if observation is None else describe(observation)
