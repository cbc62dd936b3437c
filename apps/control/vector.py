"""Gymnasium's vector environments for Stable-Baselines3, so that the shift enters at the one wrapper that there is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers.vector import NormalizeReward, RecordEpisodeStatistics
from stable_baselines3.common.vec_env import VecEnv

from apps.control.worlds import World
from lmgt_core.shifter import RewardShifter
from lmgt_core.wrappers import VectorRewardShift


def training_envs(
    task: World, n_envs: int, shifter: RewardShifter | None, normalize_gamma: float | None = None
) -> "LearnerVecEnv":
    """The environments that a learner trains in, from the inside out: statistics, scaled rewards, shift.

    Statistics see the task's own rewards; scaling (with the discount `normalize_gamma`; None: none) comes before the
    shift, which it would otherwise distort.
    """
    envs: VectorEnv[Any, Any, Any] = SyncVectorEnv([task.make] * n_envs, autoreset_mode=AutoresetMode.SAME_STEP)
    envs = RecordEpisodeStatistics(envs)
    if normalize_gamma is not None:
        envs = NormalizeReward(envs, gamma=normalize_gamma)
    return LearnerVecEnv(VectorRewardShift(envs, shifter) if shifter is not None else envs)


class LearnerVecEnv(VecEnv):
    """A Gymnasium vector environment, resetting in the same step, behind Stable-Baselines3's interface.

    Infos carry what a learner or its replay buffer looks for: terminal_observation and TimeLimit.truncated at an
    episode's end, `episode` with return r and length l, and where there is a shift, `reward` (without it) and `shift`.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        if envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
            raise ValueError(f"{envs} has to reset in the same step, as Stable-Baselines3 expects")
        self.render_mode = None
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        self.envs = envs
        self._actions: Any = None

    def reset(self) -> Any:
        """The first observations; seeded by a `seed` before."""
        seeds = None if all(s is None for s in self._seeds) else list(self._seeds)
        observations, _ = self.envs.reset(seed=seeds)
        self._reset_seeds()
        return observations

    def step_async(self, actions: Any) -> None:
        self._actions = actions

    def step_wait(self) -> Any:
        """Observations, rewards, whether episodes ended, and infos, of all environments."""
        observations, rewards, terminated, truncated, info = self.envs.step(self._actions)
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if "shift" in info:
            for i, about in enumerate(infos):
                about["reward"], about["shift"] = info["reward"][i], info["shift"][i]
        for i in np.flatnonzero(ended):
            infos[i]["terminal_observation"] = info["final_obs"][i]
            infos[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
            infos[i]["episode"] = {"r": float(info["episode"]["r"][i]), "l": int(info["episode"]["l"][i])}
        return observations, rewards, ended, infos

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
