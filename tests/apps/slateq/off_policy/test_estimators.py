"""Estimators against every outcome of a small world, by hand, and beside Open Bandit Pipeline if it is there."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.slateq.logs.reader import mixed
from apps.slateq.logs.schema import NOTHING, Slates
from apps.slateq.off_policy.distributions import Mixture, PlackettLuce, SlateDistribution
from apps.slateq.off_policy.estimates import values_of
from apps.slateq.off_policy.estimators import Models, ratios_of, returns_to_go, session_terms, slate_terms
from apps.slateq.off_policy.reward_model import fit_returns, fit_rewards
from apps.slateq.off_policy.sums import Sums
from tests.apps.slateq.off_policy.small_world import (
    REWARD,
    SLATES,
    Repeated,
    chances_of_clicks,
    everything,
    policies,
    rows_of,
    some_models,
    true_value,
)


def expectation(estimator: str, data: st.DataObject, kind: str) -> tuple[float, float]:
    """The mean of an estimator over everything that can happen, and the truth."""
    logging, evaluated = data.draw(policies()), data.draw(policies())
    clicks = chances_of_clicks(data.draw, kind)
    rows, chance = everything(logging, clicks)
    policy = Repeated(evaluated, rows)
    terms = slate_terms(rows, policy, ratios_of(rows, policy), some_models(data.draw))
    return float(chance @ terms[estimator].weighted.sum(axis=(1, 2))), true_value(evaluated, clicks)


@settings(max_examples=40, deadline=None)
@given(st.data())
@pytest.mark.parametrize(
    ("estimator", "clicks"),
    [
        ("ips", "any"),
        ("dr", "any"),
        ("model-dr", "any"),
        ("rips", "cascade"),
        ("cascade-dr", "cascade"),
        ("iips", "independent"),
        ("rips", "independent"),
        ("cascade-dr", "independent"),
    ],
)
def test_an_estimator_is_right_on_average_where_its_users_click_as_it_assumes(
    estimator: str, clicks: str, data: st.DataObject
) -> None:
    mean, truth = expectation(estimator, data, clicks)
    assert mean == pytest.approx(truth, rel=1e-6)


def test_estimators_are_wrong_where_users_click_otherwise() -> None:
    logging = Mixture(np.tile([0, 1], (6, 1)), 0.5, np.full(6, 3))
    evaluated = Mixture(np.tile([2, 1], (6, 1)), 0.1, np.full(6, 3))
    only_above_0 = np.array([[0.0, 0.9, 0.1] if slate[0] == 0 else [0.0, 0.1, 0.9] for slate in SLATES])
    only_over_0 = np.array([[0.9, 0.0, 0.1] if slate[1] == 0 else [0.1, 0.0, 0.9] for slate in SLATES])
    for estimator, clicks in (("iips", only_above_0), ("rips", only_over_0)):
        rows, chance = everything(logging, clicks)
        policy = Repeated(evaluated, rows)
        terms = slate_terms(rows, policy, ratios_of(rows, policy), Models())
        mean = float(chance @ terms[estimator].weighted.sum(axis=(1, 2)))
        assert abs(mean - true_value(evaluated, clicks)) > 0.1


def test_estimates_of_two_slates_by_hand() -> None:
    logging = Mixture(np.tile([0, 1], (6, 1)), 0.3, np.full(6, 3))
    rows = rows_of(logging, np.array([[0, 1], [2, 0]]), np.array([1, 0]))
    evaluated = Mixture(np.array([[2, 0], [2, 0]]), 0.6, np.array([3, 3]))  # .4 + .1 for (2, 0), .1 for others
    np.testing.assert_allclose(rows.propensity, [0.75, 0.05])
    np.testing.assert_allclose(rows.reward, [REWARD[1, 1], REWARD[2, 0]])  # 1 and 4
    sums = summed(rows, evaluated)
    assert values_of(sums, "ips")[0][0] == pytest.approx((1 * 0.1 / 0.75 + 4 * 0.5 / 0.05) / 2)
    assert values_of(sums, "ips")[1][0] == pytest.approx((1 * 0.1 / 0.75 + 4 * 10) / (0.1 / 0.75 + 10))
    # item 1 is at place 1 with .3 / 3 + .7 in the log and .6 / 3 in the policy, item 2 at place 0 with .1 and .6
    assert values_of(sums, "iips")[0][0] == pytest.approx((1 * 0.2 / 0.8 + 4 * 0.6 / 0.1) / 2)
    assert values_of(sums, "iips")[1][0] == pytest.approx(4 * 6 / (0.2 / 0.8 + 6) + 1 * 0.25 / (0.25 + 0.6 / 0.1))
    # (0, ...) begins a slate with .8 in the log and .2 in the policy, (2, ...) with .1 and .6
    assert values_of(sums, "rips")[0][0] == pytest.approx((1 * 0.1 / 0.75 + 4 * 0.6 / 0.1) / 2)
    assert values_of(sums, "rips")[1][0] == pytest.approx(4 * 6 / (0.25 + 6) + 0.1 / 0.75 / (0.1 / 0.75 + 10))


def summed(rows: Slates, policy: SlateDistribution) -> Sums:
    """The sums of slates' and sessions' estimators that need no regression."""
    ratios, begins, sums = ratios_of(rows, policy), rows.begins, Sums(0)
    terms = slate_terms(rows, policy, ratios, Models()) | session_terms(rows, policy, ratios, Models())
    sums.add(np.ones((len(begins), 1)), np.diff(np.r_[begins, len(rows)]), terms)
    return sums


def sessions_of_two(logging: SlateDistribution, evaluated: SlateDistribution, rng: np.random.Generator):
    """Every session of one or two slates, its probability, and the evaluated policy's value.

    Whether a second slate follows, and what is clicked in it, depends on the first slate and its click.
    """
    first, second = rng.dirichlet(np.ones(3), 6), rng.dirichlet(np.ones(3), (6, 3, 6))  # [slate, click], ...
    goes_on = rng.uniform(0.2, 0.8, (6, 3))
    events = list(product(range(6), (0, 1, NOTHING)))
    slates, clicks, keys, steps, chance, truth = [], [], [], [], [], 0.0
    weight = {name: policy.prefixes(SLATES)[:, -1] for name, policy in (("log", logging), ("new", evaluated))}

    def earned(s: int, c: int) -> float:
        return 0.0 if c == NOTHING else REWARD[SLATES[s][c], c]

    for s, c in events:
        p = {name: w[s] * first[s, c] for name, w in weight.items()}
        slates += [s]
        clicks += [c]
        keys += [len(chance)]
        steps += [0]
        chance += [p["log"] * (1 - goes_on[s, c])]
        truth += p["new"] * earned(s, c)
        for s2, c2 in events:
            p2 = {name: p[name] * goes_on[s, c] * w[s2] * second[s, c, s2, c2] for name, w in weight.items()}
            slates += [s, s2]
            clicks += [c, c2]
            keys += [len(chance)] * 2
            steps += [0, 1]
            chance += [p2["log"]]
            truth += p2["new"] * earned(s2, c2)
    rows = rows_of(logging, SLATES[slates], np.array(clicks))
    return replace(rows, key=np.array(keys, np.uint64), step=np.array(steps)), np.array(chance), truth


@settings(max_examples=25, deadline=None)
@given(st.data())
@pytest.mark.parametrize("estimator", ["trajectory", "pdis", "pdis-cv"])
def test_an_estimator_of_sessions_is_right_on_average_whatever_users_do(estimator: str, data: st.DataObject) -> None:
    logging, evaluated = data.draw(policies()), data.draw(policies())
    rows, chance, truth = sessions_of_two(logging, evaluated, np.random.default_rng(data.draw(st.integers(0, 99))))
    assert chance.sum() == pytest.approx(1)
    policy = Repeated(evaluated, rows)
    terms = session_terms(rows, policy, ratios_of(rows, policy), some_models(data.draw))
    assert chance @ terms[estimator].weighted.sum(axis=(1, 2)) == pytest.approx(truth, rel=1e-6)


def test_self_normalised_sessions_by_hand() -> None:
    logging = Mixture(np.tile([0, 1], (6, 1)), 1.0, np.full(6, 3))  # 1 / 6 each
    rows = rows_of(logging, np.array([[0, 1], [2, 0], [2, 1]]), np.array([0, 0, 1]))  # earn 2, 4, 1
    rows = replace(rows, key=np.array([7, 7, 9], np.uint64), step=np.array([0, 1, 0]))
    evaluated = Mixture(np.tile([2, 0], (3, 1)), 0.6, np.full(3, 3))  # ratios .6, 3, .6
    sums = summed(rows, evaluated)
    assert values_of(sums, "trajectory")[0][0] == pytest.approx((1.8 * 6 + 0.6 * 1) / 2)
    assert values_of(sums, "trajectory")[1][0] == pytest.approx((1.8 * 6 + 0.6 * 1) / (1.8 + 0.6))
    assert values_of(sums, "pdis")[0][0] == pytest.approx((0.6 * 2 + 1.8 * 4 + 0.6 * 1) / 2)
    # at the second step the session that is over keeps its weight of .6
    assert values_of(sums, "pdis")[1][0] == pytest.approx((0.6 * 2 + 0.6 * 1) / 1.2 + 1.8 * 4 / (1.8 + 0.6))


def test_a_return_to_go_stays_in_its_session() -> None:
    logging = Mixture(np.tile([0, 1], (6, 1)), 1.0, np.full(6, 3))
    rows = rows_of(logging, np.array([[0, 1], [2, 0], [2, 1]]), np.array([0, 0, 1]))
    rows = replace(rows, key=np.array([7, 7, 9], np.uint64))
    np.testing.assert_allclose(returns_to_go(rows), [6, 4, 1])


def log_of(size: int, seed: int = 0) -> tuple[Slates, PlackettLuce]:
    """A log of Plackett-Luce slates with cascading clicks, and another such policy."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(size, 6))
    logging, evaluated = PlackettLuce(scores, 3), PlackettLuce(scores + rng.normal(size=(size, 6)) / 2, 3)
    slate = logging.draw(rng.random((size, 7)))
    chance = np.take_along_axis(1 / (1 + np.exp(-scores)), slate, axis=1) / 2
    looks = rng.random((size, 3)) < chance
    click = np.where(looks.any(axis=1), looks.argmax(axis=1), NOTHING)
    prefix = logging.prefixes(slate)
    rows = Slates(
        key=mixed(np.arange(size, dtype=np.uint64)),
        step=np.zeros(size, np.int64),
        candidates=np.full(size, 6),
        slate=slate,
        propensity=prefix[:, -1],
        click=click,
        reward=np.where(click == NOTHING, 0.0, 1.0 + click),
        propensities=np.c_[prefix[:, :1], prefix[:, 1:] / prefix[:, :-1]],
        marginals=logging.items(slate),
        more={"scores.a": scores},
    )
    return rows, evaluated


def test_the_regression_narrows_the_estimate_and_does_not_move_it() -> None:
    rows, evaluated = log_of(6000)
    model = fit_rewards(rows, evaluated)
    terms = slate_terms(rows, evaluated, ratios_of(rows, evaluated), Models(model))
    spread = {name: found.weighted.sum(axis=(1, 2)).std() for name, found in terms.items()}
    mean = {name: found.weighted.sum(axis=(1, 2)).mean() for name, found in terms.items()}
    assert spread["cascade-dr"] < 0.95 * spread["rips"] < spread["ips"]
    assert spread["dr"] < spread["ips"]
    assert abs(mean["cascade-dr"] - mean["rips"]) < 4 * spread["rips"] / np.sqrt(len(rows))


def test_a_regression_finds_what_made_the_rewards() -> None:
    rows, evaluated = log_of(4000)
    score = np.take_along_axis(rows.more["scores.a"], rows.slate[:, :1], axis=1)[:, 0]
    q, _ = fit_returns(rows, 3.0 + 2.0 * score).predict(rows, evaluated)
    np.testing.assert_allclose(q[:, 0], 3.0 + 2.0 * score, atol=0.02)


def test_open_bandit_pipeline_says_the_same() -> None:
    pytest.importorskip("obp", reason="pip install --no-deps --ignore-requires-python obp==0.5.7")
    from obp.ope import SlateCascadeDoublyRobust, SlateIndependentIPS, SlateRewardInteractionIPS, SlateStandardIPS

    rows, evaluated = log_of(300)
    model = fit_rewards(rows, evaluated)
    ratios = ratios_of(rows, evaluated)
    terms = slate_terms(rows, evaluated, ratios, Models(model))
    ours = {name: found.weighted.sum(axis=(1, 2)).mean() for name, found in terms.items()}
    size, k = rows.slate.shape
    common = {
        "slate_id": np.repeat(np.arange(size), k),
        "position": np.tile(np.arange(k), size),
        "reward": rows.rewards.ravel(),
    }
    new, old = evaluated.prefixes(rows.slate), np.cumprod(rows.propensities, axis=1)
    theirs = {
        "ips": SlateStandardIPS(len_list=k).estimate_policy_value(
            **common, pscore=np.repeat(old[:, -1], k), evaluation_policy_pscore=np.repeat(new[:, -1], k)
        ),
        "iips": SlateIndependentIPS(len_list=k).estimate_policy_value(
            **common,
            pscore_item_position=rows.marginals.ravel(),
            evaluation_policy_pscore_item_position=evaluated.items(rows.slate).ravel(),
        ),
        "rips": SlateRewardInteractionIPS(len_list=k).estimate_policy_value(
            **common, pscore_cascade=old.ravel(), evaluation_policy_pscore_cascade=new.ravel()
        ),
    }
    following = evaluated.next_items(rows.slate)
    q_hat = np.zeros((size, k, 6))
    for place, item in product(range(k), range(6)):  # what the regression says of every item after what was shown
        slate = rows.slate.copy()
        slate[:, place] = item
        q_hat[:, place, item] = model.predict(replace(rows, slate=slate), evaluated)[0][:, place]
    theirs["cascade-dr"] = SlateCascadeDoublyRobust(len_list=k, n_unique_action=6).estimate_policy_value(
        **common,
        action=rows.slate.ravel(),
        pscore_cascade=old.ravel(),
        evaluation_policy_pscore_cascade=new.ravel(),
        q_hat=q_hat.ravel(),
        evaluation_policy_action_dist=following.ravel(),
    )
    assert theirs == pytest.approx({name: ours[name] for name in theirs}, rel=1e-6)
