"""Finite Markov decision processes, their best values, and what a policy is really worth."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
PRECISION = 1e-13  # of value iteration, relative to the largest reward
EQUAL = 1e-9  # values that differ by less are the same number


def greedy(values: Floats) -> NDArray[np.int64]:
    """[state] the best action of values [state, action]; the first of several."""
    return np.asarray(values.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class FiniteMDP:
    """States and actions by number; terminal states lead to themselves, pay nothing and end an episode."""

    name: str
    transitions: Floats  # [state, action, next] probabilities
    rewards: Floats  # [state, action, next]
    terminal: NDArray[np.bool_]  # [state]
    start: Floats  # [state] probabilities
    discount: float

    def __post_init__(self) -> None:
        if not 0 <= self.discount < 1:
            raise ValueError(f"{self.name}: the discount lies in [0, 1), not at {self.discount}")
        if not np.allclose(self.transitions.sum(axis=2), 1) or not np.isclose(self.start.sum(), 1):
            raise ValueError(f"{self.name}: probabilities do not add up to 1")

    @property
    def states(self) -> int:
        """How many states there are, terminal ones included."""
        return int(self.transitions.shape[0])

    @property
    def actions(self) -> int:
        """How many actions every state has."""
        return int(self.transitions.shape[1])

    def shifted(self, delta: Floats) -> "FiniteMDP":
        """The problem whose rewards are r + delta [state, action, next] or [state, action]; terminal states pay 0."""
        delta = delta if delta.ndim == 3 else np.repeat(delta[:, :, None], self.states, axis=2)
        paid = np.where(self.terminal[:, None, None], 0.0, delta)
        return replace(self, name=f"{self.name}, shifted", rewards=self.rewards + paid)

    def backup(self, values: Floats) -> Floats:
        """[state, action] expected reward plus discounted values [state] of the next state; 0 in terminal states."""
        next_values = np.where(self.terminal, 0.0, values)
        q = (self.transitions * (self.rewards + self.discount * next_values)).sum(axis=2)
        return np.asarray(np.where(self.terminal[:, None], 0.0, q))


def value_iteration(mdp: FiniteMDP) -> Floats:
    """[state, action] the best values Q*, to about twelve digits (Sutton, Barto 2018, section 4.4)."""
    q = np.zeros((mdp.states, mdp.actions))
    size = max(float(np.abs(mdp.rewards).max()), 1e-300)
    while True:
        before, q = q, mdp.backup(q.max(axis=1))
        if np.abs(q - before).max() <= PRECISION * size:
            return q


def policy_values(mdp: FiniteMDP, policy: NDArray[np.int64]) -> Floats:
    """[state] the values of a deterministic policy [state], by solving its linear equations; no shift is in them."""
    rows = np.arange(mdp.states)
    chosen = np.where(mdp.terminal[:, None], 0.0, mdp.transitions[rows, policy])
    pay = (chosen * mdp.rewards[rows, policy]).sum(axis=1)
    return np.asarray(np.linalg.solve(np.eye(mdp.states) - mdp.discount * chosen, pay))


def expected_return(mdp: FiniteMDP, policy: NDArray[np.int64]) -> float:
    """The discounted return that a policy [state] earns on average from the start."""
    return float(mdp.start @ policy_values(mdp, policy))


def random_return(mdp: FiniteMDP) -> float:
    """What choosing among all actions at random earns on average, exactly."""
    chances: Floats = np.where(mdp.terminal[:, None], 0.0, mdp.transitions.mean(axis=1))
    pay = np.where(mdp.terminal, 0.0, (mdp.transitions * mdp.rewards).sum(axis=2).mean(axis=1))
    return float(mdp.start @ np.linalg.solve(np.eye(mdp.states) - mdp.discount * chances, pay))


def loss(mdp: FiniteMDP, policy: NDArray[np.int64]) -> float:
    """How much a policy [state] is worse than the best one in the state where it is worst; 0 for an optimal policy."""
    best = value_iteration(mdp).max(axis=1)
    gap = float((best - policy_values(mdp, policy)).max())
    return 0.0 if gap < EQUAL * max(1.0, float(np.abs(best).max())) else gap
