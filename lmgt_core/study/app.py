"""What an app lends to `lmgt study`: settings that a cell may have, and how one cell is run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from lmgt_core.errors import UserError

Scalar: TypeAlias = bool | int | float | str | None
Settings: TypeAlias = Mapping[str, Scalar]
Result: TypeAlias = Mapping[str, float | None]  # metric -> value; None where there is none
MEASURED = "_seconds"  # ending of metrics that are wall-clock times: they differ from run to run


@dataclass(frozen=True)
class Field:
    """One setting: what it is where a study does not say, and what it means, with its unit (an axis' label)."""

    default: Scalar
    about: str
    optional: bool = False
    """Whether null is a value, such as no judge."""


def check_shares(settings: Settings, *fields: str) -> None:
    """UserError for one of these settings that is no number in [0, 1]."""
    for field in fields:
        value: Any = settings[field]
        if not 0 <= value <= 1:
            raise UserError(f"{field} {value}: lies in [0, 1]")


def horizon_of(settings: Settings) -> int:
    """Decisions after which a fading rule's judge has no say, 1 or more: the share `judge_share` of `steps`."""
    s: Any = settings
    decisions: int = max(round(s["judge_share"] * s["steps"]), 1)
    return decisions


class StudyApp(Protocol):
    """One app's cells."""

    @property
    def name(self) -> str:
        """As in --app."""
        ...

    @property
    def fields(self) -> Mapping[str, Field]:
        """Every setting of a cell, by name."""
        ...

    @property
    def metrics(self) -> Mapping[str, str]:
        """Every metric of a result, with its meaning and unit; those named `*_seconds` are measured."""
        ...

    @property
    def presets(self) -> Path:
        """A folder of study files, NAME.yaml each."""
        ...

    def check(self, settings: Settings) -> None:
        """UserError naming the setting that does not fit; nothing is run."""
        ...

    def run(self, settings: Settings, seed: int) -> Result:
        """The metrics of one training; the same ones for the same settings and seed, but for measured times."""
        ...
