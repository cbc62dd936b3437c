"""Q-learning and Sarsa with a table, for tasks with few states.

An episode is learnt from when it is over, last step first, so that its end reaches its beginning in one sweep. RUDDER's
"TD" is the first of the two (Arjona-Medina et al. 2019); `td` here is on-policy TD control (Sutton, Barto 2018, 6.4).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from apps.control.evaluate import evaluate
from apps.control.exact import Policy
from apps.control.worlds import World
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.guidance.wrappers import RewardShift

Record = Callable[[str, dict[str, Any]], None]  # table, row
STOP_WINDOW, STOP_MEAN = 750, 0.95  # RUDDER's rule: this share of this many last decisions was optimal
Step = tuple[tuple[int, ...], int, float]  # state, action, reward


@dataclass(frozen=True)
class TabularConfig:
    """`step_size` is RUDDER's demonstration's; exploring by this `epsilon`, a perfect table decides right in 97.5 %."""

    step_size: float = 0.1
    epsilon: float = 0.05
    discount: float = 1.0


class QTable:
    """Values of all states and actions, and the policy that is greedy for them most of the time."""

    def __init__(self, states: NDArray[np.int64], actions: int, algorithm: str, rng: np.random.Generator) -> None:
        self.values = np.zeros((*states.tolist(), actions))
        self.algorithm = algorithm
        self.config = TabularConfig()
        self.rng = rng

    def explore(self, state: tuple[int, ...]) -> int:
        """The greedy action, or now and then any; ties fall by lot."""
        values = self.values[state].tolist()  # numpy is slow on two numbers
        luck = self.rng.random()
        if luck < self.config.epsilon:
            return int(self.rng.integers(len(values)))
        top = max(values)
        best = [action for action, value in enumerate(values) if value == top]
        return best[0] if len(best) == 1 else best[int(self.rng.integers(len(best)))]

    def learn(self, episode: list[Step]) -> None:
        """Moves the values of a finished episode's steps towards their targets, last step first."""
        values, config = self.values, self.config
        discount = 0.0
        next_value = 0.0  # of the next state: its best value, or that of the action that was taken there
        for state, action, reward in reversed(episode):
            row = values[state]
            row[action] += config.step_size * (reward + discount * next_value - row[action])
            next_value = row.max() if self.algorithm == "q-learning" else row[action]
            discount = config.discount

    def policy(self) -> Policy:
        """The greedy policy; the first of several best actions."""
        values = self.values
        return lambda observations: np.array([int(values[tuple(o)].argmax()) for o in observations])


def train_tabular(
    task: World,
    algorithm: str,
    steps: int,
    seed: int,
    source: ShiftSource | None,
    evaluate_every: int,
    stop_rule: bool,
    record: Record,
    tick: Callable[[int], None] = lambda done: None,
) -> tuple[dict[str, float | None], QTable]:
    """Trains until the budget or, for a task that counts optimal decisions, the stop rule ends it.

    Returns the last evaluation, with `episodes_to_rule` (None if it was not reached), and the table. An episode that
    the budget cuts short is not learnt from.
    """
    env: gym.Env[Any, Any] = task.make()
    assert isinstance(env.observation_space, gym.spaces.MultiDiscrete)
    assert isinstance(env.action_space, gym.spaces.Discrete)
    table = QTable(env.observation_space.nvec, int(env.action_space.n), algorithm, np.random.default_rng(seed))
    if source is not None:
        env = RewardShift(env, source)
    recent: deque[bool] = deque(maxlen=STOP_WINDOW)
    rows = _Rows(task, record)
    taken = episodes = evaluated = 0
    reached: int | None = None
    observation, _ = env.reset(seed=seed)
    while taken < steps:
        episode, earned, info, ended = _play(env, table, observation, steps - taken)
        taken += len(episode)
        tick(len(episode))
        if not ended:
            break
        table.learn(episode)
        episodes += 1
        rows.add(taken, earned, len(episode))
        recent.append(bool(info.get("optimal", False)))
        if "optimal" in info and reached is None and len(recent) == STOP_WINDOW and np.mean(recent) >= STOP_MEAN:
            reached = episodes
            if stop_rule:
                break
        if taken // evaluate_every > evaluated // evaluate_every:
            evaluated = taken
            record("evaluations", {"decisions": taken, **evaluate(task, table.policy())})
        observation, _ = env.reset()
    rows.finish()
    metrics: dict[str, float | None] = dict(evaluate(task, table.policy()))
    if taken != evaluated:
        record("evaluations", {"decisions": taken, **metrics})
    if task.folder == "watch_repair":
        metrics["episodes_to_rule"] = reached
    return metrics, table


def _play(
    env: gym.Env[Any, Any], table: QTable, observation: Any, most: int
) -> tuple[list[Step], float, dict[str, Any], bool]:
    """One episode of at most `most` steps: its steps, unshifted return, last info, and whether it ended."""
    episode: list[Step] = []
    earned = 0.0
    while len(episode) < most:
        state = tuple(observation.tolist())
        action = table.explore(state)
        observation, reward, terminated, truncated, info = env.step(action)
        episode.append((state, action, float(reward)))
        earned += float(info.get("reward", reward))
        if terminated or truncated:
            return episode, earned, info, True
    return episode, earned, {}, False


class _Rows:
    """Rows of episodes.csv, each the mean of the task's block of episodes."""

    def __init__(self, task: World, record: Record) -> None:
        self.task, self.record = task, record
        self.written = 0
        self.taken = 0
        self.block: list[tuple[float, int]] = []

    def add(self, taken: int, earned: float, length: int) -> None:
        self.taken = taken
        self.block.append((earned, length))
        if len(self.block) == self.task.block:
            self.finish()

    def finish(self) -> None:
        if not self.block:
            return
        returns, lengths = zip(*self.block, strict=True)
        row: dict[str, Any] = {"episode": self.written, "decisions": self.taken}
        row |= {"return": float(np.mean(returns)), "length": float(np.mean(lengths))}
        self.record("episodes", row | ({"episodes": len(returns)} if self.task.block > 1 else {}))
        self.written += 1
        self.block = []
