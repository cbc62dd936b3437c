"""A double DQN that serves every seam of the shift rules: reward, replay and agent.

Van Hasselt et al. 2016 (arXiv 1509.06461). Rewards and shifts lie apart in the replay and are composed when they are
sampled, so a weight that falls reaches old transitions too. Rules inside the agent act on their `preference`; those
that learn their advice get a second network, trained on shifts alone, which begins at 0: a silent judge advises
nothing. torch is imported when a learner is made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lmgt_core.guidance.reward import shifted_reward
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.rules.agent_rule import AgentRule

Floats32 = NDArray[np.float32]
Policy = Callable[[Floats32], NDArray[np.int64]]  # [batch, feature] -> [batch]


@dataclass(frozen=True)
class DqnConfig:
    """Hyper-parameters; the defaults suit vectors of a few dozen features."""

    discount: float = 0.99
    hidden: int = 64
    learning_rate: float = 1e-3
    learning_rate_left: float = 1.0
    """Share of it that is left at the end of training, falling linearly: 1 keeps it, 0 lets values settle.

    At a constant rate values that have settled go astray now and then (Adam's steps grow when gradients have long been
    small), by more where targets are large, as under look-ahead advice.
    """
    batch_size: int = 64
    warm_up: int = 200
    """Decisions before the first update."""
    update_every: int = 2
    """Decisions between two updates."""
    target_every: int = 200
    """Decisions between two copies into the target network."""
    capacity: int = 50_000
    epsilon_final: float = 0.05
    epsilon_share: float = 0.3
    """Of the training, in which epsilon falls linearly from 1."""


class AdvisedDqn:
    """One agent; `train` runs it in an environment with numbered actions and vectors as observations."""

    def __init__(self, features: int, actions: int, source: RewardShifter | None, config: DqnConfig, seed: int) -> None:
        self.config, self.actions = config, actions
        self.rng = np.random.default_rng(seed)
        rule = None if source is None else source.rule
        self.agent = rule if isinstance(rule, AgentRule) else None
        self.q = Critic(features, actions, config, seed)
        learns = self.agent is not None and self.agent.learns_advice
        advised = self.agent is not None and not learns
        self.source = None if advised else source  # of rules that need the chosen action's shift
        self.advisor = source if advised else None  # of those that need the judgments of every action
        self.critic = Critic(features, actions, config, seed + 1, blank=True) if learns else None
        self.memory = Memory(config.capacity, features, actions)

    def train(
        self, env: gym.Env[Any, Any], steps: int, seed: int, tick: Callable[[int], None] = lambda t: None
    ) -> None:
        """Trains for `steps` decisions; `tick` is called after each with their number so far."""
        observation, _ = env.reset(seed=seed)
        advice = self._given_advice([observation])[0]
        for t in range(steps):
            action = self._explore(observation, advice, t, steps)
            tickets = None if self.source is None else self.source.submit([observation], [action])
            next_observation, reward, terminated, truncated, _ = env.step(action)
            shift = 0.0 if self.source is None else float(self.source.resolve(tickets)[0])
            next_advice = np.zeros_like(advice) if terminated else self._given_advice([next_observation])[0]
            discount = 0.0 if terminated else self.config.discount
            row = (observation, action, float(reward), shift, next_observation, discount, advice, next_advice)
            self.memory.add(*row)
            observation, advice = next_observation, next_advice
            if terminated or truncated:
                observation, _ = env.reset()
                advice = self._given_advice([observation])[0]
            if t + 1 >= self.config.warm_up and t % self.config.update_every == 0:
                self._slow_down(t / steps)
                self._update(t)
            if t % self.config.target_every == 0:
                self.q.copy_to_target()
                if self.critic is not None:
                    self.critic.copy_to_target()
            tick(t + 1)

    def policy(self, step: int) -> Policy:
        """The greedy policy after `step` decisions; `lookahead` goes on asking its judge."""

        def act(observations: Floats32) -> NDArray[np.int64]:
            rows = np.asarray(observations, dtype=np.float32)
            given = self._given_advice(rows)
            return np.asarray(self._preference(rows, given, step).argmax(axis=1), dtype=np.int64)

        return act

    def _preference(self, observations: Floats32, given: Floats32, step: int) -> Floats32:
        """[batch, action] what to act on."""
        q = self.q.values(observations)
        if self.agent is None:
            return q
        advice = given if self.critic is None else self.critic.values(observations)
        return np.asarray(self.agent.preference(q, advice, step), dtype=np.float32)

    def _explore(self, observation: Any, advice: Floats32, step: int, steps: int) -> int:
        progress = min(step / max(self.config.epsilon_share * steps, 1), 1.0)
        if self.rng.random() < 1.0 + progress * (self.config.epsilon_final - 1.0):
            return int(self.rng.integers(self.actions))
        row = np.asarray(observation, dtype=np.float32)[None]
        return int(self._preference(row, advice[None], step)[0].argmax())

    def _given_advice(self, observations: Sequence[Any] | Floats32) -> Floats32:
        """[batch, action] the judgments of every action, for the rule that needs them; else zeros."""
        size = (len(observations), self.actions)
        if self.advisor is None:
            return np.zeros(size, dtype=np.float32)
        every = list(range(self.actions)) * len(observations)
        return self.advisor([o for o in observations for _ in range(self.actions)], every).delta.reshape(size)

    def _slow_down(self, progress: float) -> None:
        """Sets the learning rate of both critics for this share of the training."""
        rate = self.config.learning_rate * (1.0 - (1.0 - self.config.learning_rate_left) * progress)
        for critic in filter(None, (self.q, self.critic)):
            critic.optimiser.param_groups[0]["lr"] = rate

    def _update(self, step: int) -> None:
        """One gradient step of each critic."""
        b = self.memory.sample(self.config.batch_size, self.rng)
        online = self.q.values(b.next_observations)
        rows = np.arange(len(b.actions))
        best = online.argmax(axis=1)
        rewards = b.rewards
        if self.agent is None:
            rewards = shifted_reward(rewards, b.shifts, 0.0 if self.source is None else self.source.weight)
        elif self.critic is None:
            best = self.agent.preference(online, b.next_advice, step).argmax(axis=1)
            rewards = rewards + b.discounts * b.next_advice[rows, best] - b.advice[rows, b.actions]
        else:
            advice = self.critic.values(b.next_observations)
            chosen = self.agent.preference(online, advice, step).argmax(axis=1)
            next_values = self.critic.target_values(b.next_observations)[rows, chosen]
            self.critic.fit(b.observations, b.actions, b.shifts + b.discounts * next_values)
        next_values = self.q.target_values(b.next_observations)[rows, best]
        self.q.fit(b.observations, b.actions, rewards + b.discounts * next_values)


class Critic:
    """A network of values of actions, its slow copy, and its optimiser; a `blank` one begins at 0 everywhere."""

    def __init__(self, features: int, actions: int, config: DqnConfig, seed: int, blank: bool = False) -> None:
        import copy

        import torch
        from torch import nn

        state = torch.random.get_rng_state()
        torch.manual_seed(seed)
        sizes = (features, config.hidden, config.hidden)
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU()]
        last = nn.Linear(config.hidden, actions)
        if blank:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.online = nn.Sequential(*layers, last)
        torch.random.set_rng_state(state)
        self.target = copy.deepcopy(self.online)
        self.optimiser = torch.optim.Adam(self.online.parameters(), lr=config.learning_rate)

    def values(self, observations: Floats32) -> Floats32:
        """[batch, action] of the online network."""
        import torch

        with torch.no_grad():
            return np.asarray(self.online(torch.from_numpy(observations)).numpy())

    def target_values(self, observations: Floats32) -> Floats32:
        """[batch, action] of the target network."""
        import torch

        with torch.no_grad():
            return np.asarray(self.target(torch.from_numpy(observations)).numpy())

    def fit(self, observations: Floats32, actions: NDArray[np.int64], targets: Floats32) -> None:
        """One step towards `targets` [batch]."""
        import torch

        chosen = self.online(torch.from_numpy(observations)).gather(1, torch.from_numpy(actions)[:, None])[:, 0]
        loss = torch.nn.functional.smooth_l1_loss(chosen, torch.from_numpy(targets.astype(np.float32)))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.online.parameters(), 10.0)
        self.optimiser.step()

    def copy_to_target(self) -> None:
        """Makes the target network equal to the online one."""
        self.target.load_state_dict(self.online.state_dict())


@dataclass(frozen=True, eq=False)
class Batch:
    """Sampled decisions, rewards and shifts apart."""

    observations: Floats32  # [batch, feature]
    actions: NDArray[np.int64]
    rewards: Floats32
    shifts: Floats32
    next_observations: Floats32
    discounts: Floats32  # 0 where the episode terminated
    advice: Floats32  # [batch, action]
    next_advice: Floats32


class Memory:
    """The last `capacity` decisions."""

    def __init__(self, capacity: int, features: int, actions: int) -> None:
        wide, many = (capacity, features), (capacity, actions)
        self.columns: dict[str, NDArray[Any]] = {
            "observations": np.zeros(wide, np.float32),
            "actions": np.zeros(capacity, np.int64),
            "rewards": np.zeros(capacity, np.float32),
            "shifts": np.zeros(capacity, np.float32),
            "next_observations": np.zeros(wide, np.float32),
            "discounts": np.zeros(capacity, np.float32),
            "advice": np.zeros(many, np.float32),
            "next_advice": np.zeros(many, np.float32),
        }
        self.capacity, self.added = capacity, 0

    def add(self, *row: Any) -> None:
        """Stores a decision, its values in the order of the columns, in place of the oldest one when full."""
        for column, value in zip(self.columns.values(), row, strict=True):
            column[self.added % self.capacity] = value
        self.added += 1

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """`size` decisions, uniformly with replacement."""
        rows = rng.integers(min(self.added, self.capacity), size=size)
        return Batch(**{name: column[rows] for name, column in self.columns.items()})
