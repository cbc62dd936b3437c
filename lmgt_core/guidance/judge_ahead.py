"""Judging in the background: the environment steps on, and shifts are asked for when a learner needs them."""

import queue
import threading
from array import array
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.guidance.shifter import JudgeStats, RewardShifter, Shifts

Decisions = tuple[list[Any], list[Any]]  # observations, actions


class JudgeAhead:
    """Stands where a `RewardShifter` stands, shifts by 0 at once, and has a thread find out the true shifts.

    Decisions are judged in their order, all that wait in one batch, so a rule with a running mean gives what it would
    give in step. `take` is the tickets of the last decisions; `resolve` waits for their shifts. An error of the judge
    comes up in the next call. `make_shifter` runs in the thread: an SQLite cache belongs to the thread that opened it.
    """

    def __init__(self, make_shifter: Callable[[], RewardShifter]) -> None:
        self._waiting: queue.SimpleQueue[Decisions | None] = queue.SimpleQueue()
        self._progress = threading.Condition()
        self._shifts = array("f")  # by ticket
        self._error: BaseException | None = None
        self._shifter: RewardShifter | None = None
        self._next = 0
        self._last: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._thread = threading.Thread(target=self._work, args=(make_shifter,), name="judge-ahead", daemon=True)
        self._thread.start()
        self._ready()

    def __call__(self, observations: Sequence[Any], actions: Sequence[Any]) -> Shifts:
        """Shifts of 0 for now; hands the decisions to the thread."""
        self._raise()
        n = len(observations)
        self._last = np.arange(self._next, self._next + n)
        self._next += n
        self._waiting.put((deepcopy(list(observations)), deepcopy(list(actions))))  # the caller's arrays live on
        return Shifts(np.zeros(n, dtype=np.float32), [None] * n, [None] * n)

    def take(self) -> NDArray[np.int64]:
        """[decision] the tickets of the last call's decisions."""
        return self._last

    def resolve(self, tickets: NDArray[np.int64]) -> NDArray[np.float32]:
        """[ticket] the shifts, once they are known."""
        needed = int(tickets.max(initial=-1))
        with self._progress:
            self._progress.wait_for(lambda: self._error is not None or len(self._shifts) > needed)
            self._raise()
            return np.array([self._shifts[t] for t in tickets.tolist()], dtype=np.float32)

    def weight(self, step: int) -> float:
        """The rule's w_t at step t of training."""
        return self._ready().weight(step)

    @property
    def stats(self) -> JudgeStats:
        """How often the judge was heard so far."""
        return self._ready().stats

    def close(self) -> None:
        """Waits until everything is judged, and ends the thread."""
        self._waiting.put(None)
        self._thread.join()
        self._raise()

    def _ready(self) -> RewardShifter:
        with self._progress:
            self._progress.wait_for(lambda: self._shifter is not None or self._error is not None)
        self._raise()
        assert self._shifter is not None
        return self._shifter

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self, make_shifter: Callable[[], RewardShifter]) -> None:
        try:
            shifter = make_shifter()
            with self._progress:
                self._shifter = shifter
                self._progress.notify_all()
            while (decisions := self._drain()) is not None:
                delta = shifter(*decisions).delta
                with self._progress:
                    self._shifts.extend(delta.tolist())
                    self._progress.notify_all()
        except BaseException as error:  # it has to reach the thread that waits
            with self._progress:
                self._error = error
                self._progress.notify_all()

    def _drain(self) -> Decisions | None:
        """Everything that waits, as one batch; None after `close`."""
        first = self._waiting.get()
        if first is None:
            return None
        observations, actions = first
        while not self._waiting.empty():
            more = self._waiting.get()
            if more is None:
                self._waiting.put(None)
                break
            observations += more[0]
            actions += more[1]
        return observations, actions
