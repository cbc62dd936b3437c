"""An episode file as a list of entries: usable episodes, and what is left out and why.

What can be read is read: one damaged episode in a file of a thousand costs that episode, and the summary says so.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.fields import FurnitureCache, parse_episode
from apps.housekeep.episodes.halves import marked
from apps.housekeep.episodes.raw_file import raw_episodes
from apps.housekeep.episodes.repairs import Repairs
from apps.housekeep.episodes.values import FieldError, as_whole
from lmgt_core.errors import UserError

LONGEST = 300  # characters of a reason: it may quote the file


@dataclass(frozen=True)
class LeftOut:
    """An episode that cannot be used, and why: which one it is, the field, and what is wrong."""

    reason: str


@dataclass(frozen=True)
class ReadFile:
    """The entries of a file, each at its position in the file, and a line about what is wrong ("" for nothing)."""

    entries: Sequence[Episode | LeftOut]
    summary: str


def read_file(path: Path, strict: bool = False) -> ReadFile:
    """The file's episodes; UserError when it cannot be read, and under `strict` for the first thing that is wrong."""
    raw = raw_episodes(path)
    reader = _Reader(path, raw, strict)
    entries = [reader.entry(one, position) for position, one in enumerate(raw)]
    usable = iter(marked([entry for entry in entries if isinstance(entry, Episode)]))
    whole = [next(usable) if isinstance(entry, Episode) else entry for entry in entries]
    return ReadFile(whole, summary(path, whole, reader.repaired))


class _Reader:
    """Reads one file's episodes in order."""

    def __init__(self, path: Path, raw: Sequence[Any], strict: bool) -> None:
        self.path, self.strict = path, strict
        self.cache = FurnitureCache()
        self.repaired: Counter[str] = Counter()  # repair -> episodes that took it
        self._positions: dict[int, int] = {}  # of the usable episodes, by their numbers
        self._free = 1 + max((number for one in raw if (number := _number(one)) is not None), default=-1)

    def entry(self, raw: Any, position: int) -> Episode | LeftOut:
        """The episode, or why it is left out."""
        repairs = Repairs(self.strict)
        try:
            episode = self._episode(raw, position, repairs)
        except FieldError as error:
            number = _number(raw)
            name = "without a readable id" if number is None else str(number)
            reason = f"episode {name} (position {position}): {error}"[:LONGEST]
            if self.strict:
                raise UserError(f"{self.path}: {reason}") from None
            return LeftOut(reason)
        self.repaired.update(list(repairs.made))
        return episode

    def _episode(self, raw: Any, position: int, repairs: Repairs) -> Episode:
        if not isinstance(raw, dict):
            raise FieldError("the entry", "is not a JSON object")
        episode = parse_episode(raw, str(self.path), self.cache, self._free, repairs)
        first = self._positions.setdefault(episode.episode_id, position)
        if first != position:
            raise FieldError("episode_id", f"position {first} has it too")
        self._free += episode.episode_id == self._free
        return episode


def _number(raw: Any) -> int | None:
    """The episode's number where it can be read."""
    try:
        return as_whole(raw["episode_id"], "episode_id") if isinstance(raw, dict) else None
    except (KeyError, FieldError):
        return None


def summary(path: Path, entries: Sequence[Episode | LeftOut], repaired: Counter[str]) -> str:
    """One line that counts what is left out and what was repaired; "" when there is nothing to say."""
    left_out = [entry for entry in entries if isinstance(entry, LeftOut)]
    parts = []
    if left_out:
        parts.append(f"{len(left_out)} left out (the first: {left_out[0].reason})")
    if repaired:
        parts.append("read " + ", ".join(f"with {what} in {count}" for what, count in repaired.items()))
    if not parts:
        return ""
    return f"{path}: of {len(entries)} episodes {'; '.join(parts)}; --strict refuses such a file"
