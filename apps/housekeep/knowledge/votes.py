"""What people said about where things belong: the benchmark's votes (.npy) and object splits (.yaml)."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.agent.array_pickle import PickleError, read_object_npy
from lmgt_core.errors import UserError

ENOUGH = (6, 10)  # of so many annotators (Kant et al. 2022); reproduces the benchmark's end matrices
MAX_BYTES = 2**28  # of votes; the benchmark's file has 2.8 MB
MAX_YAML_BYTES = 2**20  # its splits have 5 kB
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Votes:
    """`ranks` [place, object, annotator]: > 0 would put it there (1 first), < 0 would not, 0 finds it implausible."""

    ranks: NDArray[np.int64]
    objects: tuple[str, ...]
    places: tuple[str, ...]  # room|receptacle

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """[place, object] whether at least 6 of 10 annotators would put the object there."""
        agreed = (self.ranks > 0).sum(axis=2)
        enough: NDArray[np.bool_] = agreed * ENOUGH[1] >= self.ranks.shape[2] * ENOUGH[0]
        return enough

    @cached_property
    def _places(self) -> dict[str, int]:
        return {place: i for i, place in enumerate(self.places)}

    @cached_property
    def _objects(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.objects)}

    def belongs(self, object: str, place: str) -> bool | None:
        """Whether the object belongs at `place` (`room|receptacle`); None where nobody voted on the one or the other.

        Where the benchmark's episodes have such a place (a window, say) it is correct for nothing; only
        bottom_cabinet_no_top is, in some of its scenes, correct for what belongs in a bottom_cabinet.
        """
        row, column = self._places.get(place), self._objects.get(object)
        if row is None or column is None:
            return None
        return bool(self.correct[row, column])


def load_votes(path: Path) -> Votes:
    """The votes in the benchmark's data.npy; UserError of one line for a file that is broken or does anything else."""
    try:
        content = read_object_npy(_read(path, MAX_BYTES))
    except PickleError as error:
        raise UserError(f"{path}: is not read: {error}; give the benchmark's data.npy") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no dictionary of votes; give the benchmark's data.npy")
    objects = _names(path, content, "objects")
    places = _names(path, content, "room_receptacles")
    wrong = next((place for place in places if not all(place.partition("|"))), None)
    if wrong is not None:
        raise UserError(f"{path}: room_receptacles: {wrong!r} does not read room|receptacle")
    return Votes(_ranks(path, content, len(places), len(objects)), objects, places)


def _read(path: Path, most: int) -> bytes:
    """The file's bytes; UserError when it cannot be read or is too large."""
    try:
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(content) > most:
        raise UserError(f"{path}: is larger than {most // 2**20} MB")
    return content


def _names(path: Path, content: dict[Any, Any], field: str) -> tuple[str, ...]:
    names = content.get(field)
    if isinstance(names, np.ndarray):
        names = names.tolist()
    if not isinstance(names, list | tuple) or not names or not all(isinstance(n, str) and n for n in names):
        raise UserError(f"{path}: field {field} is missing or is not a list of names")
    if len(set(names)) < len(names):
        raise UserError(f"{path}: field {field} has a name twice")
    return tuple(str(name) for name in names)


def _ranks(path: Path, content: dict[Any, Any], places: int, objects: int) -> NDArray[np.int64]:
    ranks = content.get("ranks")
    if not isinstance(ranks, np.ndarray) or ranks.dtype.kind not in "iu":
        raise UserError(f"{path}: field ranks is missing or is not an array of whole numbers")
    if ranks.ndim != 3 or ranks.shape[:2] != (places, objects) or not ranks.size:
        shape = " x ".join(map(str, ranks.shape))
        raise UserError(f"{path}: field ranks is {shape}; it must be {places} places x {objects} objects x annotators")
    return ranks.astype(np.int64)


def load_splits(path: Path) -> dict[str, tuple[str, ...]]:
    """{train, val, test: objects} of the benchmark's object_splits.yaml; UserError of one line for anything else."""
    import yaml

    try:
        content = yaml.safe_load(_read(path, MAX_YAML_BYTES).decode())
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not text; give the benchmark's object_splits.yaml") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UserError(f"{path}: is not readable YAML ({' '.join(str(error).split())[:150]})") from None
    objects = content.get("objects") if isinstance(content, dict) else None
    if not isinstance(objects, dict):
        raise UserError(f"{path}: field objects is missing; it must hold the lists {', '.join(SPLITS)}")
    splits: dict[str, tuple[str, ...]] = {}
    for split in SPLITS:
        names = objects.get(split)
        if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
            raise UserError(f"{path}: field objects.{split} is missing or is not a list of names")
        splits[split] = tuple(names)
    seen: set[str] = set()
    for name in (name for names in splits.values() for name in names):
        if name in seen:
            raise UserError(f"{path}: field objects has {name!r} twice; an object is in one split only")
        seen.add(name)
    return splits
