"""A CSV table that only grows, survives being killed, and never holds a row twice."""

import csv
import io
import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np

from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic

Cell: TypeAlias = float | int | str | bool | None
MEASURED = "_seconds"  # ending of columns that hold wall-clock times: they differ from run to run and are not compared


class KeyedCsv:
    """An append-only CSV file whose first columns are its key (integers).

    Every row is on the disk (fsync) when `append` or `extend` returns. A last line without its newline was never
    acknowledged: it is cut off on opening, and whoever resumes computes its row again. A row whose key is there already
    is compared with the written one, all columns but those named `*_seconds`; a difference is a UserError, equality
    writes nothing. A column that a row leaves out, or has as None, is an empty cell; a new column widens the table,
    atomically.
    """

    def __init__(self, path: Path, key: Sequence[str]) -> None:
        self.path = path
        self.key = tuple(key)
        self.columns: tuple[str, ...] = ()  # empty until there is a file
        self._rows: dict[tuple[int, ...], list[str]] = {}
        self._file: IO[bytes] | None = None
        self._open_existing()

    def append(self, row: Mapping[str, Cell]) -> None:
        """Writes `row`, or compares it with the row of the same key.

        ValueError when a key column is missing, a float is not finite or a text holds a line break.
        """
        self.extend([row])

    def extend(self, rows: Iterable[Mapping[str, Cell]]) -> None:
        """The same as appending `rows` one by one, with a single wait for the disk; an error writes none of them.

        A kill in between can leave the first of them, whole: whoever resumes computes and compares those again.
        """
        texts = [self._texts(row) for row in rows]
        if not texts:
            return
        if self._file is None:
            self._open_existing()
        self._widen_for(texts)
        new: dict[tuple[int, ...], list[str]] = {}
        for row in texts:
            key, cells = tuple(int(row[name]) for name in self.key), [row.get(name, "") for name in self.columns]
            before = self._rows.get(key) or new.get(key)
            if before is None:
                new[key] = cells
            else:
                self._compare(key, before, cells)
        self._write(new.values())
        self._rows |= new

    def close(self) -> None:
        """Lets go of the file, and of the lock that keeps a second writer out."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _texts(self, row: Mapping[str, Cell]) -> dict[str, str]:
        """The cells of a row by column; ValueError where it cannot be recorded."""
        if missing := [name for name in self.key if name not in row]:
            raise ValueError(f"{self.path}: a row needs the key columns {list(self.key)}; {missing} are missing")
        return {name: cell_text(name, value) for name, value in row.items()}

    def _widen_for(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Makes room for columns that these rows bring; all of a table's first row are, later ones that hold a text."""
        columns = self.columns
        for row in rows:
            new = [name for name, text in row.items() if name not in columns and (text or not columns)]
            columns = (*(columns or self.key), *(name for name in new if name not in self.key))
        if columns != self.columns:
            self._widen(columns)

    def _widen(self, columns: Sequence[str]) -> None:
        """Gives the table these columns (a new file: its first ones), which begin with those it has."""
        lines = [cells + [""] * (len(columns) - len(cells)) for cells in self._rows.values()]
        self.close()
        write_atomic(self.path, "".join(map(csv_line, [columns, *lines])))
        self._open()

    def _open_existing(self) -> None:
        if self.path.exists():
            self._open()

    def _open(self) -> None:
        self._file = open(self.path, "r+b")  # noqa: SIM115 - stays open between rows
        _lock(self._file, self.path)
        whole = _whole_lines(self._file.read())
        self._file.truncate(len(whole))
        self._file.seek(len(whole))
        self.columns, rows = parse_csv(whole, self.path)
        self._rows = dict(zip(_keys(self.columns, rows, self.key, self.path), rows, strict=True))

    def _write(self, lines: Collection[Sequence[str]]) -> None:
        if not lines:
            return
        assert self._file is not None  # opened by extend
        self._file.write("".join(map(csv_line, lines)).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def _compare(self, key: tuple[int, ...], recorded: Sequence[str], cells: Sequence[str]) -> None:
        for name, before, now in zip(self.columns, recorded, cells, strict=True):
            if before != now and not name.endswith(MEASURED):
                where = ", ".join(f"{column} {value}" for column, value in zip(self.key, key, strict=True))
                raise UserError(
                    f"{self.path}: {where} was recorded with {name} {before} and is now {now}: "
                    "code, packages or data changed since; start again with another --out"
                )


def read_table(path: Path, key: Sequence[str]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Header and rows of a KeyedCsv file as text, without a torn last line; UserError when it is damaged.

    Safe while another process appends.
    """
    header, rows = parse_csv(_whole_lines(path.read_bytes()), path)
    _keys(header, rows, key, path)
    return header, rows


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


def _keys(
    header: Sequence[str], rows: Sequence[Sequence[str]], key: Sequence[str], path: Path
) -> list[tuple[int, ...]]:
    if tuple(header[: len(key)]) != tuple(key):
        raise UserError(f"{path}: its first columns are not {', '.join(key)}; move this file away")
    try:
        return [tuple(int(cell) for cell in cells[: len(key)]) for cells in rows]
    except ValueError as error:
        raise UserError(f"{path}: a key is no integer ({error}); the file was damaged") from None


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
