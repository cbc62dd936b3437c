"""What a server may be asked, and how much it may cost: limits a minute, waits between tries, a total budget.

Clock and sleep are handed in, so tests wait for nothing. Everything here is safe to use from many threads.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MINUTE = 60.0  # seconds


class MinuteLimit:
    """At most `limit` units (requests, tokens) in any 60 seconds; None for as many as one likes.

    A single demand above the limit is let through when nothing else was in the last minute: it could never be met.
    """

    def __init__(
        self,
        limit: int | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.limit = limit
        self._clock, self._sleep = clock, sleep
        self._taken: deque[tuple[float, int]] = deque()  # (when, units)
        self._lock = threading.Lock()

    def take(self, units: int) -> float:
        """Waits until `units` more fit into the last minute and takes them; the seconds waited."""
        waited = 0.0
        while self.limit is not None:
            with self._lock:
                wait = self._wait(units)
                if wait <= 0:
                    self._taken.append((self._clock(), units))
                    break
            self._sleep(wait)
            waited += wait
        return waited

    def _wait(self, units: int) -> float:
        """Seconds until enough of the last minute has passed; 0 when `units` fit now."""
        assert self.limit is not None
        now = self._clock()
        while self._taken and self._taken[0][0] <= now - MINUTE:
            self._taken.popleft()
        excess = sum(u for _, u in self._taken) + units - self.limit
        for when, taken in self._taken:
            if excess <= 0:
                break
            excess -= taken
            if excess <= 0:
                return when + MINUTE - now
        # What is left of the excess no waiting can cure: such a demand goes when the window is empty.
        return self._taken[-1][0] + MINUTE - now if excess > 0 and self._taken else 0.0


@dataclass(frozen=True)
class Backoff:
    """Waits between tries: first * 2^try seconds, at most `longest`, times a factor drawn from [0.5, 1.5)."""

    first: float = 0.5
    longest: float = 30.0

    def wait(self, tries: int, rng: np.random.Generator, asked: float | None = None) -> float:
        """Seconds to wait after `tries` failures, 1 or more; a server that `asked` for more gets it, up to twice
        `longest`."""
        jitter = 0.5 + float(rng.random())
        own = min(self.first * 2.0 ** (min(tries, 30) - 1), self.longest) * jitter
        wanted = asked if asked is not None and math.isfinite(asked) else 0.0
        return max(own, min(wanted, 2 * self.longest))


@dataclass(frozen=True)
class Limits:
    """A total budget; None for what is not limited. Seconds are spent waiting for the judge, on the wall clock."""

    tokens: int | None = None
    dollars: float | None = None
    seconds: float | None = None


class Budget:
    """What was spent of a total."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.tokens = 0
        self.dollars = 0.0
        self.seconds = 0.0
        self._lock = threading.Lock()

    def spend(self, tokens: int = 0, dollars: float = 0.0, seconds: float = 0.0) -> None:
        """Adds to what was spent."""
        with self._lock:
            self.tokens += tokens
            self.dollars += dollars
            self.seconds += seconds

    def used_up(self) -> str:
        """Which budget is used up, in words; "" while there is some of each left."""
        spent = {
            "tokens": (self.tokens, self.limits.tokens),
            "dollars": (self.dollars, self.limits.dollars),
            "seconds": (self.seconds, self.limits.seconds),
        }
        for unit, (used, limit) in spent.items():
            if limit is not None and used >= limit:
                return f"the budget of {limit:g} {unit} is used up"
        return ""
