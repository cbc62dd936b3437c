"""Experts: right where the answer is known, and good when acted on."""

import numpy as np
import pytest

from apps.control import blackjack_values, exact, oracle, watch_repair
from apps.control.blackjack_values import HIT, STAND
from apps.control.describe import BLACKJACK, CARTPOLE
from apps.control.evaluate import evaluate, expert_policy, random_policy
from apps.control.worlds import WORLDS
from lmgt_core.judging.judgment import Verdict

DEALERS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 1)


def best_plays(total: int, soft: bool) -> str:
    """H and S against 2, 3, ..., 10, ace."""
    values = blackjack_values.value
    hand = (total, soft)
    return "".join("H" if values(hand, d, HIT) > values(hand, d, STAND) else "S" for d in DEALERS)


@pytest.mark.parametrize(
    ("total", "soft", "plays"),
    [
        (11, False, "HHHHHHHHHH"),
        (12, False, "HHSSSHHHHH"),
        (13, False, "SSSSSHHHHH"),
        (16, False, "SSSSSHHHHH"),
        (17, False, "SSSSSSSSSS"),
        (17, True, "HHHHHHHHHH"),
        (18, True, "SSSSSSSHHH"),
        (19, True, "SSSSSSSSSS"),
    ],
)
def test_the_exact_values_give_basic_strategy(total: int, soft: bool, plays: str) -> None:
    assert best_plays(total, soft) == plays


def test_a_dealer_with_16_goes_bust_with_8_of_13_cards() -> None:
    assert blackjack_values.dealer_ends((16, False))[0] == pytest.approx(8 / 13)


@pytest.mark.parametrize("card", range(1, 11))
def test_the_dealers_ends_are_a_distribution(card: int) -> None:
    ends = blackjack_values.dealer_ends(blackjack_values.deal((0, False), card))
    assert sum(ends.values()) == pytest.approx(1)
    assert set(ends) <= {0, 17, 18, 19, 20, 21}


def test_an_ace_counts_11_until_that_busts() -> None:
    assert blackjack_values.deal((5, False), 1) == (16, True)
    assert blackjack_values.deal((16, True), 10) == (16, False)
    assert blackjack_values.deal((16, False), 10) == (26, False)


def test_hit_and_stand_are_neutral_where_they_are_worth_the_same() -> None:
    assert oracle.blackjack(BLACKJACK((16, 10, 0), 1).facts) is Verdict.NEUTRAL
    assert oracle.blackjack(BLACKJACK((16, 9, 0), 1).facts) is Verdict.GOOD
    assert oracle.blackjack(BLACKJACK((16, 9, 0), 0).facts) is Verdict.BAD


def test_facts_of_another_task_are_a_lookup_error() -> None:
    for task in WORLDS.values():
        foreign = CARTPOLE((0, 0, 0, 0), 0) if task.folder != "cartpole" else BLACKJACK((12, 3, 0), 0)
        with pytest.raises(LookupError):
            task.expert(foreign.facts)


def test_the_exact_return_is_the_sampled_one() -> None:
    task = WORLDS["Blackjack-v1"]
    policy = expert_policy(task)
    sampled = evaluate(task, policy, 1000)["return"]
    assert evaluate(task, policy)["return"] == pytest.approx(sampled, abs=4 * 0.95 / 1000**0.5)


def test_the_expert_plays_blackjack_nearly_best() -> None:
    best = blackjack_values.game_value()
    assert evaluate(WORLDS["Blackjack-v1"], expert_policy(WORLDS["Blackjack-v1"]))["return"] > best - 0.001


def test_who_never_stands_goes_bust() -> None:
    standing = exact.blackjack(lambda observations: np.zeros(len(observations), dtype=int))
    assert standing["length"] == pytest.approx(1)
    assert -0.3 < standing["return"] < -0.1
    hitting = exact.blackjack(lambda observations: np.ones(len(observations), dtype=int))
    assert hitting["return"] == pytest.approx(-1)  # whoever never stands goes bust
    assert hitting["win_rate"] == 0


@pytest.mark.parametrize(
    ("name", "at_least"), [("CartPole-v1", 500), ("Pendulum-v1", -250), ("MountainCar-v0", -150), ("Acrobot-v1", -150)]
)
def test_acting_on_the_experts_words_earns_much(name: str, at_least: float) -> None:
    task = WORLDS[name]
    assert evaluate(task, expert_policy(task), 5)["return"] >= at_least
    assert evaluate(task, random_policy(task, np.random.default_rng(0)), 5)["return"] < at_least


def test_a_policy_is_evaluated_on_the_same_episodes_every_time() -> None:
    task = WORLDS["CartPole-v1"]
    first = evaluate(task, random_policy(task, np.random.default_rng(1)), 30)
    assert first == evaluate(task, random_policy(task, np.random.default_rng(1)), 30)


def test_repairing_pays_off_for_the_two_middle_brands() -> None:
    assert [watch_repair.expected_profit(b) for b in range(4)] == pytest.approx([-1.5, 3.5, 3.5, -1.5])


def test_a_repair_costs_at_once_and_pays_at_the_end() -> None:
    env = watch_repair.WatchRepairEnv()
    observation, _ = env.reset(seed=5)
    rewards, ended, info = [], False, {}
    while not ended:
        observation, reward, ended, _, info = env.step(watch_repair.REPAIR)
        rewards.append(reward)
    assert len(rewards) == 50
    assert rewards[0] != 0 and rewards[-1] != 0 and not any(rewards[1:-1])
    brand = int(observation[watch_repair.BRAND])
    assert info["optimal"] is (watch_repair.expected_profit(brand) > 0)


def test_a_watch_that_is_left_earns_nothing() -> None:
    env = watch_repair.WatchRepairEnv()
    env.reset(seed=5)
    assert sum(env.step(watch_repair.LEAVE)[1] for _ in range(50)) == 0


def test_repairs_earn_their_expected_profit_on_average() -> None:
    env = watch_repair.WatchRepairEnv()
    earned: dict[int, list[float]] = {b: [] for b in range(4)}
    observation, _ = env.reset(seed=0)
    for _ in range(2000):
        total = sum(env.step(watch_repair.REPAIR)[1] for _ in range(50))
        earned[int(observation[watch_repair.BRAND])].append(total)
        observation, _ = env.reset()
    for brand, profits in earned.items():
        error = np.std(profits) / len(profits) ** 0.5
        assert np.mean(profits) == pytest.approx(watch_repair.expected_profit(brand), abs=4 * error)
