"""Tables: targets by hand, RUDDER's stop rule, and a shift that decides at once."""

import numpy as np
import pytest

from apps.control.tabular import QTable, train_tabular
from apps.control.worlds import WORLDS
from tests.apps.control.conftest import shifter_for

WATCH, BLACKJACK = WORLDS["PocketWatch-v0"], WORLDS["Blackjack-v1"]
ONE, TWO = (0, 1), (1, 1)


def table(algorithm: str) -> QTable:
    made = QTable(np.array([2, 2]), 2, algorithm, np.random.default_rng(0))
    made.values[TWO] = (4.0, 8.0)
    return made


def test_q_learning_bootstraps_from_the_best_action() -> None:
    q = table("q-learning")
    q.learn([(ONE, 0, 1.0), (TWO, 0, 14.0)])
    assert q.values[TWO].tolist() == [5.0, 8.0]  # 4 + 0.1 * (14 - 4)
    assert q.values[ONE].tolist() == pytest.approx([0.9, 0.0])  # 0.1 * (1 + 8)


def test_td_control_bootstraps_from_the_action_taken() -> None:
    q = table("td")
    q.learn([(ONE, 0, 1.0), (TWO, 0, 14.0)])
    assert q.values[ONE].tolist() == pytest.approx([0.6, 0.0])  # 0.1 * (1 + 5): the updated value, last step first


def test_ties_fall_by_lot_and_the_better_action_is_taken_otherwise() -> None:
    q = table("td")
    taken = [q.explore(TWO) for _ in range(400)]
    assert 0.94 < np.mean(taken) < 1  # epsilon 0.05, half of which takes the better one as well
    assert 0.4 < np.mean([q.explore(ONE) for _ in range(400)]) < 0.6


def run(task, algorithm: str, episodes: int, shifter=None, stop_rule: bool = True):
    rows: dict[str, list[dict]] = {"episodes": [], "evaluations": []}
    steps = 50 * episodes
    metrics, q = train_tabular(
        task, algorithm, steps, 0, shifter, steps, stop_rule, lambda table, row: rows[table].append(row)
    )
    return metrics, q, rows


@pytest.mark.parametrize("algorithm", ["q-learning", "td"])
def test_a_shift_larger_than_the_costs_decides_pocket_watch_repair_at_once(algorithm: str) -> None:
    metrics, _, rows = run(WATCH, algorithm, 760, shifter_for(WATCH, "oracle", scale=10.0))
    assert metrics["optimal_decisions"] == 1
    assert metrics["episodes_to_rule"] == 750  # the rule looks at 750 episodes, so nothing can be faster
    assert len(rows["episodes"]) == 15  # of 50 episodes each


def test_without_a_judge_as_many_episodes_do_not_decide_it() -> None:
    metrics, _, _ = run(WATCH, "q-learning", 755)
    assert metrics["episodes_to_rule"] is None
    assert metrics["optimal_decisions"] < 1


def test_the_stop_rule_can_be_turned_off() -> None:
    metrics, _, rows = run(WATCH, "td", 760, shifter_for(WATCH, "oracle", scale=10.0), stop_rule=False)
    assert metrics["episodes_to_rule"] == 750
    assert rows["episodes"][-1]["decisions"] == 760 * 50


def test_a_table_learns_blackjack() -> None:
    before = run(BLACKJACK, "q-learning", 1)[0]["return"]
    after = run(BLACKJACK, "q-learning", 60)[0]["return"]
    assert after > before
    assert after > -0.3


def test_a_training_repeats_itself() -> None:
    first, second = (run(WATCH, "td", 100)[2] for _ in range(2))
    assert first == second
