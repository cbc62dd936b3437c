"""Returns of policies calculated from the rules, where a task has few decisions: no sampling error."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from apps.control import watch_repair
from apps.control.blackjack_values import CARDS, HIT, Hand, deal, dealer_ends

Policy = Callable[[Any], Any]  # observations [environment, ...] -> actions [environment, ...]
HANDS: tuple[Hand, ...] = tuple((n, False) for n in range(4, 22)) + tuple((n, True) for n in range(12, 22))


def blackjack(policy: Policy) -> dict[str, float]:
    """{"return", "length", "win_rate"} of a policy for Blackjack-v1 that depends on the observation alone."""
    asked = [(hand, dealer) for hand in HANDS for dealer in CARDS]
    observations = np.array([(total, dealer, soft) for (total, soft), dealer in asked], dtype=np.int64)
    chosen = dict(zip(asked, (int(a) for a in policy(observations)), strict=True))

    @cache
    def outcome(hand: Hand, dealer: int) -> tuple[float, float, float]:
        """Expected reward, actions and chance to win from here on."""
        if hand[0] > 21:
            return -1.0, 0.0, 0.0
        if chosen[hand, dealer] == HIT:
            after = [(p, outcome(deal(hand, card), dealer)) for card, p in CARDS.items()]
            reward, length, win = (sum(p * o[i] for p, o in after) for i in range(3))
            return reward, 1.0 + length, win
        ends = dealer_ends(deal((0, False), dealer))
        win = sum(p for end, p in ends.items() if hand[0] > end)
        return win - sum(p for end, p in ends.items() if hand[0] < end), 1.0, win

    totals = np.zeros(3)
    for first, p in CARDS.items():
        for second, q in CARDS.items():
            for dealer, r in CARDS.items():
                totals += p * q * r * np.array(outcome(deal(deal((0, False), first), second), dealer))
    return dict(zip(("return", "length", "win_rate"), totals.tolist(), strict=True))


def watch(policy: Policy) -> dict[str, float]:
    """{"return", "length", "optimal_decisions"} of a policy for Pocket Watch Repair, over equally frequent brands."""
    brands = range(len(watch_repair.BRANDS))
    observations = np.array([(brand, watch_repair.UNDECIDED, 0, 0, 0) for brand in brands], dtype=np.int64)
    actions = [int(a) for a in policy(observations)]
    profits = [watch_repair.expected_profit(b) if actions[b] == watch_repair.REPAIR else 0.0 for b in brands]
    optimal = [actions[b] == watch_repair.best_action(b) for b in brands]
    length = float(watch_repair.TRANSPORT_STEPS)
    return {"return": float(np.mean(profits)), "length": length, "optimal_decisions": float(np.mean(optimal))}
