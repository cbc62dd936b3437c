"""The tabular studies' cells: known scores, questions counted, mistakes named."""

import numpy as np
import pytest

from apps.tabular.judges import confident_table, gate, graded_opinions, graded_table
from apps.tabular.mdp import value_iteration
from apps.tabular.study_app import APP, random_return
from apps.tabular.worlds import chain, trap
from lmgt_core.errors import UserError

DEFAULTS = {name: field.default for name, field in APP.fields.items()}


def test_a_perfect_judge_teaches_a_corridor_that_is_not_learnt_without_one() -> None:
    settings = {**DEFAULTS, "world": "wide_chain", "steps": 1000}
    result = APP.run({**settings, "rule": "lookahead"}, seed=0)
    assert result["score"] == pytest.approx(1)
    assert result["mean_score"] > 0.5
    assert APP.run({**settings, "judge": "none"}, seed=0)["score"] < 0.1
    assert result["precision"] == 1 and result["coverage"] == 1
    assert 0 < result["questions"] <= 8 * 4


def test_a_cell_repeats_itself_but_for_its_seconds() -> None:
    settings = {**DEFAULTS, "accuracy": 0.7, "rule": "pies", "steps": 500}
    first, second = (dict(APP.run(settings, seed=3)) for _ in range(2))
    first.pop("train_seconds"), second.pop("train_seconds")
    assert first == second


def test_rules_that_judge_all_actions_ask_for_all_and_none_asks_nothing() -> None:
    def asked(**own: object) -> float:
        return APP.run({**DEFAULTS, "world": "wide_chain", "steps": 200, **own}, seed=0)["questions"]

    assert asked(judge="none") == 0
    assert asked(rule="lookahead") % 4 == 0
    assert asked(rule="raw", epsilon_final=0.0, epsilon_share=0.01) < asked(rule="potential")


def test_a_random_policy_earns_what_its_equations_say() -> None:
    assert random_return(chain(length=1)) == pytest.approx((1 + 0.1) / 2)  # one room, whose two exits pay 1 and 0.1
    # Two rooms: v0 = (0.1 + .9 v1) / 2, v1 = (.9 v0 + 1) / 2.
    assert random_return(chain(length=2, discount=0.9)) == pytest.approx((0.05 + 0.225) / (1 - 0.2025))


def test_graded_opinions_are_the_gains_when_there_is_no_noise() -> None:
    mdp = trap(slip=0.0)
    opinions = graded_opinions(mdp, 0.0, np.random.default_rng(0))
    q = value_iteration(mdp)
    assert (opinions.argmax(axis=1) == q.argmax(axis=1)).all()
    assert np.abs(opinions).max() == 1
    binary, ternary, whole = (graded_table(opinions, g) for g in ("binary", "ternary", "continuous"))
    assert {j.label for row in binary for j in row} == {-1.0, 1.0}
    assert {j.label for row in ternary for j in row} == {-1.0, 0.0, 1.0}
    assert whole[0][0].expected_label == pytest.approx(opinions[0, 0])


def test_a_confident_judge_is_right_as_often_as_it_says_and_the_gate_keeps_the_sure_part() -> None:
    mdp = trap(size=30, slip=0.1)
    rng = np.random.default_rng(0)
    table = confident_table(mdp, 0.5, rng)
    open_, gated = gate(mdp, table, None, rng), gate(mdp, table, 0.85, rng)
    assert open_.coverage == 1 and open_.precision == pytest.approx(0.75, abs=0.04)
    assert 0.05 < gated.coverage < 0.7
    assert gated.precision > open_.precision + 0.05
    silenced = [j for row in gated.table for j in row if j.abstained]
    spoken = [j for row in gated.table for j in row if not j.abstained]
    assert np.mean([j.confidence for j in spoken]) > np.mean([j.confidence for j in silenced]) + 0.1


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"world": "maze"}, "world maze"),
        ({"rule": "sideways"}, "--rule sideways"),
        ({"judge": "gpt"}, "judge gpt"),
        ({"accuracy": 1.5}, "accuracy 1.5"),
        ({"actions": 3}, "wide_chain only"),
        ({"min_precision": 0.2}, "min_precision 0.2"),
        ({"algorithm": "ppo"}, "algorithm ppo"),
        ({"steps": 10}, "steps 10"),
        ({"granularity": "fine"}, "granularity fine"),
    ],
)
def test_what_cannot_be_run_is_named(own: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        APP.check({**DEFAULTS, **own})
