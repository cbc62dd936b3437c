"""A model of users fitted to a log: it finds the users that made the log, and says so where it does not."""

from dataclasses import replace

import numpy as np
import pytest

from apps.slateq.logs.reader import mixed
from apps.slateq.logs.schema import NOTHING, Slates
from apps.slateq.off_policy.distributions import Mixture, PlackettLuce
from apps.slateq.off_policy.user_model import DRAWS, UserModel, fit_users, uniforms


def log_of(size: int, odd: bool = False, seed: int = 0) -> tuple[Slates, np.ndarray, np.ndarray]:
    """Random slates of 2 of 5; users choose by a logit of -.5 + 1.5 times the score, a click earns 2 + score.

    `odd`: whoever sees two scores above 0 clicks on nothing, which no such logit says. Also the scores, and the users'
    probabilities [B, 3].
    """
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(size, 5))
    slate = Mixture(np.zeros((size, 2), int), 1.0, np.full(size, 5)).draw(rng.random((size, 6)))
    seen = np.take_along_axis(scores, slate, axis=1)
    weights = np.c_[np.exp(-0.5 + 1.5 * seen), np.ones(size)]
    chances = weights / weights.sum(axis=1, keepdims=True)
    if odd:
        chances[(seen > 0).all(axis=1)] = (0.0, 0.0, 1.0)
    place = (rng.random((size, 1)) > np.cumsum(chances, axis=1)).sum(axis=1)
    click = np.where(place == 2, NOTHING, place)
    reward = np.where(place == 2, 0.0, 2 + np.take_along_axis(seen, np.minimum(place, 1)[:, None], axis=1)[:, 0])
    rows = Slates(
        key=mixed(np.arange(size, dtype=np.uint64)),
        step=np.zeros(size, np.int64),
        candidates=np.full(size, 5),
        slate=slate,
        propensity=np.full(size, 1 / 20),
        click=click,
        reward=reward,
        more={"scores.a": scores},
    )
    return rows, scores, chances


@pytest.fixture(scope="module")
def fitted() -> tuple[Slates, np.ndarray, np.ndarray, UserModel]:
    """A log, and the model of its users."""
    rows, scores, chances = log_of(8000)
    return rows, scores, chances, fit_users(rows)


def test_the_model_finds_how_users_choose_and_what_a_click_earns(fitted) -> None:
    rows, scores, chances, model = fitted
    assert np.abs(model.clicks(rows, rows.slate) - chances).mean() < 0.02
    seen = np.take_along_axis(scores, rows.slate, axis=1)
    np.testing.assert_allclose(model.value(rows, rows.slate), (chances[:, :2] * (2 + seen)).sum(axis=1), atol=0.25)
    assert model.warning == ""


def test_a_policy_s_slates_earn_in_the_model_what_they_earn_in_truth(fitted) -> None:
    rows, scores, _, model = fitted
    policy = PlackettLuce(2 * scores, 2)
    slate = policy.draw(np.random.default_rng(5).random((len(rows), 6)))
    seen = np.take_along_axis(scores, slate, axis=1)
    weights = np.exp(-0.5 + 1.5 * seen)
    truth = ((weights / (1 + weights.sum(axis=1, keepdims=True))) * (2 + seen)).sum(axis=1).mean()
    assert model.value_of(rows, policy).mean() == pytest.approx(truth, rel=0.02)


def test_held_out_sessions_speak_against_a_model_that_is_wrong() -> None:
    rows, *_ = log_of(8000, odd=True)
    assert "off by" in fit_users(rows).warning


def test_no_session_is_predicted_from_its_own_clicks(fitted) -> None:
    rows, *_, model = fitted
    half = rows.key >> np.uint64(63) == 0
    again = fit_users(replace(rows, click=np.where(half, rows.click, NOTHING), reward=np.where(half, rows.reward, 0.0)))
    np.testing.assert_allclose(again.choice[0], model.choice[0])
    np.testing.assert_allclose(again.clicks(rows, rows.slate)[~half], model.clicks(rows, rows.slate)[~half])


def test_draws_depend_on_the_row_alone(fitted) -> None:
    rows = fitted[0]
    part = replace(rows, key=rows.key[50:60], step=rows.step[50:60], candidates=rows.candidates[50:60])
    np.testing.assert_array_equal(uniforms(part, 1), uniforms(rows, 1)[50:60])
    drawn = np.array([uniforms(rows, number) for number in range(DRAWS)])
    assert drawn.min() > 0 and drawn.max() < 1 and abs(drawn.mean() - 0.5) < 0.005
    assert abs(np.corrcoef(drawn.reshape(-1, 6).T) - np.eye(6)).max() < 0.03
