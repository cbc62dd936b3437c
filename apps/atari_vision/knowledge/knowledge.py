"""What an app's world lends to captioners, judges and oracles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from captioners.captioner import CaptionFailure
from captioners.ocr import Compose, Reading, Region, Text
from captioners.phrasing import Phrasing
from lmgt_core.judging.judgment import Verdict

Facts = Mapping[str, str]  # slot -> phrase
Box = tuple[int, int, int, int]  # left, top, width, height in pixels
Expert = Callable[[Facts, int], Verdict]  # facts and action -> what a good player would say


def nothing_written(texts: Mapping[str, Text]) -> Reading:
    """The grammar of worlds in whose frames nothing is written."""
    return Reading(CaptionFailure("nothing is written in frames of this kind"))


def nowhere(memory: Any) -> dict[str, Box]:
    """The positions of worlds that have none to tell."""
    return {}


@dataclass(frozen=True)
class Knowledge:
    """One world's words: how its memory becomes facts, facts become a caption, and an expert reads them.

    The expert knows no more than the words say, so that a perfect caption loses nothing.
    """

    phrasing: Phrasing
    facts: Callable[[Any], dict[str, str]]
    """Memory (privileged) -> facts."""
    expert: Expert
    actions: Sequence[str]
    """The words for each action."""
    regions: Sequence[Region] = ()
    """Where something is written in a frame."""
    compose: Compose = nothing_written
    """The grammar of what is written there."""
    positions: Callable[[Any], dict[str, Box]] = nowhere
    """Memory -> where things are in the frame; for games, whose RAM maps are tested against frames."""
