"""Demands at the rate of play: by hand, and the promise with rates that were counted or estimated."""

import numpy as np
import pytest
from scipy.stats import binom

from lmgt_core.audit.demands import parse_demands
from lmgt_core.audit.play_rates import Confusion, PlayRates, confusion, demands_on_probes, rate_bounds
from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Verdict

GOOD, NEUTRAL, BAD = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD
EVEN = {GOOD: 0.5, NEUTRAL: 0.0, BAD: 0.5}


def heard(true: int = 90, false: int = 10, n: int = 100) -> Confusion:
    """What was said to n good and n bad probes: good to `true` and `false` of them."""
    counts = {
        GOOD: {GOOD: true, NEUTRAL: 0, BAD: false},
        NEUTRAL: {GOOD: 0, NEUTRAL: 0, BAD: 0},
        BAD: {GOOD: n - true, NEUTRAL: 0, BAD: n - false},
    }
    return Confusion(counts, {GOOD: n, NEUTRAL: 0, BAD: n})


def test_without_rates_the_demand_is_that_on_the_probes() -> None:
    assert demands_on_probes({GOOD: 0.75}, None, EVEN, heard(), 0.1) == ({GOOD: 0.75}, 0.1)


def test_where_one_in_ten_is_good_a_good_must_be_27_times_as_often_right_as_wrong() -> None:
    rates = PlayRates.known({GOOD: 0.1, BAD: 0.9})
    demands, delta = demands_on_probes({GOOD: 0.75, BAD: 0.75}, rates, EVEN, heard(), 0.1)
    assert demands == {GOOD: pytest.approx(27 / 28), BAD: 0.75} and delta == 0.1


def test_with_three_labels_the_weight_of_the_commonest_wrong_one_counts() -> None:
    third = dict.fromkeys((GOOD, NEUTRAL, BAD), 1 / 3)
    whole = Confusion(heard().counts, dict.fromkeys((GOOD, NEUTRAL, BAD), 100))
    rates = PlayRates.known({GOOD: 0.2, NEUTRAL: 0.6, BAD: 0.2})
    demands, _ = demands_on_probes({GOOD: 0.75}, rates, third, whole, 0.1)
    assert demands[GOOD] == pytest.approx(9 / 10)  # odds 3 times .6 / .2


def test_counted_rates_cost_certainty_and_approach_the_known_ones() -> None:
    few, left = demands_on_probes({GOOD: 0.75}, PlayRates.counted({GOOD: 10, BAD: 90}), EVEN, heard(), 0.1)
    many, _ = demands_on_probes({GOOD: 0.75}, PlayRates.counted({GOOD: 10_000, BAD: 90_000}), EVEN, heard(), 0.1)
    assert left == pytest.approx(0.08)
    assert few[GOOD] > many[GOOD] > 27 / 28 and many[GOOD] == pytest.approx(27 / 28, abs=0.002)


def test_what_the_judge_says_in_play_and_on_probes_gives_the_rate_of_a_label() -> None:
    said = PlayRates.unlabelled({GOOD: 170_000, BAD: 830_000}, 1_000_000)  # .9 * .0875 + .1 * .9125 = .17
    low, high = rate_bounds(GOOD, said, heard(90_000, 10_000, 100_000), 0.02)
    assert low == pytest.approx(0.0875, abs=0.005) and low < 0.0875 and high[BAD] == 1 - low
    assert rate_bounds(GOOD, said, heard(50, 50), 0.02)[0] == 0  # who says the same to all labels tells nothing
    demands, _ = demands_on_probes({GOOD: 0.75}, said, EVEN, heard(50, 50), 0.1)
    assert demands[GOOD] == 1.0


@pytest.mark.parametrize("good", [0.1, 0.5])
def test_bounds_of_rates_hold_as_often_as_they_say(good: float) -> None:
    rng, missed = np.random.default_rng(0), {"counted": 0, "unlabelled": 0}
    for _ in range(400):
        labels = int(rng.binomial(200, good))
        said = int(rng.binomial(1000, good * 0.8 + (1 - good) * 0.1))
        probes = heard(int(rng.binomial(100, 0.8)), int(rng.binomial(100, 0.1)))
        missed["counted"] += (
            rate_bounds(GOOD, PlayRates.counted({GOOD: labels, BAD: 200 - labels}), probes, 0.1)[0] > good
        )
        missed["unlabelled"] += rate_bounds(GOOD, PlayRates.unlabelled({GOOD: said}, 1000), probes, 0.1)[0] > good
    assert max(missed.values()) <= binom.ppf(0.999, 400, 0.1)
    assert missed["counted"] > 0


def test_verdicts_and_labels_are_counted() -> None:
    said, label = np.array(["good", "good", "", "bad"]), np.array(["good", "bad", "bad", "bad"])
    counted = confusion(said, label)
    assert counted.counts[GOOD] == {GOOD: 1, NEUTRAL: 0, BAD: 1} and counted.totals == {GOOD: 1, NEUTRAL: 0, BAD: 3}


def test_impossible_rates_are_refused() -> None:
    for make in (
        lambda: PlayRates.known({GOOD: 0.5, BAD: 0.6}),
        lambda: PlayRates.counted({GOOD: 0}),
        lambda: PlayRates.unlabelled({GOOD: 5}, 4),
        lambda: demands_on_probes({GOOD: 0.7}, PlayRates.known({GOOD: 0.5, NEUTRAL: 0.5}), EVEN, heard(), 0.1),
    ):
        with pytest.raises(UserError, match="rates of play"):
            make()


def test_a_good_needs_to_be_right_as_often_as_wrong_in_play_and_three_times_in_four_on_even_probes() -> None:
    assert parse_demands("auto") == {GOOD: 0.75, NEUTRAL: 0.75, BAD: 0.75}
    assert parse_demands("auto", in_play=True) == {GOOD: 0.5, NEUTRAL: 0.75, BAD: 0.75}
    assert parse_demands(0.75, in_play=True) == {GOOD: 0.75, NEUTRAL: 0.75, BAD: 0.75}


def test_demands_are_one_number_or_one_for_each_verdict() -> None:
    assert parse_demands(0.7) == parse_demands("0.7") == {GOOD: 0.7, NEUTRAL: 0.7, BAD: 0.7}
    assert parse_demands("good=.8, bad=.7") == parse_demands({GOOD: 0.8, BAD: 0.7}) == {GOOD: 0.8, BAD: 0.7}
