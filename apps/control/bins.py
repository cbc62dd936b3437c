"""Ranges with names: a number becomes words, and equal situations get equal words."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise


@dataclass(frozen=True)
class Quantity:
    """A number in words.

    `labels[i]` names the values from `edges[i - 1]` (included) to `edges[i]` (excluded), in `unit`; the first and the
    last range are open. `centres[i]` stands for all of range i where an expert has to calculate.
    """

    name: str
    unit: str
    edges: tuple[float, ...]
    labels: tuple[str, ...]
    centres: tuple[float, ...]

    def __post_init__(self) -> None:
        n = len(self.edges) + 1
        if len(self.labels) != n or len(self.centres) != n or len(set(self.labels)) != n:
            raise ValueError(f"{self.name}: {n} ranges need {n} different labels and {n} centres")
        if list(self.edges) != sorted(self.edges):
            raise ValueError(f"{self.name}: edges ascend")

    def index(self, value: float) -> int:
        """The range that `value` lies in, counted from 0."""
        return bisect_right(self.edges, value)

    def centre(self, label: str) -> float:
        """The number that stands for a label; LookupError for words that are not this quantity's."""
        return self._centres[label]

    @cached_property
    def _centres(self) -> dict[str, float]:
        return dict(zip(self.labels, self.centres, strict=True))


def mirrored(
    name: str,
    unit: str,
    limits: Sequence[float],
    labels: Sequence[str],
    sides: tuple[str, str],
    middle: str = "",
) -> Quantity:
    """A quantity with the same ranges on both sides of 0, named by `labels` from the inside out.

    `limits` are the bounds of those ranges, ascending, the last one the largest value that comes up (which is used for
    the centre of the open range only). They begin with 0, or with the half width of the range `middle`. In a label,
    {side} becomes `sides[0]` below 0 and `sides[1]` above.
    """
    if bool(middle) is (limits[0] == 0):
        raise ValueError(f"{name}: a range around 0 needs a name, and only such a range does")
    inner = [-limits[0], limits[0]] if middle else [0.0]
    edges = [*(-limit for limit in reversed(limits[1:-1])), *inner, *limits[1:-1]]
    halves = [(a + b) / 2 for a, b in pairwise(limits)]
    below = [label.format(side=sides[0]) for label in labels]
    above = [label.format(side=sides[1]) for label in labels]
    named = ([middle], [0.0]) if middle else ([], [])
    return Quantity(
        name,
        unit,
        tuple(edges),
        (*reversed(below), *named[0], *above),
        (*(-h for h in reversed(halves)), *named[1], *halves),
    )
