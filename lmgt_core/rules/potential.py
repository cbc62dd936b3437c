"""Potential-based shifts from judgments: Ng, Harada, Russell 1999, "Policy invariance under reward transformations".

The shift is gamma Phi(s') - Phi(s) with Phi(end) = 0, so along any episode it adds up to -Phi(start), whatever is
done: every policy loses the same and the best one stays the best. gamma has to be the learner's own. A time limit is no
end: where an episode is truncated, Phi(s') stays, as the learner bootstraps there too.

Phi(s) is the judge's opinion of a state: scale * the mean over all its actions of P(good) - P(bad). Where every state
has as many good as bad actions it is 0 everywhere: safe, and no help.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, SupportsFloat

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lmgt_core.guidance.shifter import RewardShifter
from lmgt_core.guidance.transition import add_shift
from lmgt_core.judging.judgment import Judgment


@dataclass(frozen=True)
class Potential:
    """delta is each judgment's part in Phi; `phi` is their mean over the actions of a state."""

    scale: float = 1.0
    name: ClassVar[str] = "potential"

    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        """[batch] scale * expected label; 0 where nothing was said."""
        expected = np.array([0.0 if j is None else j.expected_label for j in judgments], dtype=np.float64)
        return (self.scale * expected).astype(np.float32)

    def phi(self, judgments: Sequence[Judgment | None]) -> float:
        """Phi(s) from the judgments of all of a state's actions, in units of reward; within +- scale."""
        return float(self.delta(judgments).mean(dtype=np.float64)) if judgments else 0.0

    def weight(self, step: int) -> float:
        """1: a weight that changed between two steps would break the sum."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """Nothing: Phi is a function of the judge."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""


def potential_shift(phi_tm1: float, phi_t: float, discount_t: float) -> float:
    """discount_t * Phi(s_t) - Phi(s_tm1); discount_t is gamma, and 0 where the episode terminated."""
    return discount_t * phi_t - phi_tm1


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

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """The environment's step with the shifted reward; an automatic reset's step is not shifted."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        following = 0.0 if terminated else self.potential(observation)
        delta = 0.0 if self._ended else potential_shift(self._phi, following, self.discount)
        self._phi, self._ended = following, terminated or truncated
        info = {**info, "reward": reward, "shift": delta, "shift_weight": 1.0}
        shifted = reward if delta == 0 else add_shift(float(reward), delta, 1.0)
        return observation, shifted, terminated, truncated, info

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
