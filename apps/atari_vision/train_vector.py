"""The worlds as Stable-Baselines3's learners want them: the agent's view alone, the shift in the reward.

From the inside out: statistics (which see the world's own rewards), the sign of a game's reward, the shift, and last
the view. The shift comes after the sign: sign(0 + 0.1) = 1.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics, TransformReward
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import VecEnv

from apps.atari_vision.simulator.seen import AGENT
from apps.atari_vision.worlds import World, environment
from lmgt_core.shifter import RewardShifter
from lmgt_core.transition import add_shift
from lmgt_core.wrappers import VectorRewardShift


def training_envs(world: World, n_envs: int, shifter: RewardShifter | None, limit: int | None) -> "LearnerEnvs":
    """The environments that a learner trains in; frames are drawn only where a judge may want them."""
    make = partial(environment, world.name, shifter is not None, limit)
    envs: VectorEnv[Any, Any, Any] = SyncVectorEnv([make] * n_envs, autoreset_mode=AutoresetMode.SAME_STEP)
    envs = RecordEpisodeStatistics(envs)
    if world.game:
        envs = TransformReward(envs, np.sign)
    return LearnerEnvs(VectorRewardShift(envs, shifter) if shifter is not None else envs)


class LearnerEnvs(VecEnv):
    """A Gymnasium vector environment, resetting in the same step, behind Stable-Baselines3's interface.

    Infos carry what a learner or its replay buffer looks for: terminal_observation and TimeLimit.truncated at an
    episode's end, `episode` with return r (without signs or shifts) and length l, and where there is a shift, `reward`
    (without it) and `shift`.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        self.render_mode = None
        space = envs.single_observation_space
        self._whole = isinstance(space, gym.spaces.Dict)  # whether observations hold frame and memory as well
        super().__init__(envs.num_envs, space[AGENT] if isinstance(space, gym.spaces.Dict) else space,
                         envs.single_action_space)  # fmt: skip
        self.envs = envs
        self._actions: Any = None

    def reset(self) -> Any:
        """The first observations; seeded by a `seed` before."""
        seeds: Any = None if all(s is None for s in self._seeds) else list(self._seeds)
        observations, _ = self.envs.reset(seed=seeds)
        self._reset_seeds()
        return self._view(observations)

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
            infos[i]["terminal_observation"] = self._view(info["final_obs"][i])
            infos[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
            infos[i]["episode"] = {"r": float(info["episode"]["r"][i]), "l": int(info["episode"]["l"][i])}
        return self._view(observations), rewards, ended, infos

    def _view(self, observation: Any) -> Any:
        return observation[AGENT] if self._whole else observation

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


class ShiftReplay(ReplayBuffer):
    """Stable-Baselines3's buffer with r_t and shift_t side by side: samples hold r_t + w * shift_t, w being today's."""

    def __init__(self, *args: Any, shifter: RewardShifter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shifter = shifter
        self.decisions = 0
        self.unshifted = np.zeros((self.buffer_size, self.n_envs), dtype=np.float64)
        self.shifts = np.zeros((self.buffer_size, self.n_envs), dtype=np.float32)

    def add(
        self, obs: NDArray[Any], next_obs: NDArray[Any], action: NDArray[Any], reward: NDArray[Any],
        done: NDArray[Any], infos: list[dict[str, Any]],
    ) -> None:  # fmt: skip
        """Stores a transition of each environment; `infos` say what its reward and shift are."""
        self.unshifted[self.pos] = [info["reward"] for info in infos]
        self.shifts[self.pos] = [info["shift"] for info in infos]
        self.decisions += self.n_envs
        super().add(obs, next_obs, action, reward, done, infos)

    def _get_samples(self, batch_inds: NDArray[Any], env: Any = None) -> Any:
        rows = np.unique(batch_inds)
        weight = self.shifter.weight(max(self.decisions - 1, 0))  # that of the latest decision
        self.rewards[rows] = add_shift(self.unshifted[rows], self.shifts[rows], weight)
        return super()._get_samples(batch_inds, env)
