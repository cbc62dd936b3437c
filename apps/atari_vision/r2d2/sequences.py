"""Cuts what the actors live through into overlapping sequences that never cross an episode's end.

A sequence is a window of rows: burn_in observations that only bring the recurrent state up to date, then `length`
decisions that are learned from, and the observation after the last. The first sequence of an episode has nothing to
burn in: its first rows are empty, and it begins with the state of zeros.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.atari_vision.r2d2.config import R2D2Config

Record = dict[str, NDArray[Any]]
OBSERVED = ("observation", "inputs")  # fields with a row for every observation
DECIDED = {"action": np.int64, "reward": np.float32, "shift": np.float32, "intrinsic": np.float32}
DECIDED |= {"discount": np.float32}  # fields with a row for every decision


def segment_ends(decisions: int, over: bool, length: int, period: int) -> list[int]:
    """The numbers of the sequences (sequence j learns from decision j * period on) that are complete now.

    At an episode's end the earliest unfinished one is cut short, unless all of its decisions were in the one before.
    """
    complete = [(decisions - length) // period] if decisions >= length and (decisions - length) % period == 0 else []
    if over:
        earliest = max((decisions - length) // period + 1, 0)
        seen = (earliest - 1) * period + length if earliest else 0
        if earliest * period < decisions and seen < decisions:
            complete.append(earliest)
    return complete


class SequenceCutter:
    """The last rows of every actor, from which finished sequences are copied out."""

    def __init__(self, config: R2D2Config, actors: int, shape: tuple[int, ...], dtype: Any, inputs: int) -> None:
        self.config = config
        self.rows = config.burn_in + config.length + 1
        sizes: dict[str, tuple[tuple[int, ...], Any]] = {
            "observation": (shape, dtype),
            "inputs": ((inputs,), np.float32),
            "hidden": ((config.hidden_size,), np.float32),
            "cell": ((config.hidden_size,), np.float32),
            **{name: ((), kind) for name, kind in DECIDED.items()},
        }
        self.ring = {name: np.zeros((self.rows, actors, *size), kind) for name, (size, kind) in sizes.items()}
        self.time = 0  # steps of all actors; row time % rows is the present one
        self.age = np.zeros(actors, dtype=np.int64)  # decisions of each actor's episode

    def begin(self, begun: NDArray[np.bool_], observations: NDArray[Any], inputs: NDArray[np.float32]) -> None:
        """Takes the first observations of the episodes that have `begun` [actor]."""
        row = self.time % self.rows
        self.ring["observation"][row, begun] = observations[begun]
        self.ring["inputs"][row, begun] = inputs[begun]
        self.age[begun] = 0

    def add(
        self,
        state: tuple[NDArray[np.float32], NDArray[np.float32]],
        decided: Mapping[str, NDArray[Any]],
        observations: NDArray[Any],
        inputs: NDArray[np.float32],
        ended: NDArray[np.bool_],
    ) -> list[Record]:
        """Takes one step of all actors, and gives the sequences that it completes.

        `state` is the recurrent one before the decision, `decided` the fields of DECIDED, `observations` and `inputs`
        what the agents see after it.
        """
        row, next_row = self.time % self.rows, (self.time + 1) % self.rows
        self.ring["hidden"][row], self.ring["cell"][row] = state
        for name in DECIDED:
            self.ring[name][row] = decided[name]
        self.ring["observation"][next_row], self.ring["inputs"][next_row] = observations, inputs
        self.time += 1
        self.age += 1
        length, period = self.config.length, self.config.period
        return [
            self._cut(actor, number * period)
            for actor in range(len(self.age))
            for number in segment_ends(int(self.age[actor]), bool(ended[actor]), length, period)
        ]

    def _cut(self, actor: int, start: int) -> Record:
        """The sequence of `actor` that learns from decision `start` of its episode up to the present."""
        burn_in, length = self.config.burn_in, self.config.length
        burned = start >= burn_in > 0
        first = start - burn_in if burned else start
        known = int(self.age[actor]) - first  # decisions from the first row on
        at = (self.time - known + np.arange(known + 1)) % self.rows
        lead = 0 if burned else burn_in  # empty rows
        record: Record = {"burned": np.array(burned), "valid": np.array(int(self.age[actor]) - start)}
        for name in OBSERVED:
            rows = self.ring[name][at, actor]
            record[name] = np.zeros((self.rows, *rows.shape[1:]), rows.dtype)
            record[name][lead : lead + known + 1] = rows
        for name in DECIDED:
            learned = self.ring[name][at[burn_in if burned else 0 : known], actor]
            record[name] = np.zeros(length, learned.dtype)
            record[name][: len(learned)] = learned
        record |= {name: self.ring[name][at[0], actor].copy() for name in ("hidden", "cell")}
        return record

    def state_dict(self) -> dict[str, Any]:
        """The rows and counters, as arrays."""
        return {**self.ring, "age": self.age, "time": np.array(self.time)}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes up what `state_dict` gave."""
        for name in self.ring:
            self.ring[name][...] = state[name]
        self.age, self.time = state["age"].copy(), int(state["time"])
