"""A CSV table that only grows, survives being killed, and never holds a row twice."""

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np

from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic

Cell: TypeAlias = float | int | str | bool | None
MEASURED = "_seconds"  # ending of columns that hold wall-clock times: they differ from run to run and are not compared


class KeyedCsv:
    """An append-only CSV file whose first columns are its key (integers).

    Every row is on the disk (fsync) when `append` returns. A last line without its newline was never acknowledged: it
    is cut off on opening, and whoever resumes computes its row again. A row whose key is there already is compared with
    the written one, all columns but those named `*_seconds`; a difference is a UserError, equality writes nothing.
    """

    def __init__(self, path: Path, key: Sequence[str]) -> None:
        self.path = path
        self.key = tuple(key)
        self.columns: tuple[str, ...] = ()  # fixed by the header or the first row
        self._rows: dict[tuple[int, ...], list[str]] = {}
        self._file: IO[bytes] | None = None
        self._open_existing()

    def append(self, row: Mapping[str, Cell]) -> None:
        """Writes `row`, or compares it with the row of the same key.

        ValueError when its columns are not the table's, a float is not finite or a text holds a line break.
        """
        if self._file is None and not self._open_existing():
            self._create(row)
        if set(row) != set(self.columns):
            odd = sorted(set(row) ^ set(self.columns))
            raise ValueError(f"{self.path}: every row has the columns {list(self.columns)}; this one differs in {odd}")
        cells = [cell_text(name, row[name]) for name in self.columns]
        key = tuple(int(cells[self.columns.index(name)]) for name in self.key)
        if key in self._rows:
            self._compare(key, cells)
        else:
            self._write(cells)
            self._rows[key] = cells

    def close(self) -> None:
        """Lets go of the file, and of the lock that keeps a second writer out."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _create(self, row: Mapping[str, Cell]) -> None:
        if missing := [name for name in self.key if name not in row]:
            raise ValueError(f"{self.path}: a row needs the key columns {list(self.key)}; {missing} are missing")
        self.columns = (*self.key, *(name for name in row if name not in self.key))
        write_atomic(self.path, csv_line(self.columns))
        self._open()

    def _open_existing(self) -> bool:
        if self.path.exists():
            self._open()
        return self._file is not None

    def _open(self) -> None:
        self._file = open(self.path, "r+b")  # noqa: SIM115 - stays open between rows
        _lock(self._file, self.path)
        whole = _whole_lines(self._file.read())
        self._file.truncate(len(whole))
        self._file.seek(len(whole))
        header, rows = parse_csv(whole, self.path)
        if header[: len(self.key)] != self.key:
            raise UserError(f"{self.path}: its first columns are not {', '.join(self.key)}; move this file away")
        self.columns = header
        self._rows = {_key(cells, len(self.key), self.path): cells for cells in rows}

    def _write(self, cells: Sequence[str]) -> None:
        assert self._file is not None  # opened by append
        self._file.write(csv_line(cells).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def _compare(self, key: tuple[int, ...], cells: Sequence[str]) -> None:
        for name, before, now in zip(self.columns, self._rows[key], cells, strict=True):
            if before != now and not name.endswith(MEASURED):
                where = ", ".join(f"{column} {value}" for column, value in zip(self.key, key, strict=True))
                raise UserError(
                    f"{self.path}: {where} was recorded with {name} {before} and is now {now}: "
                    "code, packages or data changed since; start again with another --out"
                )


def read_table(path: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    """Header and rows of a KeyedCsv file as text, without a torn last line; UserError when it is damaged.

    Safe while another process appends.
    """
    return parse_csv(_whole_lines(path.read_bytes()), path)


def cell_text(name: str, value: Cell) -> str:
    """`value` as it stands in the file: floats so that they read back exactly, bools as 0 and 1, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise ValueError(f"column {name} is {value}: only finite numbers are recorded")
        return repr(float(value))
    text = str(value)
    if any(c in text for c in "\r\n\0"):
        raise ValueError(f"column {name} holds a line break: {text!r}")
    return text


def csv_line(cells: Sequence[str]) -> str:
    """One line of CSV with its newline."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def parse_csv(content: bytes, path: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    """Header and rows of a CSV file's `content`; UserError naming `path` and the line that does not fit the header."""
    try:
        lines = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV file ({error}); move it away") from None
    if not lines:
        raise UserError(f"{path}: has no header; move it away")
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(lines[0]):
            raise UserError(f"{path}: line {number} has {len(cells)} cells, not {len(lines[0])}; the file was damaged")
    return tuple(lines[0]), lines[1:]


def _whole_lines(content: bytes) -> bytes:
    return content[: content.rfind(b"\n") + 1]


def _key(cells: Sequence[str], length: int, path: Path) -> tuple[int, ...]:
    try:
        return tuple(int(cell) for cell in cells[:length])
    except ValueError:
        raise UserError(f"{path}: the key {cells[:length]} is not made of integers; the file was damaged") from None


def _lock(file: IO[bytes], path: Path) -> None:
    """Keeps a second writer out; the system frees the lock when the process ends, however it ends."""
    if os.name != "posix":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise UserError(f"{path}: another process is writing this run; wait for it or use another --out") from None
