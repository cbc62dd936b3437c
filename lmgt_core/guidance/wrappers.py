"""The Gymnasium seam: environments whose rewards are shifted.

The wrapper goes outermost. Whatever clips or scales rewards belongs under it: sign(0 + 0.1) = 1, so clipping a shifted
reward would turn a nudge into a full reward. Episode statistics belong under it too, and so count unshifted returns.
Evaluation environments are not wrapped.

`info["reward"]` is the unshifted reward, `info["shift"]` the judge's delta, `info["shift_weight"]` its weight: the
reward returned is reward + shift_weight * shift.
"""

from collections.abc import Mapping
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import iterate
from numpy.typing import NDArray

from lmgt_core.guidance.shifter import RewardShifter
from lmgt_core.guidance.transition import add_shift
from lmgt_core.rules.agent_rule import AgentRule
from lmgt_core.rules.potential import Potential


class RewardShift(gym.Wrapper[Any, Any, Any, Any]):
    """Shifts the rewards of one environment.

    The state before the action is judged. A step that directly follows an episode's end is an automatic reset, which
    ignores its action: it is neither judged nor counted in `decisions`, the t of the weight.
    """

    def __init__(self, env: gym.Env[Any, Any], shifter: RewardShifter) -> None:
        super().__init__(env)
        _check_rule(shifter)
        self.shifter = shifter
        self.decisions = 0
        self._observation: Any = None
        self._ended = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The first observation, which the next action is judged in."""
        self._observation, info = self.env.reset(seed=seed, options=options)
        self._ended = False
        return self._observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """The environment's step with the shifted reward."""
        delta, weight = 0.0, self.shifter.weight(self.decisions)
        if not self._ended:
            delta = float(self.shifter([self._observation], [action]).delta[0])
            self.decisions += 1
        self._observation, reward, terminated, truncated, info = self.env.step(action)
        self._ended = terminated or truncated
        info = {**info, "reward": reward, "shift": delta, "shift_weight": weight}
        shifted = reward if delta == 0 else add_shift(float(reward), delta, weight)
        return self._observation, shifted, terminated, truncated, info

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep of the shifting, taken between two episodes."""
        return {"decisions": self.decisions, "shifter": self.shifter.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self.decisions = int(state["decisions"])
        self.shifter.load_state_dict(state["shifter"])


class VectorRewardShift(VectorWrapper[Any, Any, Any, Any, Any]):
    """Shifts the rewards of a vector of environments, and judges all their decisions in one batch.

    It follows the environments' autoreset mode: with NEXT_STEP the step after an end ignores its action, so there is
    nothing to judge; with SAME_STEP every step is a decision; with DISABLED an ended environment has to be reset first
    (`reset(options={"reset_mask": ...})`). `decisions`, the t of the weight, counts the decisions of all environments.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], shifter: RewardShifter) -> None:
        super().__init__(env)
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ValueError(f"{env} does not say its autoreset_mode, so it is unknown which steps are decisions")
        _check_rule(shifter)
        self.shifter = shifter
        self.decisions = 0
        self._mode = mode
        self._observations: Any = None
        self._ended = np.ones(self.num_envs, dtype=bool)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The first observations; with `reset_mask` among the options, of those environments only."""
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=bool))  # the environments pop it
        self._observations, info = self.env.reset(seed=seed, options=options)
        self._ended = self._ended & ~mask
        return self._observations, info

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """The environments' step with the shifted rewards  # [environment]"""
        weight = self.shifter.weight(self.decisions)
        delta = self._delta(actions)
        self._observations, rewards, terminated, truncated, info = self.env.step(actions)
        ended = terminated | truncated
        self._ended = np.zeros_like(ended) if self._mode is AutoresetMode.SAME_STEP else ended
        everywhere = np.ones(self.num_envs, dtype=bool)  # Gymnasium's masks: which environments have the entry
        info = {**info, "reward": rewards, "shift": delta, "shift_weight": np.full(self.num_envs, weight)}
        info |= {"_reward": everywhere, "_shift": everywhere, "_shift_weight": everywhere}
        return self._observations, np.asarray(add_shift(rewards, delta, weight)), terminated, truncated, info

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep of the shifting."""
        return {"decisions": self.decisions, "shifter": self.shifter.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self.decisions = int(state["decisions"])
        self.shifter.load_state_dict(state["shifter"])

    def _delta(self, actions: Any) -> NDArray[np.float32]:
        """[environment] the shifts of this step's decisions; 0 for environments that ignore the action."""
        delta = np.zeros(self.num_envs, dtype=np.float32)
        decides = np.flatnonzero(~self._ended)
        observations = list(iterate(self.observation_space, self._observations))
        chosen = list(iterate(self.action_space, actions))
        delta[decides] = self.shifter([observations[i] for i in decides], [chosen[i] for i in decides]).delta
        self.decisions += len(decides)
        return delta


def _check_rule(shifter: RewardShifter) -> None:
    """ValueError for a rule whose delta is no shift of the reward: added to it, it would be `raw` by another name."""
    rule = getattr(shifter, "rule", None)  # what judges in the background hides its rule in a thread
    if isinstance(rule, AgentRule | Potential):
        raise ValueError(f"the rule {rule.name} does not work by adding a number to the reward of one decision")
