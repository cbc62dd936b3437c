"""Q-learning and Sarsa with a table, under any shift rule; they see transitions only, never the probabilities."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from apps.tabular.mdp import FiniteMDP, Floats, expected_return, greedy
from lmgt_core.guidance.reward import shifted_reward
from lmgt_core.guidance.shift_source import ShiftSource
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
    """(decisions so far, exact expected unshifted return of the greedy policy)."""
    episodes: list[dict[str, float]] = field(default_factory=list)
    """Of training: decisions so far, unshifted return, length; one that the budget cuts is left out."""

    def policy(self) -> NDArray[np.int64]:
        """[state] the greedy policy; the first of several best actions."""
        return greedy(self.preference)


class TabularLearner:
    """One training; `learn` runs it."""

    def __init__(
        self,
        mdp: FiniteMDP,
        source: ShiftSource | None,
        config: LearnerConfig,
        rng: np.random.Generator,
    ) -> None:
        self.mdp, self.config, self.rng = mdp, config, rng
        rule: Any = None if source is None else source.rule
        self.q = np.zeros((mdp.states, mdp.actions))
        self.visits = np.zeros((mdp.states, mdp.actions), dtype=np.int64)
        self.agent = rule if isinstance(rule, AgentRule) else None
        table = self._every_shift(source) if needs_table(rule) else None
        self.source = source if table is None else None  # of rules that need the chosen action's judgment only
        given = self.agent is not None and not self.agent.learns_advice
        self.advice = table.copy() if given and table is not None else np.zeros_like(self.q)
        self.phi = table.mean(axis=1) if isinstance(rule, Potential) and table is not None else None
        self._cumulative = np.cumsum(mdp.transitions, axis=2)
        self._certain = np.where(mdp.transitions.max(axis=2) == 1, mdp.transitions.argmax(axis=2), -1)
        self._starts = np.flatnonzero(~mdp.terminal)

    def learn(
        self,
        steps: int,
        evaluate_every: int,
        evaluated: Callable[[int, float], None] = lambda decisions, earned: None,
    ) -> Learned:
        """Trains for `steps` decisions; `evaluated` gets every point of the curve as it is found."""
        learned = Learned(self.q, self.advice, self.q, self.visits)
        state, length, total = self._start(), 0, 0.0
        action = self._choose(state, 0, steps)
        for t in range(steps):
            tickets = None if self.source is None else self.source.submit([state], [action])
            next_state, reward = self._step(state, action)
            shift = 0.0 if tickets is None or self.source is None else float(self.source.resolve(tickets)[0])
            ended, length, total = bool(self.mdp.terminal[next_state]), length + 1, total + reward
            next_action = self._choose(next_state, t + 1, steps)
            self._update(state, action, reward, shift, next_state, next_action, ended, t)
            state, action = next_state, next_action
            if ended or length >= self.config.horizon:
                learned.episodes.append({"decisions": t + 1, "return": total, "length": length})
                state, length, total = self._start(), 0, 0.0
                action = self._choose(state, t + 1, steps)
            if (t + 1) % evaluate_every == 0 or t + 1 == steps:
                learned.curve.append((t + 1, expected_return(self.mdp, greedy(self._preferences(t + 1)))))
                evaluated(*learned.curve[-1])
        learned.preference = self._preferences(steps)
        return learned

    def _every_shift(self, source: Any) -> Floats:
        """[state, action] the shifts of everything; 0 in terminal states."""
        actions = list(range(self.mdp.actions))
        table = np.stack([source([state] * len(actions), actions).delta for state in range(self.mdp.states)])
        return np.where(self.mdp.terminal[:, None], 0.0, table.astype(np.float64))

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
        next_state = int(self._certain[state, action])
        if next_state < 0:
            drawn = np.searchsorted(self._cumulative[state, action], self.rng.random(), side="right")
            next_state = min(int(drawn), self.mdp.states - 1)
        return next_state, float(self.mdp.rewards[state, action, next_state])

    def _update(
        self,
        state: int,
        action: int,
        reward: float,
        shift: float,
        next_state: int,
        next_action: int,
        ended: bool,
        step: int,
    ) -> None:
        """Moves the critics towards their targets."""
        discount = 0.0 if ended else self.mdp.discount
        self.visits[state, action] += 1
        rate = max(self.config.step_size, float(self.visits[state, action]) ** -0.6)
        sarsa = self.config.algorithm == "sarsa"
        preferred = next_action if sarsa else int(self._preference(next_state, step).argmax())
        bootstrap = preferred  # the next action whose value the target has
        if self.phi is not None:
            reward += potential_shift(float(self.phi[state]), float(self.phi[next_state]), discount)
        elif self.agent is None:
            reward = shifted_reward(reward, shift, 1.0 if self.source is None else self.source.weight)
        elif self.agent.learns_advice:
            target = shift + discount * self.advice[next_state, preferred]
            self.advice[state, action] += rate * (target - self.advice[state, action])
            bootstrap = next_action if sarsa else int(self.q[next_state].argmax())  # so that no advice enters
        else:
            reward += float(discount * self.advice[next_state, preferred] - self.advice[state, action])
        self.q[state, action] += rate * (reward + discount * self.q[next_state, bootstrap] - self.q[state, action])


def needs_table(rule: ShiftRule | AgentRule | None) -> bool:
    """Whether a rule needs the judgments of every action of a state, not only of the one that was taken."""
    return isinstance(rule, Potential) or (isinstance(rule, AgentRule) and not rule.learns_advice)
