"""Shift rules: golden values by hand, and what they promise."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.rules.make import RULES, make_rule
from lmgt_core.rules.shift import Centered, Continuous, Raw

GOOD, NEUTRAL, BAD = (Judgment(v) for v in (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD))
UNREADABLE = Judgment(Verdict.UNREADABLE, reason="x")
ABSTAINED = Judgment(Verdict.GOOD, (0.6, 0.3, 0.1)).abstain("unsure")
LIKELY = Judgment(Verdict.GOOD, (0.7, 0.2, 0.1))
SURELY_NEUTRAL = Judgment(Verdict.NEUTRAL, (0.0, 1.0, 0.0))
any_judgment = st.sampled_from([GOOD, NEUTRAL, BAD, UNREADABLE, ABSTAINED, LIKELY, None])


def test_raw_is_label_times_scale() -> None:
    delta = Raw(0.5).delta([GOOD, NEUTRAL, BAD, LIKELY])
    assert delta.dtype == np.float32
    assert delta.tolist() == [0.5, 0.0, -0.5, 0.5]


def test_continuous_is_the_expected_label_times_scale() -> None:
    delta = Continuous(2.0).delta([LIKELY, SURELY_NEUTRAL, BAD])
    np.testing.assert_allclose(delta, [1.2, 0.0, -2.0], rtol=1e-6)  # 2 * (.7 - .1); 0; no probabilities: the label


def test_centered_subtracts_the_mean_of_the_decisions_before() -> None:
    delta = Centered().delta([GOOD, GOOD, BAD, NEUTRAL])
    np.testing.assert_allclose(delta, [1 - 0, 1 - 1, -1 - 1, 0 - 1 / 3], rtol=1e-6)


def test_centered_scales_after_centering() -> None:
    np.testing.assert_allclose(Centered(0.1).delta([BAD, GOOD]), [-0.1, 0.2], rtol=1e-6)


def test_a_constant_judge_is_centered_away() -> None:
    rule = Centered()
    rule.delta([GOOD])
    assert rule.delta([GOOD] * 10).tolist() == [0.0] * 10


def test_what_was_not_said_does_not_count_into_the_mean() -> None:
    rule = Centered()
    rule.delta([GOOD, None, UNREADABLE, ABSTAINED])
    assert rule.state_dict() == {"count": 1, "total": 1.0}


@given(st.lists(any_judgment, max_size=20), st.integers(0, 20))
def test_centered_gives_a_batch_what_it_gives_its_parts(judgments: list[Judgment | None], cut: int) -> None:
    whole, parts = Centered(), Centered()
    together = whole.delta(judgments)
    apart = np.concatenate([parts.delta(judgments[:cut]), parts.delta(judgments[cut:])])
    np.testing.assert_array_equal(together, apart)


@pytest.mark.parametrize("name", RULES)
def test_nothing_unreadable_and_abstained_shift_by_exactly_0(name: str) -> None:
    rule = make_rule(name, 1.0, 10)
    rule.delta([GOOD, BAD, GOOD])  # centered has a mean by now
    assert rule.delta([None, UNREADABLE, ABSTAINED]).tobytes() == np.zeros(3, np.float32).tobytes()


@pytest.mark.parametrize("name", RULES)
def test_a_neutral_judge_shifts_by_exactly_0(name: str) -> None:
    assert make_rule(name, 0.3, 10).delta([SURELY_NEUTRAL] * 5).tobytes() == np.zeros(5, np.float32).tobytes()


@pytest.mark.parametrize("name", RULES)
def test_an_empty_batch_gives_an_empty_array(name: str) -> None:
    assert make_rule(name, 1.0, 10).delta([]).shape == (0,)


@given(st.sampled_from(RULES), st.lists(any_judgment, max_size=12), st.lists(any_judgment, max_size=12))
def test_a_rule_goes_on_from_its_saved_state(
    name: str, before: list[Judgment | None], after: list[Judgment | None]
) -> None:
    rule, resumed = make_rule(name, 1.0, 10), make_rule(name, 1.0, 10)
    rule.delta(before)
    resumed.load_state_dict(json.loads(json.dumps(rule.state_dict())))
    np.testing.assert_array_equal(rule.delta(after), resumed.delta(after))


@pytest.mark.parametrize("name", ["raw", "continuous", "centered"])
def test_plain_rules_weigh_1_for_ever(name: str) -> None:
    assert [make_rule(name, 1.0, 10).weight(t) for t in (0, 5, 10**6)] == [1.0, 1.0, 1.0]


def test_the_linear_weight_falls_from_1_to_0_and_stays() -> None:
    rule = make_rule("annealed", 1.0, 100)
    assert [rule.weight(t) for t in (0, 25, 50, 100, 200)] == [1.0, 0.75, 0.5, 0.0, 0.0]
    assert rule.name == "annealed:linear"


def test_the_linear_weight_ends_at_its_final_value() -> None:
    rule = make_rule("annealed:linear", 1.0, 1000, horizon=10, final=0.2)
    np.testing.assert_allclose([rule.weight(t) for t in (0, 5, 10, 999)], [1.0, 0.6, 0.2, 0.2])


def test_the_exponential_weight_is_final_at_the_horizon_and_goes_to_0() -> None:
    rule = make_rule("annealed:exponential", 1.0, 100)
    np.testing.assert_allclose([rule.weight(t) for t in (0, 50, 100, 200)], [1.0, 0.1, 0.01, 0.0001])


@given(st.sampled_from(["annealed:linear", "annealed:exponential"]), st.integers(0, 300))
def test_an_annealed_weight_never_rises(name: str, step: int) -> None:
    rule = make_rule(name, 1.0, 100)
    assert 0 <= rule.weight(step + 1) <= rule.weight(step) <= 1


def test_annealing_can_go_around_every_plain_rule() -> None:
    rule = make_rule("annealed:exponential:centered", 1.0, 10)
    assert rule.name == "annealed:exponential:centered"
    np.testing.assert_array_equal(rule.delta([GOOD, GOOD]), [1.0, 0.0])
    assert rule.state_dict() == {"inner": {"count": 2, "total": 2.0}}


@pytest.mark.parametrize("name", ["", "Raw", "potential:linear", "annealed:cosine", "annealed:linear:pies", "raw:x"])
def test_an_unknown_rule_is_answered_with_the_names_that_there_are(name: str) -> None:
    with pytest.raises(UserError, match="raw, continuous, centered, annealed:linear, annealed:exponential"):
        make_rule(name, 1.0, 10)


@pytest.mark.parametrize("scale", [-1.0, math.nan, math.inf])
def test_a_scale_that_is_no_size_is_refused(scale: float) -> None:
    with pytest.raises(UserError, match="--scale"):
        make_rule("raw", scale, 10)


@pytest.mark.parametrize(("final", "horizon"), [(-0.1, 10), (1.5, 10), (0.0, 10), (0.5, -1)])
def test_an_impossible_schedule_is_refused(final: float, horizon: int) -> None:
    with pytest.raises(UserError, match="--rule annealed:exponential"):
        make_rule("annealed:exponential", 1.0, 10, horizon=horizon, final=final)
