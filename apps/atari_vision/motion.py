"""The last few frames of a world in place of one: a single frame hides velocity."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from apps.atari_vision.simulator.seen import AGENT, FRAME, MEMORY, Seen, spaces
from captioners.captioner import Image
from captioners.strips import labelled, strip_shape

START = "the beginning"


class LastFrames(gym.Wrapper[Seen, Any, Seen, Any]):
    """A world whose frame is the strip of its last `count` frames; before so many were seen, the first is repeated."""

    def __init__(self, env: gym.Env[Seen, Any], count: int, actions: Sequence[str]) -> None:
        super().__init__(env)
        self.count, self.actions = count, actions
        self._seen: deque[tuple[Image, str]] = deque(maxlen=count)
        inner = env.observation_space
        assert isinstance(inner, gym.spaces.Dict)
        frame = inner[FRAME].shape
        assert frame is not None
        self.observation_space = spaces(inner[AGENT], strip_shape((frame[0], frame[1]), count), inner[MEMORY])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Seen, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        self._seen.extend([(observation[FRAME], START)] * self.count)
        return {**observation, FRAME: self.render()}, info

    def step(self, action: Any) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._seen.append((observation[FRAME], self.actions[int(action)]))
        return {**observation, FRAME: self.render()}, float(reward), terminated, truncated, info

    def render(self) -> Any:
        """The strip as it is now."""
        ages = range(self.count - 1, -1, -1)
        return np.hstack(
            [labelled(frame, _when(age, words)) for age, (frame, words) in zip(ages, self._seen, strict=True)]
        )


def _when(age: int, words: str) -> str:
    """How many decisions ago a frame was seen, and what had just been done."""
    return f"{f'{age} ago' if age else 'now'}, after: {words}"
