"""TensorBoard scalars, written without TensorFlow and without threads.

TensorBoard's own EventFileWriter goes through its file-system layer, which imports TensorFlow (7 s) where that is
installed, and flushes from a thread every two minutes, which a kill loses. Its record writer needs neither.
"""

import os
import time
from pathlib import Path
from typing import IO, Any

from lmgt_core.errors import UserError


class TensorBoardLog:
    """Appends scalars to a new event file in `folder`; every scalar has left the process when `scalar` returns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: IO[bytes] | None = None
        self._writer: Any = None

    def scalar(self, name: str, value: float, step: int) -> None:
        """Adds one point of the curve `name`; NaN is kept, TensorBoard marks it."""
        if self._file is None:
            self._open(step)
        _, event_pb2, summary_pb2 = _tensorboard()
        point = summary_pb2.Summary.Value(tag=name, simple_value=float(value))
        self._write(event_pb2.Event(wall_time=time.time(), step=step, summary=summary_pb2.Summary(value=[point])))

    def close(self) -> None:
        """Closes the event file; the next scalar starts another."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, step: int) -> None:
        record_writer, event_pb2, _ = _tensorboard()
        self.folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard sorts a folder's event files by name, so a resumed run's must come after the killed run's.
        stamp = f"{time.time():.6f}".rjust(18, "0")
        self._file = open(self.folder / f"events.out.tfevents.{stamp}.{os.getpid()}.lmgt", "xb")  # noqa: SIM115
        self._writer = record_writer.RecordWriter(self._file)
        self._write(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))
        # A START makes TensorBoard drop what an earlier, killed process wrote at this step or later.
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(event_pb2.Event(wall_time=time.time(), step=step, session_log=start))

    def _write(self, event: Any) -> None:
        assert self._file is not None  # opened by scalar
        self._writer.write(event.SerializeToString())
        self._file.flush()


def _tensorboard() -> tuple[Any, Any, Any]:
    """TensorBoard's record writer and its event and summary messages; UserError when the package is missing."""
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer import record_writer
    except ImportError as error:
        raise UserError(f"TensorBoard scalars need the package tensorboard ({error}); run `make setup`") from error
    return record_writer, event_pb2, summary_pb2
