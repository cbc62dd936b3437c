"""How far a long command has come: a bar on a terminal, a line now and then in a log."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_EVERY = 30.0  # seconds between two lines in a log


class ProgressBar(Protocol):
    """What a long loop tells its watcher."""

    def advance(self, amount: int = 1) -> None:
        """`amount` more is done."""
        ...


@contextmanager
def progress(what: str, total: int) -> Iterator[ProgressBar]:
    """A bar over `total` of `what` ("decisions") on standard error; lines instead where that is no terminal, or in CI.

    Standard output stays free for results. Leaving the block early leaves the bar where it is.
    """
    if sys.stderr.isatty() and not os.environ.get("CI"):
        with _rich_bar(what, total) as bar:
            yield bar
    else:
        lines = ProgressLines(what, total)
        try:
            yield lines
        finally:
            lines.finish()


class ProgressLines:
    """A line on standard error at most every `every` seconds, and one at the end."""

    def __init__(
        self,
        what: str,
        total: int,
        every: float = LINE_EVERY,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], None] | None = None,
    ) -> None:
        self.what, self.total, self.every = what, total, every
        self.done = 0
        self._clock = clock
        self._write = _to_stderr if write is None else write
        self._begun = self._last = clock()

    def advance(self, amount: int = 1) -> None:
        """Counts `amount`, and writes a line when the last one is old enough."""
        self.done += amount
        if self._clock() - self._last >= self.every:
            self._last = self._clock()
            self._write(self._line())

    def finish(self) -> None:
        """Writes the last line."""
        self._write(self._line())

    def _line(self) -> str:
        seconds = self._clock() - self._begun
        line = f"{self.what}: {self.done:,} of {self.total:,} in {duration(seconds)}"
        if 0 < self.done < self.total:
            line += f", about {duration(seconds * (self.total - self.done) / self.done)} left"
        return line


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _RichBar:
    def __init__(self, tick: Callable[[int], None]) -> None:
        self._tick = tick

    def advance(self, amount: int = 1) -> None:
        self._tick(amount)


@contextmanager
def _rich_bar(what: str, total: int) -> Iterator[ProgressBar]:
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TextColumn("left"),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(what, total=total)
        yield _RichBar(lambda amount: bars.advance(task, amount))
