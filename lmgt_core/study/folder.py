"""The folder of one study: its plan, a result a cell, and claims that keep two processes off one cell.

    plan.json        what is studied; written first
    results/KEY.json settings, seed and metrics of a finished cell; whole or not there
    claims/KEY       locked by the process that runs the cell; the system frees the lock when that process ends, however
    report.html, summary.csv, cells.csv, figures/   written when every cell is there

Claims need a file system whose locks work between the processes that share it: a local disk, or NFS of version 4.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lmgt_core.errors import UserError
from lmgt_core.files import TEMPORARY, read_json, write_json_atomic
from lmgt_core.study.app import Result
from lmgt_core.study.plan import Cell, Plan

PLAN = "plan.json"


class StudyFolder:
    """Reads and writes one study's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, plan: Plan) -> "StudyFolder":
        """The folder of a new study, or the one that holds the same study; UserError when it holds something else."""
        if path.exists() and not path.is_dir():
            raise UserError(f"{path}: is a file; --out names a folder")
        if (path / PLAN).exists():
            _compare(path, read_json(path / PLAN), plan.as_dict())
            return cls(path)
        foreign = sorted(p.name for p in path.iterdir() if not p.name.endswith(TEMPORARY)) if path.exists() else []
        if foreign and not (path / PLAN).exists():  # another process may just have begun the same study
            raise UserError(f"{path}: holds {foreign[0]} but no study (no {PLAN}); name a new folder with --out")
        write_json_atomic(path / PLAN, plan.as_dict())
        return cls(path)

    def result(self, cell: Cell) -> dict[str, Any] | None:
        """The finished cell's metrics, or None."""
        path = self._result(cell)
        if not path.exists():
            return None
        metrics: dict[str, Any] = read_json(path)["metrics"]
        return metrics

    def is_done(self, cell: Cell) -> bool:
        """Whether the cell has a result."""
        return self._result(cell).exists()

    def finish(self, cell: Cell, metrics: Result) -> None:
        """Writes a cell's result."""
        write_json_atomic(self._result(cell), {"settings": cell.settings, "seed": cell.seed, "metrics": metrics})

    @contextmanager
    def claim(self, cell: Cell) -> Iterator[bool]:
        """Whether this process may run the cell: it is not finished, and nobody else is at it."""
        (self.path / "claims").mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path / "claims" / cell.key, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield not self.is_done(cell)  # it may have been finished between a look and the lock
        finally:
            os.close(handle)  # which frees the lock; the file stays, as removing it would race with another claim

    def _result(self, cell: Cell) -> Path:
        return self.path / "results" / f"{cell.key}.json"


def _compare(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in now:
        if before.get(name) != now[name]:
            raise UserError(
                f"{path}: holds another study ({name} is {_short(before.get(name))} there and {_short(now[name])} "
                "here); name another folder with --out"
            )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
