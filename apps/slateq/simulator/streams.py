"""Random numbers that do not depend on what a recommender does, so that policies can be compared in pairs.

User k of row b is always the same, however long the users before it stayed: users are drawn for all rows at once, one
block a session number. Candidates and luck are drawn for all rows at every step, needed or not.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from apps.slateq.simulator.protocol import Bools, Integers

USERS, DOCUMENTS, CHOICES, DYNAMICS = range(4)

Block = dict[str, np.ndarray[Any, Any]]  # [B, ...] each


class Streams:
    """The generators of one simulator: `documents`, `choices`, `dynamics`, and users by session number."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.documents, self.choices, self.dynamics = (
            np.random.default_rng([seed, purpose]) for purpose in (DOCUMENTS, CHOICES, DYNAMICS)
        )
        self._blocks: dict[int, Block] = {}

    def users(self, sample: Callable[[np.random.Generator], Block], session: Integers, rows: Bools) -> Block:
        """The users of `rows` [B]: for each field [rows, ...] those that `sample` draws for the `session` [B] of each.

        Blocks that every row has left behind are dropped.
        """
        wanted = session[rows]
        for number in set(wanted.tolist()) - self._blocks.keys():
            self._blocks[number] = sample(np.random.default_rng([self.seed, USERS, number]))
        where = np.flatnonzero(rows)
        fields = next(iter(self._blocks.values()))
        drawn = {name: np.empty((len(where), *field.shape[1:]), field.dtype) for name, field in fields.items()}
        for number in set(wanted.tolist()):
            mine = wanted == number
            for name, field in self._blocks[number].items():
                drawn[name][mine] = field[where[mine]]
        for number in [n for n in self._blocks if n < session.min()]:
            del self._blocks[number]
        return drawn

    def state_dict(self) -> dict[str, Any]:
        """The seed and the generators' states; blocks of users follow from the seed."""
        return {
            "seed": self.seed,
            "documents": self.documents.bit_generator.state,
            "choices": self.choices.bit_generator.state,
            "dynamics": self.dynamics.bit_generator.state,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Streams":
        """The streams that gave `state`."""
        streams = cls(state["seed"])
        for name in ("documents", "choices", "dynamics"):
            getattr(streams, name).bit_generator.state = state[name]
        return streams
