import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.judges.score_thresholds import Calibration, fit_calibration


def sample(rng, thresholds: dict[str, float], temperature: float, n: int = 4000):
    """Scores in [-1, 1], their groups, and answers drawn from a known calibration."""
    groups = rng.choice(list(thresholds), n).tolist()
    scores = rng.uniform(-1, 1, n)
    yes = rng.random(n) < Calibration(0.0, temperature, thresholds).probability(scores, groups)
    return scores, groups, yes


def test_a_score_at_its_threshold_is_even_and_a_temperature_above_is_e_to_one():
    calibration = Calibration(0.3, 0.1, {"kitchen": 0.5})
    probabilities = calibration.probability(np.array([0.3, 0.5, 0.4]), ["garage", "kitchen", ""])
    np.testing.assert_allclose(probabilities, [0.5, 0.5, np.e / (1 + np.e)])


def test_a_temperature_must_be_positive():
    with pytest.raises(ValueError, match="temperature"):
        Calibration(0.0, 0.0)


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_a_higher_score_is_never_less_likely(a, b):
    low, high = Calibration(0.1, 0.05).probability(np.array(sorted((a, b))), ["", ""])
    assert 0 <= low <= high <= 1


def test_the_fit_finds_the_thresholds_and_temperature_that_made_the_answers():
    scores, groups, yes = sample(np.random.default_rng(0), {"a": -0.2, "b": 0.2}, 0.2, 20_000)
    fitted = fit_calibration(scores, groups, yes, base_rate=float(yes.mean()), penalty=0.0)
    assert fitted.temperature == pytest.approx(0.2, abs=0.02)
    assert fitted.groups["a"] == pytest.approx(-0.2, abs=0.03)
    assert fitted.groups["b"] == pytest.approx(0.2, abs=0.03)


def test_the_base_rate_moves_the_threshold():
    scores, groups, yes = sample(np.random.default_rng(0), {"": 0.5}, 0.2)
    rare, even = (fit_calibration(scores, groups, yes, base_rate) for base_rate in (0.1, 0.5))
    assert rare.threshold > even.threshold + 0.1
    weights = np.where(yes, 0.5 / yes.mean(), 0.5 / (1 - yes.mean()))
    # a logistic regression with an intercept predicts the base rate on average
    assert np.average(even.probability(scores, groups), weights=weights) == pytest.approx(0.5, abs=0.01)


def test_a_penalty_pulls_a_small_group_to_the_others():
    scores, groups, yes = sample(np.random.default_rng(0), {"a": 0.0}, 0.2)
    scores, groups, yes = np.append(scores, [0.9] * 3), [*groups, "b", "b", "b"], np.append(yes, [False] * 3)
    free, pulled = (fit_calibration(scores, groups, yes, penalty=penalty) for penalty in (1e-9, 1e-1))
    assert free.groups["b"] > 0.9
    assert abs(pulled.groups["b"] - pulled.groups["a"]) < 0.1


def test_one_group_needs_no_threshold_of_its_own():
    scores, groups, yes = sample(np.random.default_rng(0), {"only": 0.1}, 0.2)
    assert fit_calibration(scores, groups, yes).groups == {}


@pytest.mark.parametrize("answer", [True, False])
def test_answers_that_are_all_alike_cannot_be_fitted(answer):
    with pytest.raises(ValueError, match="answer yes and questions with the answer no"):
        fit_calibration(np.array([0.1, 0.2]), ["", ""], np.array([answer, answer]))


def test_scores_that_go_down_with_the_answers_cannot_be_fitted():
    scores, groups, yes = sample(np.random.default_rng(0), {"": 0.0}, 0.2)
    with pytest.raises(ValueError, match="do not mean yes"):
        fit_calibration(-scores, groups, yes)
