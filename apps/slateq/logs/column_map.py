"""Which columns of somebody's Parquet file are which of ours, and their values in the types that a log has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from apps.slateq.logs.lists import array_of, lengths_of, padded
from apps.slateq.logs.schema import SCORES, SLATES, arrow
from lmgt_core.errors import UserError

ONE_OF = (("click", "click_item"), ("propensity", "propensities"))
WANTED = ("session", "time", "candidates", "slate", "reward")
OPTIONAL = ("step", "propensity", "propensities", "marginals", "click", "click_item", "context", "features")


def read_map(given: Sequence[str]) -> dict[str, str]:
    """{our column: theirs} of OURS=YOURS and YAML files; UserError for what is neither, or names no column of ours."""
    found: dict[str, str] = {}
    for word in given:
        if word.endswith((".yaml", ".yml")):
            found |= _read_yaml(Path(word))
            continue
        ours, equals, theirs = word.partition("=")
        if not equals:
            raise UserError(f"--columns {word}: neither OURS=YOURS nor a .yaml file")
        found[ours] = theirs
    for ours in found:
        if ours not in (*WANTED, *OPTIONAL) and not ours.startswith((SCORES, SLATES)):
            known = ", ".join((*WANTED, *OPTIONAL, f"{SCORES}NAME", f"{SLATES}NAME"))
            raise UserError(f"--columns {ours}: a log has no such column; it has {known}")
    return found


def _read_yaml(path: Path) -> dict[str, str]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"--columns {path}: no such file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"--columns {path}: cannot be read as YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict) or not all(isinstance(v, str) for pair in content.items() for v in pair):
        raise UserError(f"--columns {path}: holds lines of our column's name, a colon and yours")
    return content


@dataclass(frozen=True)
class ColumnMap:
    """{our column: theirs} for every column that is read of the file."""

    path: Path
    names: Mapping[str, str]

    @classmethod
    def of(cls, path: Path, given: Mapping[str, str], there: Sequence[str]) -> "ColumnMap":
        """The map for a file with the columns `there`; UserError for one that is missing, or wanted and not named."""
        ours = [*WANTED, *OPTIONAL, *(n for n in there if n.startswith((SCORES, SLATES)))]
        names = {name: name for name in ours if name in there} | dict(given)
        for name, theirs in names.items():
            if theirs not in there:
                raise UserError(f"{path}: has no column {theirs} ({name}); it has {', '.join(there)}")
        for choice in (*((name,) for name in WANTED), *ONE_OF):
            if not any(name in names for name in choice):
                words = " or ".join(choice)
                raise UserError(f"{path}: which column is {words}? Say so with --columns {choice[0]}=YOURS")
        return cls(path, names)


@dataclass(frozen=True, eq=False)
class Theirs:
    """Some rows of the file, from row `begin` on, by our columns' names."""

    map: ColumnMap
    begin: int
    columns: Mapping[str, Any]  # our column -> an Arrow array

    @classmethod
    def of(cls, map_: ColumnMap, begin: int, batch: Any) -> "Theirs":
        """Those of an Arrow batch."""
        return cls(map_, begin, {ours: _decoded(batch.column(name)) for ours, name in map_.names.items()})

    def has(self, name: str) -> bool:
        """Whether the file has our column `name`."""
        return name in self.columns

    def refuse(self, wrong: NDArray[np.bool_], name: str, what: str) -> None:
        """UserError that says `what` of the first row that is `wrong` [B], if there is one."""
        if wrong.any():
            row = self.begin + int(np.flatnonzero(wrong)[0])
            raise UserError(f"{self.map.path}: row {row:,} (from 0), column {self.map.names[name]}: {what}")

    def refuse_type(self, name: str, wanted: str) -> None:
        """UserError: the column has another type than is wanted."""
        theirs = self.map.names[name]
        raise UserError(f"{self.map.path}: column {theirs}: holds {self.columns[name].type}, not {wanted} ({name})")

    def numbers(self, name: str) -> NDArray[np.float64]:
        """[B] finite numbers; UserError for others, and for empty places. Times become seconds."""
        pa, column = arrow(), self.columns[name]
        self.refuse(column.is_null().to_numpy(zero_copy_only=False), name, "is empty")
        if pa.types.is_timestamp(column.type):
            per_second = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
            return np.asarray(column.cast(pa.int64()).to_numpy() / per_second, np.float64)
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            self.refuse_type(name, "numbers")
        values = column.to_numpy(zero_copy_only=False).astype(np.float64)
        self.refuse(~np.isfinite(values), name, "is not a finite number")
        return values

    def lists(self, name: str, fill: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """[B, M] lists of finite numbers, `fill` after the end of each, and their lengths [B]."""
        pa, column = arrow(), self.list_column(name)
        if not (pa.types.is_integer(column.type.value_type) or pa.types.is_floating(column.type.value_type)):
            self.refuse_type(name, "lists of numbers")
        values, lengths = padded(column, fill)
        wrong = ~np.isfinite(values) & (np.arange(values.shape[1]) < lengths[:, None])
        self.refuse(wrong.any(axis=1), name, "holds what is not a finite number")
        return values.astype(np.float64), lengths

    def list_column(self, name: str) -> Any:
        """The Arrow array of lists; UserError for another type, an empty place and lists with empty places."""
        pa, column = arrow(), self.columns[name]
        if not pa.types.is_list(column.type):
            self.refuse_type(name, "lists")
        self.refuse(column.is_null().to_numpy(zero_copy_only=False), name, "is empty")
        flat = column.flatten()
        if flat.null_count:
            row = np.repeat(np.arange(len(column)), lengths_of(column))
            wrong = np.zeros(len(column), bool)
            wrong[row[flat.is_null().to_numpy(zero_copy_only=False)]] = True
            self.refuse(wrong, name, "holds an empty place")
        return column


def _decoded(column: Any) -> Any:
    """An Arrow array without dictionaries, and lists of one sort."""
    pa, column = arrow(), array_of(column)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_large_string(column.type):
        return column.cast(pa.string())
    if pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.list_(column.type.value_type))
    if pa.types.is_list(column.type) and pa.types.is_dictionary(column.type.value_type):
        return column.cast(pa.list_(column.type.value_type.value_type))
    return column
