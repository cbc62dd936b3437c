"""Gymnasium's vector environments behind Stable-Baselines3's interface, so that the shift enters at the one wrapper."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.vec_env import VecEnv


class LearnerVecEnv(VecEnv):
    """A Gymnasium vector environment, resetting in the same step, behind Stable-Baselines3's interface.

    Infos carry what a learner or its replay buffer looks for: terminal_observation and TimeLimit.truncated at an
    episode's end, `episode` with return r and length l, and where there is a shift, `reward` (without it), `shift` and
    `shift_ticket`.
    Of observations that are dictionaries the learner is shown the part called `view`; a judge has seen the whole.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any], view: str | None = None) -> None:
        if envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
            raise ValueError(f"{envs} has to reset in the same step, as Stable-Baselines3 expects")
        self.render_mode = None
        space = envs.single_observation_space
        self._view = view if isinstance(space, gym.spaces.Dict) else None
        shown = space[view] if isinstance(space, gym.spaces.Dict) and view is not None else space
        super().__init__(envs.num_envs, shown, envs.single_action_space)
        self.envs = envs
        self._actions: Any = None

    def reset(self) -> Any:
        """The first observations; seeded by a `seed` before."""
        seeds: Any = None if all(s is None for s in self._seeds) else list(self._seeds)
        observations, _ = self.envs.reset(seed=seeds)
        self._reset_seeds()
        return self._seen(observations)

    def step_async(self, actions: Any) -> None:
        self._actions = actions

    def step_wait(self) -> Any:
        """Observations, rewards, whether episodes ended, and infos, of all environments."""
        observations, rewards, terminated, truncated, info = self.envs.step(self._actions)
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if "shift" in info:
            for i, about in enumerate(infos):
                about |= {name: info[name][i] for name in ("reward", "shift", "shift_ticket") if name in info}
        for i in np.flatnonzero(ended):
            infos[i]["terminal_observation"] = self._seen(info["final_obs"][i])
            infos[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
            infos[i]["episode"] = {"r": float(info["episode"]["r"][i]), "l": int(info["episode"]["l"][i])}
        return self._seen(observations), rewards, ended, infos

    def _seen(self, observation: Any) -> Any:
        return observation if self._view is None else observation[self._view]

    def close(self) -> None:
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [self.render_mode if attr_name == "render_mode" else getattr(self.envs, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError("environments are set up before training")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise NotImplementedError("environments are set up before training")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> Sequence[bool]:  # type: ignore[override]
        return [False] * self.num_envs
