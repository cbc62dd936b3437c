"""The Gymnasium seam: environments whose rewards are shifted.

The wrapper goes outermost. Whatever clips or scales rewards belongs under it: sign(0 + 0.1) = 1, so clipping a shifted
reward would turn a nudge into a full reward. Episode statistics belong under it too, and so count unshifted returns.
Evaluation environments are not wrapped.

`info["reward"]` is the unshifted reward, `info["shift"]` the judge's delta, `info["shift_weight"]` its weight: the
reward returned is reward + shift_weight * shift, floating point whatever the environment pays.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import iterate
from numpy.typing import NDArray

from lmgt_core.guidance.reward import shifted_reward
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.rules.agent_rule import AgentRule
from lmgt_core.rules.potential import Potential


class RewardShift(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Shifts the rewards of one environment.

    The state before the action is judged; a source in the background does so while the environment steps. A step that
    directly follows an episode's end is an automatic reset, which ignores its action: it is no decision.
    """

    def __init__(self, env: gym.Env[Any, Any], source: ShiftSource) -> None:
        RecordConstructorArgs.__init__(self, source=source, _disable_deepcopy=True)  # so that env.spec can make it anew
        gym.Wrapper.__init__(self, env)
        _check_rule(source)
        self.source = source
        self._observation: Any = None
        self._ended = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The first observation, which the next action is judged in."""
        self._observation, info = self.env.reset(seed=seed, options=options)
        self._ended = False
        return self._observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """The environment's step with the shifted reward."""
        decision = [] if self._ended else [(self._observation, action)]
        tickets = self.source.submit([o for o, _ in decision], [a for _, a in decision])
        self._observation, reward, terminated, truncated, info = self.env.step(action)
        self._ended = terminated or truncated
        delta, weight = float(self.source.resolve(tickets).sum()), self.source.weight
        info = {**info, "reward": reward, "shift": delta, "shift_weight": weight}
        return self._observation, shifted_reward(float(reward), delta, weight), terminated, truncated, info


class VectorRewardShift(VectorWrapper[Any, Any, Any, Any, Any]):
    """Shifts the rewards of a vector of environments, and judges all their decisions in one batch.

    It follows the environments' autoreset mode: with NEXT_STEP the step after an end ignores its action, so there is
    nothing to judge; with SAME_STEP every step is a decision; with DISABLED an ended environment has to be reset first
    (`reset(options={"reset_mask": ...})`). The environments of one step share its weight.

    `late` is for learners with a replay that asks for shifts when it samples (lmgt_core/learners/replay.py): rewards
    are not shifted here, and `info["shift_ticket"]` [environment] says what to resolve (-1: no decision, no shift).
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], source: ShiftSource, late: bool = False) -> None:
        super().__init__(env)
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ValueError(f"{env} does not say its autoreset_mode, so it is unknown which steps are decisions")
        _check_rule(source)
        self.source, self.late = source, late
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
    ) -> tuple[Any, NDArray[np.floating[Any]], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """The environments' step with the shifted rewards  # [environment]"""
        decides = np.flatnonzero(~self._ended)
        observations = list(iterate(self.observation_space, self._observations))
        chosen = list(iterate(self.action_space, actions))
        tickets = self.source.submit([observations[i] for i in decides], [chosen[i] for i in decides])
        self._observations, rewards, terminated, truncated, info = self.env.step(actions)
        ended = terminated | truncated
        self._ended = np.zeros_like(ended) if self._mode is AutoresetMode.SAME_STEP else ended
        delta, ticket = np.zeros(self.num_envs, np.float32), np.full(self.num_envs, -1)
        if self.late:
            ticket[decides] = tickets
        else:
            delta[decides] = self.source.resolve(tickets)
        weight = self.source.weight
        told = {"reward": rewards, "shift": delta, "shift_weight": np.full(self.num_envs, weight)}
        told |= {"shift_ticket": ticket} if self.late else {}
        everywhere = np.ones(self.num_envs, dtype=bool)  # Gymnasium's masks: which environments have the entry
        info = {**info, **told, **{f"_{name}": everywhere for name in told}}
        return self._observations, shifted_reward(rewards, delta, weight), terminated, truncated, info


def _check_rule(source: ShiftSource) -> None:
    """ValueError for a rule whose delta is no shift of the reward: added to it, it would be `raw` by another name."""
    if isinstance(rule := source.rule, AgentRule | Potential):
        raise ValueError(f"the rule {rule.name} does not work by adding a number to the reward of one decision")
