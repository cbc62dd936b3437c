"""A replay memory of decisions with different numbers of candidates; rewards and shifts are kept apart."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.agent.features import MAX_PAIRS, SCALARS, Observation


@dataclass(frozen=True)
class Ragged:
    """Candidates of several decisions laid end to end; decision i owns rows offsets[i] to offsets[i + 1]."""

    scalars: NDArray[np.float32]  # [row, scalar]
    pairs: NDArray[np.int16]  # [row, pair, 2]
    moved: NDArray[np.float32]  # [row, pair]
    offsets: NDArray[np.int64]  # [decision + 1]

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> "Ragged":
        """The candidates of `observations`, in order."""
        offsets = np.zeros(len(observations) + 1, np.int64)
        np.cumsum([len(o) for o in observations], out=offsets[1:])
        if not observations:
            empty = np.zeros((0, MAX_PAIRS, 2), np.int16)
            return cls(np.zeros((0, len(SCALARS)), np.float32), empty, np.zeros((0, MAX_PAIRS), np.float32), offsets)
        return cls(
            np.concatenate([o.scalars for o in observations]),
            np.concatenate([o.pairs for o in observations]),
            np.concatenate([o.moved for o in observations]),
            offsets,
        )


@dataclass(frozen=True)
class Batch:
    """Sampled transitions: the chosen candidates, what they gave, and the candidates that came next."""

    chosen: Ragged  # one row a transition
    r_t: NDArray[np.float32]  # [batch] the environment's reward
    shift_t: NDArray[np.float32]  # [batch] the judge's shift, weighted by the learner when it samples
    discount_t: NDArray[np.float32]  # [batch] gamma ** n, 0 where the episode ended
    next_candidates: Ragged
    advice_tm1: NDArray[np.float32] | None = None  # [batch] what the judge thinks of the chosen candidates
    advice_t: NDArray[np.float32] | None = None  # [row of next_candidates] and of those


class Replay:
    """The last `capacity` decisions, each stored once; those of several homes that act side by side take turns, so a
    decision's successor is the next one of its home.

    Beside a decision lies the judge's advice on every candidate, float32 [candidate]; 0 for rules that ask for none.
    """

    def __init__(self, capacity: int, homes: int = 1) -> None:
        self.capacity, self.homes = capacity, homes
        self.observations: list[Observation] = []
        self.choices: list[int] = []
        self.rewards: list[float] = []
        self.shifts: list[float] = []
        self.last: list[bool] = []  # the episode ended with this decision
        self.advice: list[NDArray[np.float32]] = []

    def __len__(self) -> int:
        return len(self.observations)

    def add(
        self,
        observation: Observation,
        choice: int,
        reward: float,
        shift: float,
        last: bool,
        advice: NDArray[np.float32] | None = None,
    ) -> None:
        """Stores a decision; its successor is the next one of its home, unless it is the `last` of its episode."""
        self.observations.append(observation)
        self.choices.append(choice)
        self.rewards.append(reward)
        self.shifts.append(shift)
        self.last.append(last)
        self.advice.append(np.zeros(len(observation), np.float32) if advice is None else advice)
        if len(self) > 1.1 * self.capacity:  # a tenth at a time: deleting from the front costs the whole list
            for column in (self.observations, self.choices, self.rewards, self.shifts, self.last, self.advice):
                del column[: (len(column) - self.capacity) // self.homes * self.homes]

    def sample(self, size: int, gamma: float, steps: int, rng: np.random.Generator) -> Batch:
        """`size` transitions of up to `steps` decisions each, uniformly with replacement.

        The newest decision of a home has no successor yet unless it ended its episode; transitions are cut where it
        would be needed.
        """
        newest = range(max(len(self) - self.homes, 0), len(self))
        waiting = {row for row in newest if not self.last[row]}
        ended = [row for row in newest if row not in waiting]
        chosen, next_candidates, advice_tm1, advice_t = [], [], [], []
        rewards, shifts, discounts = np.zeros((3, size), np.float32)
        for i, drawn in enumerate(rng.integers(len(self) - len(waiting), size=size).tolist()):
            row = drawn if drawn < newest.start else ended[drawn - newest.start]
            observation, choice = self.observations[row], slice(self.choices[row], self.choices[row] + 1)
            chosen.append(
                Observation(observation.scalars[choice], observation.pairs[choice], observation.moved[choice])
            )
            factor, later = 1.0, row
            for ahead in range(1, steps + 1):
                rewards[i] += factor * self.rewards[later]
                shifts[i] += factor * self.shifts[later]
                factor *= gamma
                if self.last[later]:
                    factor = 0.0
                    break
                if ahead == steps or later + self.homes in waiting:
                    break
                later += self.homes
            discounts[i] = factor
            advice_tm1.append(self.advice[row][choice])
            next_candidates.append(chosen[-1] if factor == 0.0 else self.observations[later + self.homes])
            advice_t.append(advice_tm1[-1] if factor == 0.0 else self.advice[later + self.homes])
        advice = (np.concatenate(a) for a in (advice_tm1, advice_t))
        return Batch(Ragged.of(chosen), rewards, shifts, discounts, Ragged.of(next_candidates), *advice)

    def state_dict(self) -> dict[str, NDArray[np.generic]]:
        """Everything as arrays, for a checkpoint."""
        ragged = Ragged.of(self.observations)
        columns = {"choices": self.choices, "rewards": self.rewards, "shifts": self.shifts, "last": self.last}
        advice = np.concatenate([np.zeros(0, np.float32), *self.advice])
        return vars(ragged) | {name: np.asarray(column) for name, column in columns.items()} | {"advice": advice}

    def load_state_dict(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Takes over what `state_dict` gave."""
        bounds = state["offsets"].tolist()
        self.observations = [
            Observation(state["scalars"][a:b], state["pairs"][a:b], state["moved"][a:b])
            for a, b in itertools.pairwise(bounds)
        ]
        self.choices, self.rewards = state["choices"].tolist(), state["rewards"].tolist()
        self.shifts, self.last = state["shifts"].tolist(), state["last"].tolist()
        advice = state.get("advice", np.zeros(bounds[-1], np.float32))  # checkpoints of before there was any lack it
        self.advice = [advice[a:b] for a, b in itertools.pairwise(bounds)]
