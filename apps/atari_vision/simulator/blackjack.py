"""Blackjack in pictures: Gymnasium's own frame, which prints the sums, or the cards of both hands without any number.

Both are Gymnasium's Blackjack-v1 by its rules; its pixel art is used as it is installed. On the table of cards the
player's cards lie face up in the order in which they were dealt, the dealer's second card face down.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from apps.atari_vision.simulator.seen import AGENT, FRAME, MEMORY, Seen, spaces

Frame = NDArray[np.uint8]
BOX_SHAPE = (376, 384)
CARDS_SHAPE = (264, 384)
FELT = (196, 216, 158)
CARD = (80, 112)  # width and height of a card's picture
EDGE = 16  # pixels between the cards and the table's edge
GAP = 8  # between the dealer's cards
STEP = 28  # from one of the player's cards to the next: they are fanned, and every rank stays in sight
MOST_CARDS = 10  # that fit; a hand of more is drawn on top of the last (about one in a billion)
SUITS = "CDHS"
FACES = "JQK"  # a card of ten is one of these, as in Gymnasium's own frame


class BlackjackFrames(gym.Env[Seen, int]):
    """Blackjack-v1 with frames; `memory` is (player's sum, dealer's card, usable ace), and so is the agent's view."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012 - Gymnasium's own form

    def __init__(self, cards: bool = False, render_mode: str | None = "rgb_array") -> None:
        self.cards = cards
        self.render_mode = render_mode
        self._game: Any = gym.make("Blackjack-v1", render_mode="rgb_array", disable_env_checker=True).unwrapped
        self._ended = True
        self._faces: list[str] = []  # of the player's cards, as pictures are named
        self._suits = np.random.default_rng(0)
        state = gym.spaces.MultiDiscrete([32, 11, 2])
        self.observation_space = spaces(state, CARDS_SHAPE if cards else BOX_SHAPE, state)
        self.action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Seen, dict[str, Any]]:
        """A new deal; the player's suits and faces are drawn by a generator of their own, so dealing is Gymnasium's."""
        super().reset(seed=seed)
        if seed is not None:
            self._suits = np.random.default_rng((seed, 1))
        state, info = self._game.reset(seed=seed, options=options)
        self._faces = [self._face(card) for card in self._game.player]
        self._ended = False
        return self._seen(state), info

    def step(self, action: int) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        """Stand (0) or hit (1); RuntimeError after the end."""
        if self._ended:
            raise RuntimeError("the hand has ended; reset the environment")
        state, reward, terminated, truncated, info = self._game.step(int(action))
        self._faces += [self._face(card) for card in self._game.player[len(self._faces) :]]
        self._ended = bool(terminated or truncated)
        return self._seen(state), float(reward), bool(terminated), bool(truncated), info

    def render(self) -> Frame:
        """The frame as it is now."""
        if not self.cards:
            return np.ascontiguousarray(self._game.render())
        dealer = self._game.dealer_top_card_value_str + self._game.dealer_top_card_suit
        return draw_cards(dealer, self._faces)

    def close(self) -> None:
        self._game.close()

    def _seen(self, state: tuple[int, int, int]) -> Seen:
        numbers = np.array(state, dtype=np.int64)
        return {AGENT: numbers, FRAME: self.render(), MEMORY: numbers.copy()}

    def _face(self, card: int) -> str:
        rank = {1: "A", 10: str(self._suits.choice(list(FACES)))}.get(card, str(card))
        return rank + str(self._suits.choice(list(SUITS)))


def draw_cards(dealer: str, player: Sequence[str]) -> Frame:
    """The table: the dealer's cards above, the player's fanned below, in the order in which they were dealt."""
    table = Image.new("RGB", (CARDS_SHAPE[1], CARDS_SHAPE[0]), FELT)
    for i, name in enumerate((dealer, "back")):
        _lay(table, name, EDGE + i * (CARD[0] + GAP), EDGE)
    for i, name in enumerate(player):
        _lay(table, name, EDGE + min(i, MOST_CARDS - 1) * STEP, CARDS_SHAPE[0] - EDGE - CARD[1])
    return np.array(table)


def _lay(table: Image.Image, name: str, x: int, y: int) -> None:
    card = picture(name)
    table.paste(card, (x, y), card)


@cache
def picture(name: str) -> Image.Image:
    """Gymnasium's picture of a card, such as 7H or back."""
    folder = files("gymnasium.envs.toy_text") / "img" / "blackjack"
    with as_file(folder / f"card_{name}.png") as path, Image.open(path) as image:
        return image.convert("RGBA")
