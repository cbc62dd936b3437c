"""Limits a minute, waits and budgets, on a clock of the test's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.judges.openai.rate_limits import MINUTE, Backoff, Budget, Limits, MinuteLimit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def limit(units: int | None) -> tuple[MinuteLimit, Clock]:
    clock = Clock()
    return MinuteLimit(units, clock, clock.sleep), clock


def test_units_within_the_limit_wait_for_nothing() -> None:
    minute, _ = limit(10)
    assert [minute.take(u) for u in (4, 6)] == [0, 0]


def test_the_next_unit_waits_until_the_oldest_is_a_minute_old() -> None:
    minute, clock = limit(10)
    minute.take(4)
    clock.now += 20
    minute.take(6)
    assert minute.take(3) == 40  # then the 4 of the beginning are gone


def test_a_demand_above_the_limit_goes_alone() -> None:
    minute, _ = limit(10)
    assert minute.take(50) == 0
    assert minute.take(1) == MINUTE


def test_without_a_limit_nothing_waits() -> None:
    minute, _ = limit(None)
    assert sum(minute.take(10**6) for _ in range(100)) == 0


@given(st.lists(st.tuples(st.integers(1, 10), st.floats(0, 30)), min_size=1, max_size=30))
def test_no_minute_ever_holds_more_than_the_limit(demands: list[tuple[int, float]]) -> None:
    minute, clock = limit(10)
    taken: list[tuple[float, int]] = []
    for units, pause in demands:
        clock.now += pause
        minute.take(units)
        taken.append((clock.now, units))
    for at, _ in taken:
        assert sum(u for when, u in taken if at <= when < at + MINUTE - 1e-6) <= 10


def test_waits_double_up_to_the_longest() -> None:
    rng = np.random.default_rng(0)
    waits = [Backoff(1.0, 8.0).wait(tries, rng) for tries in range(1, 8)]
    for wait, base in zip(waits, [1, 2, 4, 8, 8, 8, 8], strict=True):
        assert 0.5 * base <= wait < 1.5 * base


@pytest.mark.parametrize(("asked", "least"), [(3.0, 3.0), (1e9, 16.0), (float("nan"), 0.5), (None, 0.5), (-4.0, 0.5)])
def test_a_server_gets_the_wait_that_it_asks_for_within_reason(asked: float | None, least: float) -> None:
    wait = Backoff(1.0, 8.0).wait(1, np.random.default_rng(0), asked)
    assert least <= wait <= 16.0


def test_a_budget_names_what_is_used_up() -> None:
    budget = Budget(Limits(tokens=10, dollars=0.5, seconds=3.0))
    assert budget.used_up() == ""
    budget.spend(dollars=0.5)
    assert budget.used_up() == "the budget of 0.5 dollars is used up"
    budget.spend(tokens=10)
    assert budget.used_up() == "the budget of 10 tokens is used up"


def test_a_budget_of_nothing_is_used_up_at_once() -> None:
    assert Budget(Limits(tokens=0)).used_up()
    assert not Budget(Limits()).used_up()
