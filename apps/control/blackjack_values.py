"""What every hit and stand in Gymnasium's Blackjack is worth, calculated exactly.

The rules of Blackjack-v1 (Sutton and Barto 2018, example 5.1): cards come from an endless deck, the dealer draws to 17
or more and counts an ace as 11 where that does not bust, a natural pays no more than any win.
"""

from functools import cache

CARDS = {card: 1 / 13 for card in range(1, 10)} | {10: 4 / 13}  # ten, jack, queen and king count 10
STAND, HIT = 0, 1
Hand = tuple[int, bool]  # what it counts, and whether an ace in it counts as 11


def deal(hand: Hand, card: int) -> Hand:
    """The hand with another card; over 21 it is bust."""
    total, soft = hand
    if card == 1 and total + 11 <= 21:
        return total + 11, True
    total += card
    return (total - 10, False) if soft and total > 21 else (total, soft)


@cache
def dealer_ends(hand: Hand) -> dict[int, float]:
    """Probabilities of the dealer's final count from `hand` on; 0 stands for bust."""
    if hand[0] >= 17:
        return {hand[0] if hand[0] <= 21 else 0: 1.0}
    ends: dict[int, float] = {}
    for card, p in CARDS.items():
        for end, q in dealer_ends(deal(hand, card)).items():
            ends[end] = ends.get(end, 0.0) + p * q
    return ends


@cache
def value(hand: Hand, dealer: int, action: int) -> float:
    """The expected reward of `action`, best play following, against the dealer's card `dealer` (1 is an ace)."""
    if action == STAND:
        ends = dealer_ends(deal((0, False), dealer))
        return sum(p * ((hand[0] > end) - (hand[0] < end)) for end, p in ends.items())
    return sum(p * best_value(deal(hand, card), dealer) for card, p in CARDS.items())


def best_value(hand: Hand, dealer: int) -> float:
    """The expected reward of the best play; -1 when the hand is bust."""
    return -1.0 if hand[0] > 21 else max(value(hand, dealer, STAND), value(hand, dealer, HIT))


def game_value() -> float:
    """The expected reward of a whole game under best play."""
    return sum(
        p * q * r * best_value(deal(deal((0, False), first), second), dealer)
        for first, p in CARDS.items()
        for second, q in CARDS.items()
        for dealer, r in CARDS.items()
    )
