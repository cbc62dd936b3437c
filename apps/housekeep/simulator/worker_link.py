"""The parent's end of a worker: starts the process, calls it, and says what happened when it dies or hangs."""

import contextlib
import mmap
import os
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.housekeep.simulator.worker import PROTOCOL, frame_views, memory_bytes, receive, send
from lmgt_core.errors import UserError

WORKER = Path(__file__).with_name("worker.py")
LINES_KEPT = 12
LONGEST_LINE = 300  # characters
GOING_SECONDS = 5.0  # that a worker has to end by itself
ERRORS = {"user": UserError, "value": ValueError, "runtime": RuntimeError}


class WorkerError(RuntimeError):
    """The worker died, hung, or failed inside: one line about what happened, then its last lines."""


class WorkerLink:
    """A running worker that serves `world` ("module:function") made with `options`; `size` is (height, width).

    UserError when the interpreter cannot be run, speaks another protocol, or its world cannot be made; WorkerError
    when it dies on the way. The worker ends with this object, and with this process whatever becomes of it.
    """

    def __init__(
        self,
        world: str,
        options: Mapping[str, Any],
        size: tuple[int, int],
        python: Path | str | None = None,
        start_seconds: float = 300.0,
        worker: Path = WORKER,
    ) -> None:
        self.python = str(python or sys.executable)
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        shared = memory_file(memory_bytes(size))
        ours, theirs = socket.socketpair()
        lifeline, held = os.pipe()
        self._ours = ours
        try:
            self.process = self._started([theirs.fileno(), shared, lifeline], worker)
            self.views = frame_views(mmap.mmap(shared, memory_bytes(size)), size)
        except BaseException:
            ours.close()
            os.close(held)
            raise
        finally:
            theirs.close()
            os.close(shared)
            os.close(lifeline)
        self._end = weakref.finalize(self, end, self.process, ours, held)
        self._reader = threading.Thread(target=keep_lines, args=(self.process.stdout, self._lines), daemon=True)
        self._reader.start()
        self._greet(world, options, size, start_seconds)

    def _started(self, descriptors: list[int], worker: Path) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                [self.python, "-u", str(worker), *map(str, descriptors)],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment(self.python),
            )
        except OSError as error:
            raise UserError(f"--habitat-python {self.python}: cannot be run ({error.strerror or error})") from None

    def _greet(self, world: str, options: Mapping[str, Any], size: tuple[int, int], seconds: float) -> None:
        hello = {"protocol": PROTOCOL, "world": world, "options": dict(options), "size": list(size)}
        try:
            answer = self._exchange(hello, seconds, "start")
            if answer.get("protocol") != PROTOCOL or answer.get("error", {}).get("kind") == "protocol":
                raise UserError(
                    f"{self.python}: the worker speaks protocol {answer.get('protocol')}, this program protocol "
                    f"{PROTOCOL}; use the worker.py that belongs to this version"
                )
            self._raised(answer)
        except BaseException:
            self.close()
            raise

    def call(self, name: str, *arguments: Any, seconds: float) -> dict[str, Any]:
        """The answer to one request: {"value": ..., "state": ...}; raises what the world raised.

        WorkerError when the worker died, or gave no answer for `seconds` (it is killed then).
        """
        return self._raised(self._exchange({"call": name, "arguments": arguments}, seconds, name))

    def _exchange(self, message: dict[str, Any], seconds: float, what: str) -> dict[str, Any]:
        try:
            self._ours.settimeout(seconds)
            send(self._ours, message)
            answer = receive(self._ours)
        except TimeoutError:
            self.process.kill()
            raise WorkerError(self._told(f"hung: no answer to {what!r} for {seconds:g} s; it was killed")) from None
        except OSError as error:
            raise WorkerError(self._told(f"died during {what!r} ({error.strerror or error})")) from None
        if answer is None:
            raise WorkerError(self._told(f"died during {what!r}"))
        return answer

    def _raised(self, answer: dict[str, Any]) -> dict[str, Any]:
        error = answer.get("error")
        if error is None:
            return answer
        if error["kind"] in ERRORS:
            raise ERRORS[error["kind"]](error["text"])
        raise WorkerError(f"the simulator's worker ({self.python}) failed inside:\n{error['text'].strip()}")

    def _told(self, what: str) -> str:
        """What happened, how the process ended, and its last lines."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        self._reader.join(1.0)
        code = self.process.poll()
        ended = "" if code is None else f" (exit code {code})" if code >= 0 else f" (signal {-code})"
        lines = "".join(f"\n    {line}" for line in self._lines) or "\n    (it wrote nothing)"
        return f"the simulator's worker ({self.python}) {what}{ended}; its last lines:{lines}"

    def close(self) -> None:
        """Ends the worker."""
        self._end()


def memory_file(size: int) -> int:
    """A descriptor of `size` bytes of shared memory without a name, so that nothing is left behind by any death."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("lmgt-frame")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def environment(python: str) -> dict[str, str]:
    """The worker's environment: our module path for our own interpreter, nobody's for another."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    if os.path.abspath(python) == os.path.abspath(sys.executable):
        return inherited | {"PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)}
    return inherited


def keep_lines(stream: Any, lines: "deque[str]") -> None:
    """Reads the worker's output to its end, so that it never blocks, and keeps the last lines."""
    for line in stream:
        lines.append(line.decode(errors="replace").rstrip()[:LONGEST_LINE])


def end(process: "subprocess.Popen[bytes]", connection: socket.socket, lifeline: int) -> None:
    """Closes the connection, waits for the worker to go, and kills it if it does not."""
    connection.close()
    try:
        process.wait(GOING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    os.close(lifeline)
    if process.stdout is not None:
        with contextlib.suppress(OSError):
            process.stdout.close()
