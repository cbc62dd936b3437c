"""What people said about where things belong: the benchmark's votes (.npy) and object splits (.yaml).

The votes are a pickle inside an .npy file that a user downloaded. A pickle can call anything, so this one may only
construct numpy arrays and numbers.
"""

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError

ENOUGH_SHARE = 0.6  # of the annotators: 6 of 10 (Kant et al. 2022, section 3); reproduces the episodes' end matrices
MAX_BYTES = 2**28  # the benchmark's file has 2.8 MB
MAX_CELLS = 2**26
SPLITS = ("train", "val", "test")

# What numpy's own pickles of arrays and numbers need; the modules' names changed with numpy 2.
ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    (module, name): make
    for modules, name, make in (
        (("numpy.core.multiarray", "numpy._core.multiarray"), "_reconstruct", np.core.multiarray._reconstruct),
        (("numpy.core.multiarray", "numpy._core.multiarray"), "scalar", np.core.multiarray.scalar),
        (("numpy",), "ndarray", np.ndarray),
        (("numpy",), "dtype", np.dtype),
    )
    for module in modules
}


@dataclass(frozen=True, eq=False)
class Votes:
    """`ranks` int64 [place, object, annotator]: > 0 would put it there (1 first), < 0 misplaced there, 0 implausible."""

    ranks: NDArray[np.int64]
    objects: tuple[str, ...]
    places: tuple[str, ...]  # room|receptacle

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """[place, object] whether at least 6 of 10 annotators would put the object there."""
        agreed: NDArray[np.bool_] = (self.ranks > 0).sum(axis=2) >= ENOUGH_SHARE * self.ranks.shape[2]
        return agreed

    @cached_property
    def _places(self) -> dict[str, int]:
        return {place: i for i, place in enumerate(self.places)}

    @cached_property
    def _objects(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.objects)}

    def belongs(self, object: str, place: str) -> bool | None:
        """Whether the object belongs at `place` (`room|receptacle`); None where nobody voted on the one or the other.

        Where the benchmark's episodes have such a place (a window, say) it is correct for nothing.
        """
        row, column = self._places.get(place), self._objects.get(object)
        if row is None or column is None:
            return None
        return bool(self.correct[row, column])


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numpy arrays, numbers and text; anything else raises before it is constructed."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}"[:150]) from None


def load_votes(path: Path) -> Votes:
    """The votes in the benchmark's data.npy; UserError of one line for a file that is broken or does anything else."""
    content = _unpickle(path, _read(path))
    if isinstance(content, np.ndarray) and content.shape == ():
        content = content.item()
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no dictionary of votes; give the benchmark's data.npy")
    objects = _names(path, content, "objects")
    places = _names(path, content, "room_receptacles")
    wrong = next((place for place in places if not all(place.partition("|"))), None)
    if wrong is not None:
        raise UserError(f"{path}: room_receptacles: {wrong!r} does not read room|receptacle")
    return Votes(_ranks(path, content, len(places), len(objects)), objects, places)


def _read(path: Path) -> bytes:
    """The file's bytes; UserError when it cannot be read, is no .npy file or too large."""
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the benchmark's data.npy") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: is larger than {MAX_BYTES // 2**20} MB; give the benchmark's data.npy")
    return content


def _unpickle(path: Path, content: bytes) -> Any:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[
            version
        ]
        _, _, dtype = read_header(file)
    except (ValueError, KeyError, EOFError) as error:
        raise UserError(f"{path}: is not an .npy file that numpy writes ({_line(error)}); download it again") from None
    if not dtype.hasobject:
        raise UserError(f"{path}: holds an array of {dtype}, not votes; give the benchmark's data.npy")
    try:
        return _ArraysOnly(file).load()
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: is refused or damaged ({_line(error)}); votes hold arrays and text only") from None
    except MemoryError:
        raise UserError(f"{path}: asks for more memory than there is; give the benchmark's data.npy") from None
    except Exception as error:  # a damaged pickle can fail in any way inside the unpickler and numpy's constructors
        raise UserError(f"{path}: is cut off or damaged ({_line(error)}); download it again") from None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:150] or type(error).__name__


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
    if ranks.ndim != 3 or ranks.shape[:2] != (places, objects) or not 0 < ranks.size <= MAX_CELLS:
        shape = " x ".join(map(str, ranks.shape))
        raise UserError(f"{path}: field ranks is {shape}; it must be {places} places x {objects} objects x annotators")
    return ranks.astype(np.int64)


def load_splits(path: Path) -> dict[str, tuple[str, ...]]:
    """{train, val, test: objects} of the benchmark's object_splits.yaml; UserError of one line for anything else."""
    import yaml

    try:
        content = yaml.safe_load(_read(path).decode())
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not text; give the benchmark's object_splits.yaml") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not readable YAML ({_line(error)})") from None
    objects = content.get("objects") if isinstance(content, dict) else None
    if not isinstance(objects, dict):
        raise UserError(f"{path}: field objects is missing; it must hold the lists {', '.join(SPLITS)}")
    splits: dict[str, tuple[str, ...]] = {}
    for split in SPLITS:
        names = objects.get(split)
        if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
            raise UserError(f"{path}: field objects.{split} is missing or is not a list of names")
        splits[split] = tuple(names)
    every = [name for names in splits.values() for name in names]
    twice = next((name for i, name in enumerate(every) if name in every[:i]), None)
    if twice is not None:
        raise UserError(f"{path}: field objects has {twice!r} twice; an object is in one split only")
    return splits
