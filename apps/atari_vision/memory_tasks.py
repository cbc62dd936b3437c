"""Small worlds that ask for one thing each: memory (T-maze, CartPole without velocities) or exploration (chain, maze).

Many copies step together as arrays, so that an agent's whole training takes seconds to minutes on one core. They are
Gymnasium vector environments that reset when they are told to (`reset(options={"reset_mask": ...})`).
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Step = tuple[Floats, NDArray[np.float64], Bools, Bools, dict[str, Any]]


class SmallWorlds(VectorEnv[Floats, NDArray[np.int64], Any]):
    """`num_envs` copies; a subclass says how an episode begins, goes on and looks."""

    metadata = {"autoreset_mode": AutoresetMode.DISABLED, "render_modes": []}  # noqa: RUF012 - Gymnasium's own form

    def __init__(self, num_envs: int, features: int, actions: int, limit: int) -> None:
        self.num_envs, self.limit = num_envs, limit
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (features,), np.float32)
        self.single_action_space = gym.spaces.Discrete(actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.elapsed = np.zeros(num_envs, dtype=np.int64)
        self._ended = np.ones(num_envs, dtype=bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """The observations, after new episodes where options["reset_mask"] says so (default: everywhere)."""
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=bool))
        seeds = [None if seed is None else seed + i for i in range(self.num_envs)] if _single(seed) else list(seed)
        for i in np.flatnonzero(mask):
            self.begin(int(i), np.random.default_rng(seeds[i]))
        self.elapsed[mask], self._ended[mask] = 0, False
        return self.observe(), {}

    def step(self, actions: NDArray[np.int64]) -> Step:
        """One decision of every copy; RuntimeError where one has ended."""
        if self._ended.any():
            raise RuntimeError("an episode has ended; reset it with options={'reset_mask': ...}")
        rewards, terminated = self.move(np.asarray(actions))
        self.elapsed += 1
        truncated = (self.elapsed >= self.limit) & ~terminated
        self._ended = terminated | truncated
        return self.observe(), rewards, terminated, truncated, {}

    @abstractmethod
    def begin(self, env: int, rng: np.random.Generator) -> None:
        """Puts one copy at an episode's start."""

    @abstractmethod
    def move(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], Bools]:
        """Moves every copy: (rewards, terminated)."""

    @abstractmethod
    def observe(self) -> Floats:
        """[copy, feature] a new array of what is seen now."""


def _single(seed: Any) -> bool:
    return seed is None or isinstance(seed, int)


class TMaze(SmallWorlds):
    """A corridor whose first cell shows a sign, up or down, and whose far end is a junction: turn as the sign said.

    After Bakker 2002 (NeurIPS 14), with three actions (on, up, down) and rewards of our own: the right turn earns 1,
    the wrong one -1, and both end the episode; standing still costs 0.1. Without memory nobody earns more than 0 on
    average.
    """

    ON, UP, DOWN = range(3)

    def __init__(self, num_envs: int, length: int = 10) -> None:
        super().__init__(num_envs, features=4, actions=3, limit=3 * length)
        self.length = length
        self.place = np.zeros(num_envs, dtype=np.int64)
        self.up = np.zeros(num_envs, dtype=bool)

    def begin(self, env: int, rng: np.random.Generator) -> None:
        self.place[env], self.up[env] = 0, rng.random() < 0.5

    def move(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], Bools]:
        at_junction, on = self.place == self.length, actions == self.ON
        turned = at_junction & ~on
        right = turned & ((actions == self.UP) == self.up)
        rewards = np.where(turned, np.where(right, 1.0, -1.0), np.where(on & ~at_junction, 0.0, -0.1))
        self.place = np.where(on, np.minimum(self.place + 1, self.length), self.place)
        return rewards, turned

    def observe(self) -> Floats:
        start, end = self.place == 0, self.place == self.length
        return np.stack([start & self.up, start & ~self.up, ~start & ~end, end], axis=1).astype(np.float32)


class BlindCartPole(SmallWorlds):
    """Gymnasium's CartPole-v1 of which only the cart's position and the pole's angle are seen, scaled to their limits.

    Its equations (Barto, Sutton, Anderson 1983) over arrays; a test compares them with Gymnasium's own step by step.
    """

    def __init__(self, num_envs: int, limit: int = 500) -> None:
        super().__init__(num_envs, features=2, actions=2, limit=limit)
        self.state = np.zeros((num_envs, 4))  # position, velocity, angle, angular velocity

    def begin(self, env: int, rng: np.random.Generator) -> None:
        self.state[env] = rng.uniform(-0.05, 0.05, size=4)

    def move(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], Bools]:
        _, x_dot, theta, theta_dot = self.state.T
        force = np.where(actions == 1, 10.0, -10.0)
        cos, sin = np.cos(theta), np.sin(theta)
        push = (force + 0.05 * theta_dot**2 * sin) / 1.1
        theta_acc = (9.8 * sin - cos * push) / (0.5 * (4.0 / 3.0 - 0.1 * cos**2 / 1.1))
        x_acc = push - 0.05 * theta_acc * cos / 1.1
        speeds = np.stack([x_dot, x_acc, theta_dot, theta_acc], axis=1)
        self.state = self.state + 0.02 * speeds
        fallen = (np.abs(self.state[:, 0]) > 2.4) | (np.abs(self.state[:, 2]) > 12 * 2 * np.pi / 360)
        return np.ones(self.num_envs), fallen

    def observe(self) -> Floats:
        return (self.state[:, [0, 2]] / (2.4, 12 * 2 * np.pi / 360)).astype(np.float32)


class Explorable(SmallWorlds):
    """A world of numbered cells that remembers which of them any copy has ever entered."""

    def __init__(self, num_envs: int, cells: int, features: int, actions: int, limit: int) -> None:
        super().__init__(num_envs, features, actions, limit)
        self.place = np.zeros(num_envs, dtype=np.int64)
        self.visited = np.zeros(cells, dtype=bool)

    def begin(self, env: int, rng: np.random.Generator) -> None:
        self.place[env] = 0
        self.visited[0] = True

    def enter(self, places: NDArray[np.int64]) -> tuple[NDArray[np.float64], Bools]:
        """Moves the copies to `places`; the last cell earns 1 and ends the episode."""
        self.place = places
        self.visited[places] = True
        goal = places == len(self.visited) - 1
        return goal.astype(np.float64), goal


class LockedChain(Explorable):
    """A chain of cells, in each of which one of two actions leads on and the other back to the start.

    Which one is drawn by a fixed seed, as in bsuite's deep sea, so no constant action gets far: at random, cell n takes
    2 ** n attempts. The only reward lies at the end.
    """

    def __init__(self, num_envs: int, length: int = 40, seed: int = 0) -> None:
        super().__init__(num_envs, length, features=length, actions=2, limit=2 * length)
        self.key = np.random.default_rng(seed).integers(2, size=length)

    def move(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], Bools]:
        return self.enter(np.where(actions == self.key[self.place], self.place + 1, 0))

    def observe(self) -> Floats:
        return np.eye(len(self.visited), dtype=np.float32)[self.place]


class Maze(Explorable):
    """A perfect maze of side * side cells from corner to corner, the same for everyone; row and column are seen.

    The only reward lies in the far corner.
    """

    MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))

    def __init__(self, num_envs: int, side: int = 16, limit: int = 200, seed: int = 0) -> None:
        super().__init__(num_envs, side * side, features=2 * side, actions=4, limit=limit)
        self.side = side
        self.neighbour = carve(side, np.random.default_rng(seed))

    def move(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], Bools]:
        return self.enter(self.neighbour[self.place, actions])

    def observe(self) -> Floats:
        axes = np.eye(self.side, dtype=np.float32)
        return np.concatenate([axes[self.place // self.side], axes[self.place % self.side]], axis=1)


def carve(side: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """[cell, action] where each action leads in a maze carved by a random depth-first walk; a wall leads nowhere."""
    neighbour = np.repeat(np.arange(side * side)[:, None], 4, axis=1)
    seen, path = {0}, [0]
    while path:
        row, column = divmod(path[-1], side)
        options = [
            (action, (row + dr) * side + column + dc)
            for action, (dr, dc) in enumerate(Maze.MOVES)
            if 0 <= row + dr < side and 0 <= column + dc < side and (row + dr) * side + column + dc not in seen
        ]
        if not options:
            path.pop()
            continue
        action, cell = options[rng.integers(len(options))]
        neighbour[path[-1], action], neighbour[cell, action ^ 1] = cell, path[-1]
        seen.add(cell)
        path.append(cell)
    return neighbour
