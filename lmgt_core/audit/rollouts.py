"""Labelled decisions for an audit where nobody knows the answers: states are played on, and what happened labels them.

Two policies of different strength take turns to visit states. In each, every action (or, where there are many, what the
two policies would do) is taken, the stronger policy plays on, many times, and returns are compared. Where it earns the
same whatever was done first, since it repairs every mistake, the weaker one plays on instead. What is labelled is what
pays under the play that follows, not what is best: the stronger the policy, the closer the two.
benchmarks/rollout_labels.py compares such labels with those of experts.

A state is reached again by its seed and its actions, and then copied, or, where an environment cannot be copied,
reached anew each time. Futures of two actions share their random numbers, and are compared in pairs. A copy also holds
what the agent does not see, like a card that lies face down, so that a label by one copy would be clairvoyant: where
observations come up again and again, many visits of each are compared. Where each is seen once, as in continuous
worlds, one visit has to do, and hidden luck goes into the labels.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray

from lmgt_core.errors import UserError

Policy = Callable[[Any], Any]
"""The action that a policy takes on an observation."""
STATES = 150  # that are compared, where there are as many
MOST_ACTIONS = 6  # all are compared in a state; where there are more, those of the two policies
PER_EPISODE = 3  # states of one episode: neighbours tell little more
TURNS = 0.5  # share of the stronger policy's actions on the way to a state: learners see more than its own states
EPISODES = 200  # times as many as states (and as ALL_NEW) are played at most, for observations that come up again
ALL_NEW = 50  # observations that were all seen for the first time: none is expected to come up again
ROUNDING = 1e-9  # of leads that are equal but for their last digits
FEWEST = 8  # pairs of futures that a test needs


@dataclass(frozen=True, eq=False)
class RolloutLabels:
    """Decisions with labels by what happened: triples (observation, action, "good" or "bad").

    A state's best action is good if it earned surely more than another one, and those are bad. `states` were compared;
    those without a sure difference have no label. Of the differences that were taken for sure, a share of at most
    `error` is expected to be none (Benjamini and Hochberg 1995).
    """

    labelled: tuple[tuple[Any, Any, str], ...]
    states: int
    rollouts: int
    error: float

    @property
    def headline(self) -> str:
        """One line: how many decisions were labelled, how, and how often that is wrong."""
        return (
            f"{len(self.labelled)} decisions in {self.states} states are labelled by what happened, each action played "
            f"on {self.rollouts} times; at most {100 * self.error:g} % of the differences are expected to be chance"
        )


def label_by_rollouts(
    env: gym.Env[Any, Any],
    strong: Policy,
    weak: Policy | None = None,
    *,
    judged: Callable[[Any, Any], bool] = lambda observation, action: True,
    states: int = STATES,
    rollouts: int = 64,
    error: float = 0.05,
    horizon: int = 500,
    seed: int = 0,
    advance: Callable[[int], object] = lambda states: None,
) -> RolloutLabels:
    """Labels of decisions in at most `states` states of `env`, each of whose actions is played on `rollouts` times.

    `weak` acts at random where it is not given; only actions that are `judged(observation, action)` are compared. A
    future ends with its episode or after `horizon` decisions. The environment has to be repeatable by its seed and to
    draw from `np_random`, as Gymnasium's do; it is reset. `advance` is told of every state. UserError for one that
    cannot be repeated, or where nothing is to be decided.
    """
    if isinstance(env, gym.vector.VectorEnv):
        raise UserError("probes by rollouts: give a single environment, not a vector of them")
    if rollouts < 2 * FEWEST or not 0 < error < 1:
        raise ValueError(f"at least {2 * FEWEST} rollouts are compared, and error lies between 0 and 1")
    player = _Player(env, strong, weak or _random(env, seed), judged, horizon, seed)
    compared = []
    for number, visits in enumerate(player.visits(states, rollouts)):
        first = visits[0]
        compared.append((first.observation, first.choices, player.returns(number, visits, first.choices, rollouts)))
        advance(1)
    tests = [_against_best(returns) for _, _, returns in compared]
    sure = _sure(np.concatenate([p for _, p in tests]) if tests else np.zeros(0), error)
    labelled: list[tuple[Any, Any, str]] = []
    at = 0
    for (observation, actions, _), (best, p_values) in zip(compared, tests, strict=True):
        worse = [action for i, action in enumerate(actions) if sure[at + i]]
        labelled += [(observation, actions[best], "good")] if worse else []
        labelled += [(observation, action, "bad") for action in worse]
        at += len(p_values)
    return RolloutLabels(tuple(labelled), len(compared), rollouts, error)


def _against_best(returns: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """The action [of action, future] that did best in the first half, and [action] p-values of the second half.

    Each says how probable so large a lead of the best action is if it earns no more (a paired t-test; Student 1908);
    1 for itself. The half that chose the best action has no say in how sure it is.
    """
    from scipy.stats import ttest_1samp

    half = returns.shape[1] // 2
    best = int(returns[:, :half].mean(axis=1).argmax())
    leads = returns[best, half:] - returns[:, half:]  # [action, future]
    p_values = np.ones(len(returns))
    for action, lead in enumerate(leads):
        if np.ptp(lead) > ROUNDING * np.abs(lead).max():
            p_values[action] = ttest_1samp(lead, 0.0, alternative="greater").pvalue
        elif lead[0] > 0:
            p_values[action] = 0.5 ** len(lead)  # always ahead, and by the same
    return best, p_values


def _sure(p_values: NDArray[np.float64], error: float) -> NDArray[np.bool_]:
    """Which differences are taken for sure, of which a share of `error` at most is expected to be chance."""
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p_values) <= error) if len(p_values) else np.zeros(0, bool)


@dataclass(frozen=True, eq=False)
class _Visit:
    """A decision of an episode: its seed, the actions that led there, what was observed, and actions to compare."""

    seed: int
    actions: tuple[Any, ...]
    observation: Any
    choices: tuple[Any, ...]


class _Player:
    """Plays to states and on from them; all lots follow from `seed`, and the numbers of the state and of the future."""

    def __init__(
        self,
        env: gym.Env[Any, Any],
        strong: Policy,
        weak: Policy,
        judged: Callable[[Any, Any], bool],
        horizon: int,
        seed: int,
    ) -> None:
        self.env, self.strong, self.weak, self.judged = env, strong, weak, judged
        self.horizon, self.seed = horizon, seed

    def visits(self, states: int, rollouts: int) -> list[list[_Visit]]:
        """Visits of at most `states` observations: `rollouts` of each where they come up again, else one of each."""
        rng = np.random.default_rng([self.seed, 0])
        found: dict[bytes, list[_Visit]] = {}
        total, often = 0, 0
        for _ in range(EPISODES * max(states, ALL_NEW)):
            for key, visit in self._episode(int(rng.integers(2**31)), rng).items():
                found.setdefault(key, []).append(visit)
                total, often = total + 1, often + (len(found[key]) == rollouts)
            if total >= max(2 * states, ALL_NEW) and len(found) > 0.99 * total:
                return [visits[:1] for visits in found.values()][:states]
            if often >= states:
                break
        if not often:
            raise UserError("probes by rollouts: no state with two actions to compare came up often enough")
        return [visits[:rollouts] for visits in found.values() if len(visits) >= rollouts][:states]

    def choices(self, observation: Any) -> tuple[Any, ...]:
        """The actions to compare: all of a few, else what the two policies would do; those that are judged."""
        space = self.env.action_space
        if isinstance(space, Discrete) and space.n <= MOST_ACTIONS:
            some = [int(space.start + i) for i in range(int(space.n))]
        else:
            some = [self.strong(observation), self.weak(observation)]
        different = {_bytes(action): action for action in some if self.judged(observation, action)}
        return tuple(different.values())

    def returns(
        self, number: int, visits: list[_Visit], actions: tuple[Any, ...], rollouts: int
    ) -> NDArray[np.float64]:
        """[action, future] what is earned from the state on; one future of two actions has the same random numbers."""
        copies = [self._copy(visit) for visit in visits]

        def future(lot: int, action: Any, policy: Policy) -> float:
            at = lot % len(visits)
            copy = copies[at]
            env = self._reach(visits[at]) if copy is None else deepcopy(copy)
            return self._play_on(env, action, policy, np.random.default_rng([self.seed, number, lot]))

        def futures(policy: Policy, lots: range) -> NDArray[np.float64]:
            return np.array([[future(lot, action, policy) for lot in lots] for action in actions])

        first = futures(self.strong, range(FEWEST))
        if np.ptp(first, axis=0).any():
            return np.hstack([first, futures(self.strong, range(FEWEST, rollouts))])
        return futures(self.weak, range(rollouts))

    def _play_on(self, env: gym.Env[Any, Any], action: Any, policy: Policy, rng: np.random.Generator) -> float:
        env.unwrapped.np_random = rng
        earned = 0.0
        for _ in range(self.horizon):
            observation, reward, terminated, truncated, _ = env.step(action)
            earned += float(reward)
            if terminated or truncated:
                break
            action = policy(observation)
        return earned

    def _episode(self, seed: int, rng: np.random.Generator) -> dict[bytes, _Visit]:
        """A few decisions with something to compare, by observation, of an episode in which the policies take turns."""
        observation, _ = self.env.reset(seed=seed)
        actions: list[Any] = []
        visits: dict[bytes, _Visit] = {}
        for _ in range(self.horizon):
            choices = self.choices(observation)
            if len(choices) > 1:
                visits.setdefault(_bytes(observation), _Visit(seed, tuple(actions), deepcopy(observation), choices))
            actions.append((self.strong if rng.random() < TURNS else self.weak)(observation))
            observation, _, terminated, truncated, _ = self.env.step(actions[-1])
            if terminated or truncated:
                break
        keys = list(visits)
        return {keys[at]: visits[keys[at]] for at in sorted(rng.permutation(len(keys))[:PER_EPISODE].tolist())}

    def _copy(self, visit: _Visit) -> gym.Env[Any, Any] | None:
        """The environment at this visit; None where it cannot be copied."""
        try:
            return deepcopy(self._reach(visit))
        except UserError:
            raise
        except Exception:  # whatever an environment holds: windows, sockets, simulators
            return None

    def _reach(self, visit: _Visit) -> gym.Env[Any, Any]:
        observation, _ = self.env.reset(seed=visit.seed)
        for action in visit.actions:
            observation, *_ = self.env.step(action)
        if _bytes(observation) != _bytes(visit.observation):
            raise UserError("probes by rollouts: the environment went elsewhere with the same seed and actions")
        return self.env


def _random(env: gym.Env[Any, Any], seed: int) -> Policy:
    space = deepcopy(env.action_space)
    space.seed(seed)
    return lambda observation: space.sample()


def _bytes(value: Any) -> bytes:
    """Equal values have equal bytes, and others do not: arrays, numbers, texts, and tuples and mappings of them."""
    if isinstance(value, dict):
        return b"".join(_bytes(str(key)) + _bytes(value[key]) for key in sorted(value))
    if isinstance(value, tuple | list):
        return b"".join(map(_bytes, value))
    array = np.asarray(value)
    return repr((array.dtype.str, array.shape)).encode() + array.tobytes()
