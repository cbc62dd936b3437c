"""What a policy sees before it serves: the observation, the choice scores it may know, and the session so far."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.slateq.simulator.protocol import Bools, Floats, Integers, Observation, Simulator


@dataclass(frozen=True, eq=False)
class Features:
    """Of B users; see `simulator.protocol.Observation` and `history.SessionHistory`."""

    user: Floats  # [B, U]
    history: Floats  # [B, H]
    documents: Floats  # [B, N, D]
    topic: NDArray[np.int32]  # [B, N]
    scores: Floats  # [B, N + 1], last that of no click

    def of(self, users: Bools | Integers) -> "Features":
        """The same of some users: a mask [B], or their numbers."""
        return Features(**{name: part[users] for name, part in self.as_dict().items()})

    def as_dict(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, as the networks take them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __len__(self) -> int:
        return len(self.topic)


def features(simulator: Simulator, observation: Observation, history: Floats) -> Features:
    """What policies see of `observation`."""
    return Features(
        user=observation.user,
        history=history,
        documents=observation.documents,
        topic=observation.document_topic.astype(np.int32),
        scores=simulator.choice_scores(observation),
    )
