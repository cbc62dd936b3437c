"""CartPole in pictures that show motion: a close-up that follows the cart, above a strip of the whole track.

Gymnasium's CartPole-v1 by its rules and its own drawing. One picture does not tell which way a pole is tipping, so the
close-up shows two moments of the same piece of track: red and green are those of now, blue is one step ago. What stands
still is grey or its own colour; what moves has a blue edge on one side and a yellow one on the other.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from apps.atari_vision.simulator.seen import AGENT, FRAME, MEMORY, Seen, spaces

TOP, BOTTOM, WIDTH = 160, 320, 600  # rows of Gymnasium's 400 that hold pole, cart and track, and columns
NEAR = 200  # columns of the close-up
SCALE = WIDTH / 4.8  # pixels a metre
STRIP = 3  # how many times smaller the strip of the whole track is
STRIP_TOP = 272  # its first row in Gymnasium's picture
SHAPE = (BOTTOM - TOP + (BOTTOM - STRIP_TOP) // STRIP, NEAR)
FASTEST = 100.0  # m/s and rad/s; no episode comes near it, and Gymnasium gives no limit
Picture = NDArray[np.uint8]  # [160, 600, 3]


class CartPoleFrames(gym.Env[Seen, int]):
    """CartPole-v1 with frames; `memory` and the agent's view are (position, velocity, angle, angular velocity)."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012 - Gymnasium's own form

    def __init__(self, render_mode: str | None = "rgb_array") -> None:
        self.render_mode = render_mode
        self._game = gym.make("CartPole-v1", render_mode="rgb_array", disable_env_checker=True)
        self._ended = True
        self._before: Picture = np.full((BOTTOM - TOP, WIDTH, 3), 255, np.uint8)
        self._now = self._before
        self._position = 0.0  # of the cart, metres from the middle
        own = self._game.observation_space
        assert isinstance(own, gym.spaces.Box)
        bounds = np.where(np.isfinite(own.high), own.high, FASTEST).astype(np.float32)
        state = gym.spaces.Box(-bounds, bounds)
        self.observation_space = spaces(state, SHAPE, state)
        self.action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Seen, dict[str, Any]]:
        """A new episode; at first both pictures are the same."""
        super().reset(seed=seed)
        state, info = self._game.reset(seed=seed, options=options)
        self._now = self._before = self._picture()
        self._position = float(state[0])
        self._ended = False
        return self._seen(state), info

    def step(self, action: int) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        """Push to the left (0) or right (1); RuntimeError after the end."""
        if self._ended:
            raise RuntimeError("the episode has ended; reset the environment")
        state, reward, terminated, truncated, info = self._game.step(int(action))
        self._before, self._now = self._now, self._picture()
        self._position = float(state[0])
        self._ended = bool(terminated or truncated)
        return self._seen(state), float(reward), bool(terminated), bool(truncated), info

    def render(self) -> NDArray[np.uint8]:
        """The frame as it is now."""
        return draw(self._before, self._now, self._position)

    def close(self) -> None:
        self._game.close()

    def _seen(self, state: Any) -> Seen:
        numbers = np.asarray(state, dtype=np.float32)
        return {AGENT: numbers, FRAME: self.render(), MEMORY: numbers.copy()}

    def _picture(self) -> NDArray[np.uint8]:
        return np.array(np.asarray(self._game.render())[TOP:BOTTOM])


def draw(before: Picture, now: Picture, position: float) -> NDArray[np.uint8]:
    """The frame [176, 200, 3] of two pictures, with the cart `position` metres from the track's middle now."""
    left = round(WIDTH / 2 + position * SCALE) - NEAR // 2
    near = np.dstack([_window(now, left)[..., :2], _window(before, left)[..., 2]])
    strip = now[STRIP_TOP - TOP :].astype(np.uint16)
    track = np.add.reduce([strip[i::STRIP, j::STRIP] for i in range(STRIP) for j in range(STRIP)]) // STRIP**2
    return np.concatenate([near, track.astype(np.uint8)])


def _window(picture: Picture, left: int) -> Picture:
    """NEAR columns from `left` on; white beyond the picture's edges."""
    wide = np.pad(picture, ((0, 0), (NEAR, NEAR), (0, 0)), constant_values=255)
    start = min(max(left + NEAR, 0), WIDTH + NEAR)
    return wide[:, start : start + NEAR]
