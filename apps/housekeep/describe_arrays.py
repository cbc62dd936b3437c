"""Describers of the Gymnasium environments: from an observation's arrays to words.

All that they need is in the observation, so they serve single environments and vectors alike.
"""

from collections.abc import Mapping
from typing import Any

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.describe import Decision, describe
from apps.housekeep.knowledge.places import split_place
from apps.housekeep.simulator.protocol import Action
from apps.housekeep.skills import Kind
from lmgt_core.judging.description import Description

KINDS = ("", "pick", "place")  # of what GRAB_RELEASE would do, as numbered in an observation's `ahead`


class PrimitiveDescriber:
    """Describer of `HousekeepEnv`: a GRAB_RELEASE that would pick or place, from the observation's `ahead`."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def __call__(self, observation: Mapping[str, Any], action: Any) -> Description | None:
        """The words of the pick or place; None for every other action."""
        kind, thing, place = (int(number) for number in observation["ahead"])
        if int(action) != Action.GRAB_RELEASE or not kind:
            return None
        return _describe(self.vocabulary, KINDS[kind], thing - 1, place - 1)


class CandidateDescriber:
    """Describer of `HousekeepSkillsEnv`, whose actions number candidates: picks and places, read off the features."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def __call__(self, observation: Mapping[str, Any], action: Any) -> Description | None:
        """The words of the pick or place; None for every other skill, and for an action outside the mask."""
        if not observation["mask"][int(action)]:
            return None
        kind = Kind(int(observation["scalars"][int(action), : len(Kind)].argmax()))
        if kind not in (Kind.PICK, Kind.PLACE):
            return None
        thing, place = (int(number) for number in observation["pairs"][int(action), 0])
        return _describe(self.vocabulary, kind.name.lower(), thing, place)


def _describe(vocabulary: Vocabulary, kind: str, thing: int, place: int) -> Description:
    receptacle, room = split_place(vocabulary.places[place])
    return describe(Decision(kind, vocabulary.objects[thing], receptacle, room))
