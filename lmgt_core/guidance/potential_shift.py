"""The Gymnasium seam of potential-based shifts (lmgt_core/rules/potential.py), which also needs the next state."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from lmgt_core.guidance.reward import shifted_reward
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.rules.potential import Potential, potential_shift


class PotentialShift(gym.Wrapper[Any, Any, Any, Any]):
    """Shifts the rewards of one environment with few actions by gamma Phi(s') - Phi(s).

    It goes outermost, like RewardShift, and tells the same in `info`: `reward` (unshifted), `shift`, `shift_weight`.
    Every state is judged once for each of the `actions`, all in one batch. ValueError for a shifter whose rule is not
    `potential`.
    """

    def __init__(
        self, env: gym.Env[Any, Any], shifter: RewardShifter, discount: float, actions: Sequence[Any] | None = None
    ) -> None:
        super().__init__(env)
        if not isinstance(shifter.rule, Potential):
            raise ValueError(f"a potential is needed, not the rule {shifter.rule.name}")
        self.shifter, self.discount = shifter, discount
        self.actions = list(actions) if actions is not None else _every_action(env.action_space)
        self._phi = 0.0
        self._ended = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The first observation, whose potential every later shift is measured against."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._phi, self._ended = self.potential(observation), False
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """The environment's step with the shifted reward; an automatic reset's step is not shifted."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        following = 0.0 if terminated else self.potential(observation)
        delta = 0.0 if self._ended else potential_shift(self._phi, following, self.discount)
        self._phi, self._ended = following, terminated or truncated
        info = {**info, "reward": reward, "shift": delta, "shift_weight": 1.0}
        return observation, shifted_reward(float(reward), delta, 1.0), terminated, truncated, info

    def potential(self, observation: Any) -> float:
        """Phi of the state that `observation` shows."""
        return float(self.shifter([observation] * len(self.actions), self.actions).delta.mean(dtype=np.float64))

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep of the shifting, taken between two episodes."""
        return {"shifter": self.shifter.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self.shifter.load_state_dict(state["shifter"])


def _every_action(space: gym.Space[Any]) -> list[Any]:
    if not isinstance(space, gym.spaces.Discrete):
        raise ValueError(f"the actions of {space} cannot be listed; name those that words tell apart")
    return list(range(int(space.start), int(space.start + space.n)))
