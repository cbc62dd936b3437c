"""Blackjack: the hand in words, what is written on its two tables, and basic strategy."""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from apps.atari_vision.knowledge.knowledge import Facts, Knowledge
from apps.atari_vision.simulator.blackjack import BOX_SHAPE, CARD, CARDS_SHAPE, EDGE, MOST_CARDS, STEP
from captioners.captioner import CaptionFailure
from captioners.ocr import Reading, Region, Text
from captioners.phrasing import Phrasing
from lmgt_core.judging.judgment import Verdict

STAND, HIT = 0, 1
ACTIONS = ("stand and take no more cards", "hit and take another card")
ACE = ("no ace in it counts as 11", "one of its aces counts as 11")
DEALER = {1: "an ace", 8: "an 8", **{n: f"a {n}" for n in (2, 3, 4, 5, 6, 7, 9, 10)}}
PHRASING = Phrasing(
    "The player's cards sum to {sum}; {ace}. The dealer shows {dealer}.",
    {"sum": tuple(str(n) for n in range(4, 22)), "ace": ACE, "dealer": tuple(DEALER[n] for n in range(1, 11))},
)


def facts(memory: Any) -> dict[str, str]:
    """The facts of (player's sum, dealer's card, usable ace)."""
    player, dealer, ace = (int(n) for n in memory)
    return {"sum": str(player), "ace": ACE[ace], "dealer": DEALER[dealer]}


def stands(player: int, dealer: int, soft: bool) -> bool:
    """Basic strategy without doubling and splitting, where the dealer stands on every 17 (Thorp 1966).

    `dealer` is 1 for an ace. It is the exactly calculated strategy for endless decks, as its test shows.
    """
    if soft:
        return player >= 19 or (player == 18 and dealer not in (1, 9, 10))
    if player >= 17:
        return True
    if player >= 13:
        return 2 <= dealer <= 6
    return player == 12 and 4 <= dealer <= 6


def expert(known: Facts, action: int) -> Verdict:
    """Good for what basic strategy does, bad for the other."""
    dealer = next(n for n, phrase in DEALER.items() if phrase == known["dealer"])
    best = STAND if stands(int(known["sum"]), dealer, known["ace"] == ACE[1]) else HIT
    return Verdict.GOOD if action == best else Verdict.BAD


# What the pixel font's figures and ranks pass for: found on the figures and the 52 cards themselves, not on play.
FIGURES = str.maketrans({"O": "0", "口": "0", "D": "0", "日": "8", "B": "8", "l": "1", "I": "1", "|": "1", "S": "5"})
RANKS = {"日": "8", "B": "8", "』": "J", "」": "J"}  # not H, which kings and aces pass for, nor 9, which a queen does
BOX = (
    Region("dealer", 25 / BOX_SHAPE[0], 60 / BOX_SHAPE[0], 30 / BOX_SHAPE[1], 210 / BOX_SHAPE[1]),
    Region("player", 240 / BOX_SHAPE[0], 316 / BOX_SHAPE[0], 60 / BOX_SHAPE[1], 330 / BOX_SHAPE[1]),
    Region("ace", 322 / BOX_SHAPE[0], 356 / BOX_SHAPE[0], 60 / BOX_SHAPE[1], 330 / BOX_SHAPE[1]),
)
ALIKE = 0.6  # similarity from which on a text passes for the words that can stand there


def compose_box(texts: Mapping[str, Text]) -> Reading:
    """The caption of a frame that prints the sums; figures are repaired, anything else refused."""
    label, _, shown = texts["dealer"].text.rpartition(" ")
    if not _alike(label, "DEALER:"):
        return _refused("dealer", texts["dealer"])
    figures = {"dealer": shown, "player": texts["player"].text}
    mended = {name: text.translate(FIGURES) for name, text in figures.items()}
    for name, allowed in (("dealer", range(1, 11)), ("player", range(4, 22))):
        if not re.fullmatch(r"[0-9]{1,2}", mended[name]) or int(mended[name]) not in allowed or texts[name].doubtful:
            return _refused(name, texts[name])
    if texts["ace"].text and not _alike(texts["ace"].text, "USABLE ACE"):
        return _refused("ace", texts["ace"])
    state = (int(mended["player"]), int(mended["dealer"]), int(bool(texts["ace"].text)))
    return _sentence(state, sum(figures[name] != mended[name] for name in figures))


def _alike(text: str, words: str) -> bool:
    return SequenceMatcher(None, text.upper(), words).ratio() >= ALIKE


def _corner(name: str, card: int, top: int) -> Region:
    """Where the rank of the card at position `card` stands."""
    left = EDGE + card * STEP + 5
    height, width = CARDS_SHAPE
    return Region(name, (top + 5) / height, (top + 31) / height, left / width, (left + 20) / width)


CARDS = (
    _corner("dealer", 0, EDGE),
    *(_corner(f"card {i}", i, CARDS_SHAPE[0] - EDGE - CARD[1]) for i in range(MOST_CARDS)),
)


def compose_cards(texts: Mapping[str, Text]) -> Reading:
    """The caption of a frame that shows cards: ranks are added up; one that is doubtful or no rank is refused."""
    read = [texts["dealer"]]
    for i in range(MOST_CARDS):
        if not texts[f"card {i}"].text:
            break
        read.append(texts[f"card {i}"])
    ranks = [RANKS.get(one.text, one.text) for one in read]
    for one, rank in zip(read, ranks, strict=True):
        if rank not in ("A", "J", "Q", "K", *"23456789") or (one.doubtful and rank == one.text):
            return _refused("a rank", one)
    if len(ranks) < 3:
        return Reading(CaptionFailure("fewer than two of the player's cards could be found"))
    values = [1 if rank == "A" else 10 if rank in "JQK" else int(rank) for rank in ranks]
    player, soft = hand_sum(values[1:])
    if not 4 <= player <= 21:
        return Reading(CaptionFailure(f"the ranks add up to {player}, which no hand that is still played does"))
    repaired = sum(one.text != rank for one, rank in zip(read, ranks, strict=True))
    return _sentence((player, values[0], int(soft)), repaired)


def hand_sum(values: Sequence[int]) -> tuple[int, bool]:
    """The sum of a hand whose aces are given as 1, and whether one of them counts as 11."""
    soft = 1 in values and sum(values) + 10 <= 21
    return sum(values) + 10 * soft, soft


def _sentence(state: tuple[int, int, int], repaired: int) -> Reading:
    if state[2] and state[0] < 12:
        return Reading(CaptionFailure(f"a hand with an ace that counts as 11 cannot sum to {state[0]}"))
    return Reading(PHRASING.words(facts(state)), repaired)


def _refused(name: str, read: Text) -> Reading:
    doubt = f" (confidence {read.confidence:.2f})" if read.doubtful else ""
    return Reading(CaptionFailure(f"{name} reads {read.text!r}{doubt}, which cannot be trusted there"))


BLACKJACK_BOX = Knowledge(PHRASING, facts, expert, ACTIONS, BOX, compose_box)
BLACKJACK_CARDS = Knowledge(PHRASING, facts, expert, ACTIONS, CARDS, compose_cards)
