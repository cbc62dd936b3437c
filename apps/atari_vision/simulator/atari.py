"""Atari 2600 games of the Arcade Learning Environment, preprocessed as is standard.

Sticky actions (probability 0.25) and no other randomness, four frames a decision, the minimal set of actions (Machado
et al. 2018, arXiv 1709.06009); the agent sees the last four grey frames of 84x84 (the pixelwise maximum of a decision's
last two frames, Mnih et al. 2015). The whole RGB frame and the 128 bytes of RAM are those of the decision's last frame,
so positions in the RAM are those in the frame. A lost life does not end an episode.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation
from numpy.typing import NDArray

from apps.atari_vision.simulator.seen import AGENT, FRAME, MEMORY, Seen, spaces
from lmgt_core.errors import UserError
from lmgt_core.extras import need

SKIP = 4  # frames a decision
STACK = 4
STICKY = 0.25
MOST_DECISIONS = 27_000  # 30 minutes of play at 60 frames a second
SHAPE = (210, 160)


class AtariFrames(gym.Env[Seen, int]):
    """One game; rewards are the game's own, not clipped."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012 - Gymnasium's own form

    def __init__(self, game: str, render_mode: str | None = "rgb_array", limit: int = MOST_DECISIONS) -> None:
        self.render_mode = render_mode
        self.limit = limit
        emulator = make_emulator(game)
        self._ale: Any = emulator.unwrapped.ale  # type: ignore[attr-defined]
        preprocessed = AtariPreprocessing(emulator, noop_max=0, frame_skip=SKIP, screen_size=84)
        self._game = FrameStackObservation(preprocessed, STACK)
        self.meanings: list[str] = emulator.unwrapped.get_action_meanings()  # type: ignore[attr-defined]
        self._ended = True
        self._decisions = 0
        ram = gym.spaces.Box(0, 255, (128,), np.uint8)
        self.observation_space = spaces(gym.spaces.Box(0, 255, (STACK, 84, 84), np.uint8), SHAPE, ram)
        self.action_space = gym.spaces.Discrete(len(self.meanings))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Seen, dict[str, Any]]:
        """A new game."""
        super().reset(seed=seed)
        stack, info = self._game.reset(seed=seed, options=options)
        self._ended, self._decisions = False, 0
        return self._seen(stack), info

    def step(self, action: int) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        """One decision; RuntimeError after the end."""
        if self._ended:
            raise RuntimeError("the game has ended; reset the environment")
        stack, reward, terminated, truncated, info = self._game.step(int(action))
        self._decisions += 1
        truncated = bool(truncated) or (self._decisions >= self.limit and not terminated)
        self._ended = bool(terminated) or truncated
        return self._seen(stack), float(reward), bool(terminated), truncated, info

    def render(self) -> NDArray[np.uint8]:
        """The frame as it is now."""
        return np.array(self._ale.getScreenRGB())

    def close(self) -> None:
        self._game.close()

    def _seen(self, stack: Any) -> Seen:
        return {AGENT: np.asarray(stack), FRAME: self.render(), MEMORY: np.array(self._ale.getRAM())}


def make_emulator(game: str) -> gym.Env[Any, Any]:
    """Gymnasium's own environment of one frame a step; UserError where ale_py or the game's ROM is missing."""
    need(f"--env {game}", "ale_py", "cv2")
    import ale_py

    gym.register_envs(ale_py)
    try:
        return gym.make(
            f"ALE/{game}-v5",
            frameskip=1,
            repeat_action_probability=STICKY,
            full_action_space=False,
            disable_env_checker=True,
        )
    except (OSError, gym.error.Error) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--env {game}: its ROM is missing ({reason}); pip install --force-reinstall ale-py") from None
