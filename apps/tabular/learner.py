"""Q-learning and Sarsa with a table, under any shift rule; they see transitions only, never the probabilities."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from apps.tabular.labels import Table
from apps.tabular.limits import shift_table
from apps.tabular.mdp import FiniteMDP, Floats, expected_return, greedy
from lmgt_core.rules.agent_rule import AgentRule
from lmgt_core.rules.potential import Potential, potential_shift
from lmgt_core.rules.shift import ShiftRule

Algorithm = Literal["q-learning", "sarsa"]


@dataclass(frozen=True)
class LearnerConfig:
    """How a table is learnt; `epsilon` is the share of random actions, falling linearly to `epsilon_final`."""

    algorithm: Algorithm = "q-learning"
    step_size: float = 0.1
    """The smallest one: the n-th update of an entry moves by max(step_size, n ** -0.6)."""
    epsilon: float = 1.0
    epsilon_final: float = 0.0
    epsilon_share: float = 0.8
    """Of the training, after which epsilon is final."""
    exploring_starts: bool = False
    """Episodes begin anywhere: what a proof needs, and a robot lacks."""
    horizon: int = 100
    """Steps after which an episode is cut (truncated: values are bootstrapped there)."""


@dataclass
class Learned:
    """Tables [state, action], what the agent acts on in the end, and the returns on the way."""

    q: Floats
    advice: Floats
    preference: Floats
    visits: NDArray[np.int64]
    curve: list[tuple[int, float]] = field(default_factory=list)
    """(steps so far, exact expected unshifted return of the greedy policy)."""

    def policy(self) -> NDArray[np.int64]:
        """[state] the greedy policy; the first of several best actions."""
        return greedy(self.preference)


class TabularLearner:
    """One training; `learn` runs it."""

    def __init__(
        self,
        mdp: FiniteMDP,
        rule: ShiftRule | AgentRule,
        said: Table,
        config: LearnerConfig,
        rng: np.random.Generator,
    ) -> None:
        self.mdp, self.rule, self.config, self.rng = mdp, rule, config, rng
        self.said = said
        self.q = np.zeros((mdp.states, mdp.actions))
        self.visits = np.zeros((mdp.states, mdp.actions), dtype=np.int64)
        self.agent = rule if isinstance(rule, AgentRule) else None
        table = np.where(mdp.terminal[:, None], 0.0, shift_table(rule, said)) if needs_table(rule) else None
        given = self.agent is not None and not self.agent.learns_advice
        self.advice = table.copy() if given and table is not None else np.zeros_like(self.q)
        self.phi = table.mean(axis=1) if isinstance(rule, Potential) and table is not None else None
        self._after = np.cumsum(mdp.transitions, axis=2)
        self._sure = np.where(mdp.transitions.max(axis=2) == 1, mdp.transitions.argmax(axis=2), -1)
        self._starts = np.flatnonzero(~mdp.terminal)

    def learn(self, steps: int, evaluate_every: int, tick: Callable[[int], None] = lambda done: None) -> Learned:
        """Trains for `steps` decisions."""
        curve: list[tuple[int, float]] = []
        state, length = self._start(), 0
        action = self._choose(state, 0, steps)
        for t in range(steps):
            following, reward = self._step(state, action)
            ended, length = bool(self.mdp.terminal[following]), length + 1
            next_action = self._choose(following, t + 1, steps)
            self._update(state, action, reward, following, next_action, ended, t)
            state, action = following, next_action
            if ended or length >= self.config.horizon:
                state, length = self._start(), 0
                action = self._choose(state, t + 1, steps)
            if (t + 1) % evaluate_every == 0 or t + 1 == steps:
                curve.append((t + 1, expected_return(self.mdp, greedy(self._preferences(t + 1)))))
                tick(t + 1)
        return Learned(self.q, self.advice, self._preferences(steps), self.visits, curve)

    def _preferences(self, step: int) -> Floats:
        return self.q if self.agent is None else np.asarray(self.agent.preference(self.q, self.advice, step))

    def _preference(self, state: int, step: int) -> Floats:
        row = self.q[state]
        return row if self.agent is None else np.asarray(self.agent.preference(row, self.advice[state], step))

    def _choose(self, state: int, step: int, steps: int) -> int:
        config = self.config
        progress = min(step / max(config.epsilon_share * steps, 1), 1.0)
        if self.rng.random() < config.epsilon + progress * (config.epsilon_final - config.epsilon):
            return int(self.rng.integers(self.mdp.actions))
        preference = self._preference(state, step)
        best = np.flatnonzero(preference == preference.max())
        return int(best[0] if len(best) == 1 else best[self.rng.integers(len(best))])

    def _start(self) -> int:
        if self.config.exploring_starts:
            return int(self._starts[self.rng.integers(len(self._starts))])
        return int(np.searchsorted(np.cumsum(self.mdp.start), self.rng.random(), side="right"))

    def _step(self, state: int, action: int) -> tuple[int, float]:
        following = int(self._sure[state, action])
        if following < 0:
            drawn = np.searchsorted(self._after[state, action], self.rng.random(), side="right")
            following = min(int(drawn), self.mdp.states - 1)
        return following, float(self.mdp.rewards[state, action, following])

    def _update(
        self, state: int, action: int, reward: float, following: int, next_action: int, ended: bool, step: int
    ) -> None:
        """Moves the critics towards their targets."""
        discount = 0.0 if ended else self.mdp.discount
        self.visits[state, action] += 1
        rate = max(self.config.step_size, float(self.visits[state, action]) ** -0.6)
        sarsa = self.config.algorithm == "sarsa"
        preferred = next_action if sarsa else int(self._preference(following, step).argmax())
        ahead = preferred
        if self.agent is not None and self.agent.learns_advice:
            shift = float(self.agent.delta([self.said[state][action]])[0])
            target = shift + discount * self.advice[following, preferred]
            self.advice[state, action] += rate * (target - self.advice[state, action])
            ahead = next_action if sarsa else int(self.q[following].argmax())  # off-policy, so that no advice enters
        else:
            reward += self._shift(state, action, following, preferred, discount, step)
        self.q[state, action] += rate * (reward + discount * self.q[following, ahead] - self.q[state, action])

    def _shift(self, state: int, action: int, following: int, preferred: int, discount: float, step: int) -> float:
        """What is added to the reward."""
        if self.phi is not None:
            return potential_shift(float(self.phi[state]), float(self.phi[following]), discount)
        if self.agent is not None:
            return float(discount * self.advice[following, preferred] - self.advice[state, action])
        return self.rule.weight(step) * float(self.rule.delta([self.said[state][action]])[0])


def needs_table(rule: ShiftRule | AgentRule) -> bool:
    """Whether a rule needs the judgments of every action of a state, not only of the one that was taken."""
    return isinstance(rule, Potential) or (isinstance(rule, AgentRule) and not rule.learns_advice)
