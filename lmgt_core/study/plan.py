"""A study's plan: which settings vary, which are fixed, and how the outcome is shown."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any, Literal

from lmgt_core.files import plain, to_json
from lmgt_core.study.app import Scalar, Settings

Kind = Literal["lines", "heat"]


@dataclass(frozen=True)
class Show:
    """What the report draws: `metrics` over `x`, a line for each `by` (or a row of a heat map), a figure a `facet`."""

    x: str
    by: str
    metrics: tuple[str, ...]
    facet: str | None = None
    kind: Kind = "lines"
    break_even: bool = False
    """Also calculate where along x the first metric crosses that of the baseline."""


@dataclass(frozen=True)
class Cell:
    """One training: its settings and seed. `key` names its files; equal cells have equal keys."""

    settings: Settings
    seed: int

    @cached_property
    def key(self) -> str:
        """Twenty hexadecimal digits of the cell's content."""
        return hashlib.sha256(to_json({"settings": self.settings, "seed": self.seed}).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Plan:
    """All of a study; `also` holds settings beside the grid, the first of which is the baseline."""

    name: str
    app: str
    question: str
    vary: Mapping[str, Sequence[Scalar]]
    fixed: Settings
    also: Sequence[Settings]
    seeds: int
    show: Show
    defaults: Settings = field(default_factory=dict)

    def groups(self) -> list[Settings]:
        """Every combination of settings, once: the grid, then what is beside it for each facet."""
        grid = [dict(zip(self.vary, values, strict=True)) for values in product(*self.vary.values())]
        facet = self.show.facet
        facets = self.vary.get(facet, [None]) if facet else [None]
        beside = [{**({facet: value} if facet else {}), **extra} for value in facets for extra in self.also]
        whole = [{**self.defaults, **self.fixed, **own} for own in (*grid, *beside)]
        return list({to_json(settings): settings for settings in whole}.values())

    def on_grid(self, settings: Settings) -> bool:
        """Whether these settings are one of the grid's combinations, and do not stand beside it."""
        rest = {**self.defaults, **self.fixed}
        return all(
            value in self.vary[name] if name in self.vary else value == rest[name] for name, value in settings.items()
        )

    def baseline(self, settings: Settings) -> Settings | None:
        """What a group is compared with: the first of `also`, in the same facet; None if there is none."""
        if not self.also:
            return None
        facet = self.show.facet
        return {**self.defaults, **self.fixed, **({facet: settings[facet]} if facet else {}), **self.also[0]}

    def cells(self) -> Iterator[Cell]:
        """Every training, seed by seed, so that a study that is cut short has something of everything."""
        groups = self.groups()
        return (Cell(settings, seed) for seed in range(self.seeds) for settings in groups)

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON types; equal plans give equal ones."""
        found: dict[str, Any] = plain(self)
        return found
