"""A replay of sequences, sampled in proportion to their priorities; reward and shift lie apart until then.

Of well-kept libraries cpprb samples sequences by priority, but from a generator of its own that cannot be seeded or
saved, so that a resumed run would not equal an unbroken one; TorchRL's prioritised samplers do not load. A cumulative
sum over 100,000 priorities takes a tenth of a millisecond, which a batch of sequences does not notice.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from apps.atari_vision.r2d2.config import R2D2Config
from apps.atari_vision.r2d2.sequences import Record
from apps.atari_vision.r2d2.targets import importance_weights
from lmgt_core.guidance.reward import shifted_reward

# Added to priorities, so that a sequence without error can still be drawn and weighs no more than some ten times as
# much as one with an error that matters: weights are divided by a batch's largest, and without a floor the many
# sequences of a solved task would leave next to nothing of the gradient of the few that show a mistake.
LEAST = 1e-2


@dataclass(frozen=True, eq=False)
class SequenceBatch:
    """Sequences, as the learner takes them; `reward` is composed of r_t + w * shift_t + the intrinsic reward."""

    observation: NDArray[Any]  # [batch, burn_in + length + 1, ...]
    inputs: NDArray[np.float32]  # [batch, burn_in + length + 1, input]
    action: NDArray[np.int64]  # [batch, length]
    reward: NDArray[np.float32]  # [batch, length]
    discount: NDArray[np.float32]  # [batch, length] gamma, 0 where the episode terminated
    mask: NDArray[np.bool_]  # [batch, length] the decisions that exist
    burned: NDArray[np.bool_]  # [batch] whether there is anything to burn in
    hidden: NDArray[np.float32]  # [batch, hidden] stored state before the first row
    cell: NDArray[np.float32]
    weights: NDArray[np.float32]  # [batch] of importance
    index: NDArray[np.int64]  # [batch] where they lie in the replay


class SequenceReplay:
    """A ring of `capacity` sequences.

    Images are stacks of frames, newest last, in which each frame would lie four times: only what is new is kept, and
    stacks are put together when they are sampled.
    """

    def __init__(self, config: R2D2Config) -> None:
        self.config = config
        self.fields: dict[str, NDArray[Any]] = {}
        self.priorities = np.zeros(config.capacity, dtype=np.float64)  # to the power of priority_exponent
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, self.config.capacity)

    def add(self, records: Sequence[Record], priorities: NDArray[np.floating[Any]]) -> None:
        """Stores sequences with their first priorities [record]; the oldest make room."""
        for record, priority in zip(records, priorities, strict=True):
            packed = self._pack(record)
            if not self.fields:
                capacity = self.config.capacity
                self.fields = {name: np.zeros((capacity, *a.shape), a.dtype) for name, a in packed.items()}
            at = self.added % self.config.capacity
            for name, value in packed.items():
                self.fields[name][at] = value
            self._set_priorities(np.array([at]), np.array([priority]))
            self.added += 1

    def sample(self, rng: np.random.Generator, weight: float) -> SequenceBatch:
        """A batch drawn by priority, one from each of batch_size equal shares of their sum (Schaul et al. 2016, B.2.1).

        Rewards are r_t + `weight` * shift_t + the intrinsic reward.
        """
        size, count = len(self), self.config.batch_size
        heights = np.cumsum(self.priorities[:size])
        drawn = (np.arange(count) + rng.random(count)) / count * heights[-1]
        index = np.minimum(np.searchsorted(heights, drawn, side="right"), size - 1)
        probabilities = self.priorities[index] / heights[-1]
        weights = importance_weights(probabilities, size, self.config.importance_exponent)
        rows = {name: field[index] for name, field in self.fields.items()}
        return self._batch(rows, weights, index, weight)

    def batch_of(self, records: Sequence[Record], weight: float) -> SequenceBatch:
        """Sequences that are not stored yet as a batch of equal weights."""
        packed = [self._pack(record) for record in records]
        rows = {name: np.stack([p[name] for p in packed]) for name in packed[0]}
        count = len(records)
        return self._batch(rows, np.ones(count, np.float32), np.full(count, -1), weight)

    def update(self, index: NDArray[np.int64], priorities: NDArray[np.floating[Any]]) -> None:
        """Gives sampled sequences their new priorities."""
        self._set_priorities(index, priorities)

    def _set_priorities(self, index: NDArray[np.int64], priorities: NDArray[np.floating[Any]]) -> None:
        self.priorities[index] = (priorities.astype(np.float64) + LEAST) ** self.config.priority_exponent

    def _batch(
        self, rows: dict[str, NDArray[Any]], weights: NDArray[np.float32], index: NDArray[np.int64], weight: float
    ) -> SequenceBatch:
        reward = np.asarray(shifted_reward(rows["reward"], rows["shift"], weight)) + rows["intrinsic"]
        observation = rows["observation"]
        if is_stack(observation.shape[2:], observation.dtype, packed=True):
            depth = observation.shape[1] - (self.config.burn_in + self.config.length)
            observation = np.moveaxis(sliding_window_view(observation, depth, axis=1), -1, 2)
        return SequenceBatch(
            observation=np.ascontiguousarray(observation),
            inputs=rows["inputs"],
            action=rows["action"],
            reward=reward,
            discount=rows["discount"],
            mask=np.arange(self.config.length) < rows["valid"][:, None],
            burned=rows["burned"],
            hidden=rows["hidden"],
            cell=rows["cell"],
            weights=weights,
            index=index,
        )

    def _pack(self, record: Record) -> Record:
        """The record with its stacks [row, depth, height, width] as frames [row + depth - 1, height, width]."""
        stacks = record["observation"]
        if not is_stack(stacks.shape[1:], stacks.dtype):
            return record
        depth = stacks.shape[1]
        first = 0 if record["burned"] else self.config.burn_in
        last = self.config.burn_in + int(record["valid"])
        frames = np.zeros((len(stacks) + depth - 1, *stacks.shape[2:]), stacks.dtype)
        frames[first : first + depth] = stacks[first]
        frames[first + depth : last + depth] = stacks[first + 1 : last + 1, -1]
        if not np.array_equal(stacks[first:last, 1:], stacks[first + 1 : last + 1, :-1]):
            raise ValueError("observations of three dimensions have to be stacks of frames, the newest last")
        return {**record, "observation": frames}

    def state_dict(self) -> dict[str, Any]:
        """Everything that is stored; observations are compressed, sequence by sequence."""
        size = len(self)
        fields = {name: field[:size] for name, field in self.fields.items() if name != "observation"}
        blobs = [zlib.compress(row.tobytes(), level=1) for row in self.fields["observation"][:size]] if size else []
        return {
            "fields": fields,
            "observation": np.frombuffer(b"".join(blobs), np.uint8),
            "sizes": np.array([len(blob) for blob in blobs], np.int64),
            "priorities": self.priorities[:size],
            "added": np.array(self.added),
        }

    def load_state_dict(self, state: Mapping[str, Any], shape: tuple[int, ...], dtype: Any) -> None:
        """Takes up what `state_dict` gave; `shape` and `dtype` are those of an observation."""
        size, self.added = len(state["priorities"]), int(state["added"])
        if not size:
            return
        self.priorities[:size] = state["priorities"]
        rows = self.config.burn_in + self.config.length + 1
        packed = (rows + shape[0] - 1, *shape[1:]) if is_stack(shape, dtype) else (rows, *shape)
        fields = {**state["fields"], "observation": np.zeros((0, *packed), dtype)}
        self.fields = {n: np.zeros((self.config.capacity, *f.shape[1:]), f.dtype) for n, f in fields.items()}
        for name, field in state["fields"].items():
            self.fields[name][:size] = field
        blobs = np.split(state["observation"], np.cumsum(state["sizes"])[:-1])
        for i, blob in enumerate(blobs):
            self.fields["observation"][i] = np.frombuffer(zlib.decompress(blob.tobytes()), dtype).reshape(packed)


def is_stack(shape: Sequence[int], dtype: Any, packed: bool = False) -> bool:
    """Whether observations of this shape are images [depth, height, width]; `packed`: [height, width]."""
    return len(shape) == (2 if packed else 3) and dtype == np.uint8
