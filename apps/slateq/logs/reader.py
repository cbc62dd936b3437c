"""Rows of a log as arrays, some thousand at a time and always whole sessions, from any row on."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.slateq.logs.lists import array_of, lengths_of, padded
from apps.slateq.logs.schema import KEY, NOTHING, REQUIRED, SLATES, Slates, arrow
from lmgt_core.errors import UserError

BATCH = 8192  # rows, at least, of a batch
MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Log:
    """A Parquet file of `lmgt slateq log` or `lmgt slateq import`; UserError for a file that is none."""

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, open_parquet(path)
        self.rows: int = self.file.metadata.num_rows
        self.columns: list[str] = self.file.schema_arrow.names
        about = (self.file.schema_arrow.metadata or {}).get(KEY)
        if about is None:
            raise UserError(f"{path}: is no log of this project; make one of it with: lmgt slateq import {path}")
        self.about: dict[str, Any] = json.loads(about)

    @property
    def last_step(self) -> int:
        """The number of the last slate of the longest session, from 0."""
        column = self.file.schema_arrow.names.index("step")
        groups = (self.file.metadata.row_group(g) for g in range(self.file.num_row_groups))
        # Parquet numbers its leaves; what stands before "step" is a single one.
        return max((int(group.column(column).statistics.max) for group in groups if group.num_rows), default=0)

    @cached_property
    def places(self) -> int:
        """How long the longest slate is; reads that one column."""
        pieces = self.file.iter_batches(columns=["slate"])
        return max((int(lengths_of(piece.column(0)).max(initial=0)) for piece in pieces), default=0)

    def batches(self, columns: Sequence[str] = (), begin: int = 0, rows: int = BATCH) -> Iterator[tuple[Slates, int]]:
        """Whole sessions from row `begin` on, which begins one, and the row after them.

        Beside what every log has, those of `columns` are read that the file has. A batch holds at least `rows` rows,
        but for the last one; what is in memory is that and one row group, or the longest session.
        """
        pa = arrow()
        names = self._of_interest(columns)
        group, skip = self._group_of(begin)
        groups = list(range(group, self.file.num_row_groups))
        held, end = None, begin
        for piece in self.file.iter_batches(batch_size=rows, row_groups=groups, columns=names):
            piece, skip = piece.slice(skip), max(0, skip - len(piece))
            table = pa.Table.from_batches([piece])
            held = table if held is None else pa.concat_tables([held, table])
            if held.num_rows < rows:
                continue
            whole = last_begin(held.column("session"))
            if whole:
                end += whole
                yield slates_of(held.slice(0, whole), self.places), end
                held = held.slice(whole).combine_chunks()
        if held is not None and held.num_rows:
            yield slates_of(held, self.places), end + held.num_rows

    def sample(self, columns: Sequence[str], rows: int) -> Slates | None:
        """Whole sessions of about `rows` rows in all, from up to eight places spread over the file; None for none."""
        pa = arrow()
        names, pieces = self._of_interest(columns), []
        groups = np.unique(np.linspace(0, self.file.num_row_groups - 1, 8).astype(int)).tolist()
        for group in groups:
            reading = self.file.iter_batches(batch_size=-(-rows // len(groups)), row_groups=[group], columns=names)
            piece = pa.Table.from_batches([next(reading)])
            begins = np.flatnonzero(array_of(piece.column("step")).to_numpy() == 0)
            end = len(piece) if self.file.num_row_groups == 1 == len(groups) and len(piece) == self.rows else None
            end = int(begins[-1]) if end is None and len(begins) else end
            if len(begins) and end:
                pieces.append(piece.slice(int(begins[0]), end - int(begins[0])))
        whole = pa.concat_tables(pieces) if pieces else None
        return slates_of(whole, self.places) if whole is not None and len(whole) else None

    def _of_interest(self, columns: Sequence[str]) -> list[str]:
        """What is read of the file: nothing is estimated from when a slate was shown."""
        return [name for name in self.columns if name in {*REQUIRED, *columns} - {"time"}]

    def _group_of(self, row: int) -> tuple[int, int]:
        """The row group that holds `row`, and which of its rows it is."""
        group = 0
        while group < self.file.num_row_groups and row >= self.file.metadata.row_group(group).num_rows:
            row -= self.file.metadata.row_group(group).num_rows
            group += 1
        return group, row


def open_parquet(path: Path) -> Any:
    """The `pyarrow.parquet.ParquetFile`; UserError when there is none or it is damaged."""
    pa = arrow()
    import pyarrow.parquet as parquet

    try:
        return parquet.ParquetFile(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read as Parquet ({' '.join(str(error).split())})") from None


def last_begin(session: Any) -> int:
    """The row at which the last session of an Arrow column begins."""
    keys = keys_of(array_of(session))
    changes = np.flatnonzero(keys[1:] != keys[:-1])
    return int(changes[-1]) + 1 if len(changes) else 0


def slates_of(table: Any, places: int) -> Slates:
    """The rows of an Arrow table with the columns of a log, slates as wide as `places`."""
    have = {name: array_of(table.column(name)) for name in table.column_names}
    slate = padded(have["slate"], NOTHING, places)[0]
    click = have["click"].fill_null(NOTHING).to_numpy(zero_copy_only=False)
    more = {
        name: padded(column, NOTHING if name.startswith(SLATES) else -np.inf)[0]
        for name, column in have.items()
        if name not in {*REQUIRED, "propensities", "marginals"}
    }
    if arrow().types.is_integer(have["candidates"].type.value_type):  # text is read by nobody
        more["candidates"] = padded(have["candidates"], NOTHING)[0]
    return Slates(
        key=keys_of(have["session"]),
        step=have["step"].to_numpy().astype(np.int64),
        candidates=lengths_of(have["candidates"]),
        slate=slate.astype(np.int64),
        propensity=have["propensity"].to_numpy(),
        click=click.astype(np.int64),
        reward=have["reward"].to_numpy(),
        propensities=padded(have["propensities"], 1.0, places)[0] if "propensities" in have else None,
        marginals=padded(have["marginals"], 1.0, places)[0] if "marginals" in have else None,
        more=more,
    )


def keys_of(session: Any) -> NDArray[np.uint64]:
    """[B] a number for each session id (Arrow, whole numbers or text), equal for equal ids in any file."""
    pa = arrow()
    if pa.types.is_integer(session.type):
        return mixed(session.to_numpy().astype(np.int64).view(np.uint64))
    names = session.dictionary_encode()
    digests = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names.dictionary.to_pylist()]
    return np.frombuffer(b"".join(digests), np.uint64)[names.indices.to_numpy()]


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each number as one that looks drawn at random (the finaliser of splitmix64; Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, MIX[0]), (27, MIX[1])):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * factor
        return mixed ^ (mixed >> np.uint64(31))
