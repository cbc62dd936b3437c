"""Many copies of a world that step together, each in a process of its own, and go on exactly where they were killed.

A simulator's state cannot be saved in general. So every episode has a seed of its own, and a checkpoint keeps the
actions of the running episodes: playing them again leads to the same state, since equal seeds and actions give equal
episodes (the environments' contract).
"""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import iterate
from numpy.typing import NDArray

from apps.atari_vision.simulator.seen import AGENT
from lmgt_core.errors import UserError

Envs = VectorEnv[Any, Any, Any]
Bools = NDArray[np.bool_]


def make_envs(make: Callable[[], gym.Env[Any, Any]], count: int, processes: bool) -> Envs:
    """`count` copies of the world that `make` (which can be pickled) gives, reset when they are told to.

    With `processes` each runs in a process of its own, which ends with this one; without, all run here.
    """
    makers = [make] * count
    if not processes:
        return SyncVectorEnv(makers, autoreset_mode=AutoresetMode.DISABLED)
    # spawn: a fork would copy this process's threads (torch's among them) in whatever state they are
    return AsyncVectorEnv(makers, autoreset_mode=AutoresetMode.DISABLED, context="spawn")


class Actors:
    """Steps all copies together; `ended` says which have to `begin` an episode before the next step."""

    def __init__(self, envs: Envs, seed: int) -> None:
        if envs.metadata.get("autoreset_mode") is not AutoresetMode.DISABLED:
            raise ValueError(f"{envs} resets by itself; its autoreset_mode has to be DISABLED")
        self.envs, self.seed, self.count = envs, seed, envs.num_envs
        self.observations: Any = None
        self.ended: Bools = np.ones(self.count, dtype=bool)
        self.episodes = np.zeros(self.count, dtype=np.int64)  # begun so far
        self._actions: list[list[int]] = [[] for _ in range(self.count)]  # of the running episodes

    @property
    def view(self) -> NDArray[Any]:
        """[actor, ...] what the agents see: the whole observation, or its `agent` part."""
        if isinstance(self.envs.single_observation_space, gym.spaces.Dict):
            return np.asarray(self.observations[AGENT])
        return np.asarray(self.observations)

    def each(self) -> list[Any]:
        """The whole observations one by one, as a judge's describer wants them."""
        return list(iterate(self.envs.observation_space, self.observations))

    def begin(self) -> Bools:
        """Begins an episode wherever one has ended; [actor] where."""
        begun = self.ended.copy()
        if begun.any():
            self.episodes[begun] += 1
            self._reset(begun)
            for i in np.flatnonzero(begun):
                self._actions[i] = []
            self.ended = np.zeros(self.count, dtype=bool)
        return begun

    def step(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], Bools, Bools]:
        """(rewards, terminated, truncated), each [actor]; `observations` are then those after the step."""
        self.observations, rewards, terminated, truncated, _ = self.envs.step(actions)
        for i, action in enumerate(actions.tolist()):
            self._actions[i].append(action)
        self.ended = terminated | truncated
        return np.array(rewards), np.array(terminated), np.array(truncated)

    def close(self) -> None:
        """Ends the processes."""
        self.envs.close()

    def state_dict(self) -> dict[str, Any]:
        """What leads to the present state again: plain numbers, and the agents' view to check it by."""
        lists = {"actions": self._actions, "episodes": self.episodes.tolist(), "ended": self.ended.tolist()}
        return {**lists, "view": np.array(self.view)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Plays the running episodes again; UserError where the world does not repeat itself."""
        self.episodes = np.array(state["episodes"], dtype=np.int64)
        self.ended = np.array(state["ended"], dtype=bool)
        self._actions = [list(actions) for actions in state["actions"]]
        self._replay()
        running = ~self.ended
        if not np.array_equal(self.view[running], np.asarray(state["view"])[running]):
            raise UserError(
                "--resume: the world did not come to the same state by the same seed and actions, so the run cannot go "
                "on as if it had not been killed; start again with another --out"
            )

    def _replay(self) -> None:
        """Steps all actors until each has repeated its actions; those that began later mark time before that."""
        lengths = np.array([0 if over else len(a) for over, a in zip(self.ended, self._actions, strict=True)])
        longest = int(lengths.max())
        over = np.ones(self.count, dtype=bool)
        for t in range(longest + 1):
            starts = ~self.ended & (lengths == longest - t)
            if (needed := starts | over).any():
                self._reset(needed)
            if t == longest:
                return
            done = t - (longest - lengths)  # decisions that each has repeated; below 0: marks time
            actions = [a[k] if 0 <= k < n else 0 for a, k, n in zip(self._actions, done, lengths, strict=True)]
            self.observations, _, terminated, truncated, _ = self.envs.step(np.array(actions))
            over = terminated | truncated

    def _reset(self, mask: Bools) -> None:
        seeds = [self._episode_seed(i) if begins else None for i, begins in enumerate(mask)]
        self.observations, _ = self.envs.reset(seed=seeds, options={"reset_mask": mask})

    def _episode_seed(self, actor: int) -> int:
        return int(np.random.SeedSequence([self.seed, actor, int(self.episodes[actor])]).generate_state(1)[0])
