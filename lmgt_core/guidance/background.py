"""Judging in the background: the world steps on, and shifts are asked for when a learner needs them."""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.guidance.return_alarm import ShiftLedger
from lmgt_core.guidance.shift_source import JudgeStats, RewardShifter, Tickets
from lmgt_core.rules.shift import ShiftRule

Decisions = tuple[list[Any], list[Any], list[Any]]  # observations, actions, outcomes


class BackgroundShifts:
    """A source whose judge answers in a thread of its own, in the order of the decisions, all that wait in one batch.

    So a rule with a running mean gives what it would give in step. An error of the judge comes up in the next call.
    `make_shifter` runs in the thread, because an SQLite cache belongs to the thread that opened it.
    """

    def __init__(self, make_shifter: Callable[[], RewardShifter]) -> None:
        self._waiting: queue.SimpleQueue[Decisions | None] = queue.SimpleQueue()
        self._progress = threading.Condition()
        self._shifts: dict[int, np.float32] = {}  # by ticket, until it is resolved
        self._error: BaseException | None = None
        self._shifter: RewardShifter | None = None
        self.decisions = self.step = 0
        self._judged = 0  # decisions
        self._thread = threading.Thread(target=self._work, args=(make_shifter,), name="judge", daemon=True)
        self._thread.start()
        self._ready()

    def submit(self, observations: Sequence[Any], actions: Sequence[Any], outcomes: Sequence[Any] = ()) -> Tickets:
        """[decision] tickets, at once; the decisions are copied, since the caller's arrays live on."""
        self._raise()
        tickets = np.arange(self.decisions, self.decisions + len(actions))
        if len(actions):
            self.step = self.decisions
            self.decisions += len(actions)
            told = list(outcomes) if len(outcomes) else [None] * len(actions)
            self._waiting.put((deepcopy(list(observations)), deepcopy(list(actions)), deepcopy(told)))
        return tickets

    def resolve(self, tickets: Tickets) -> NDArray[np.float32]:
        """[ticket] the shifts, once they are known."""
        needed = int(tickets.max(initial=-1))
        with self._progress:
            self._progress.wait_for(lambda: self._error is not None or self._judged > needed)
            self._raise()
            return np.array([self._shifts.pop(ticket) for ticket in tickets.tolist()], dtype=np.float32)

    @property
    def rule(self) -> ShiftRule:
        return self._ready().rule

    @property
    def stats(self) -> JudgeStats:
        """How often the judge was heard so far."""
        return self._ready().stats

    @property
    def watched(self) -> dict[str, Any] | None:
        """What was found while watching the judge so far; None where nobody does."""
        return self._ready().watched

    @property
    def ledger(self) -> ShiftLedger | None:
        """What shifts have added to the reward so far; None where nobody keeps it."""
        return self._ready().ledger

    @property
    def weight(self) -> float:
        """w_t of the decisions submitted last."""
        return self.rule.weight(self.step)

    def close(self) -> None:
        """Waits until everything is judged, and ends the thread."""
        self._waiting.put(None)
        self._thread.join()
        self._raise()

    def state_dict(self) -> dict[str, Any]:
        """What the source in step would keep after the same decisions, once all of them are judged."""
        with self._progress:
            self._progress.wait_for(lambda: self._error is not None or self._judged >= self.decisions)
        self._raise()
        return self._ready().state_dict() | {"decisions": self.decisions, "step": self.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        shifter = self._ready()
        shifter.load_state_dict(state)
        self.decisions = self._judged = shifter.decisions
        self.step = shifter.step
        self._shifts.clear()

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
                delta = shifter(*decisions, first=self._judged).delta
                with self._progress:
                    tickets = range(self._judged, self._judged + len(delta))
                    self._shifts.update(zip(tickets, delta, strict=True))
                    self._judged += len(delta)
                    self._progress.notify_all()
            shifter.close()
        except BaseException as error:  # it has to reach the thread that waits
            with self._progress:
                self._error = error
                self._progress.notify_all()

    def _drain(self) -> Decisions | None:
        """Everything that waits, as one batch; None after `close`."""
        first = self._waiting.get()
        if first is None:
            return None
        while not self._waiting.empty():
            more = self._waiting.get()
            if more is None:
                self._waiting.put(None)
                break
            for whole, part in zip(first, more, strict=True):
                whole += part
        return first
