"""What a world says about one decision, in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # [height, width, 3], RGB


@dataclass(frozen=True)
class Description:
    """A state before the action, and the action chosen in it, in words.

    `facts` holds the same content as named fields (`{"object": "toaster", "room": "kitchen"}`): judges that are not
    language models (embedding, trained, oracle) read those instead of taking the prose apart. Facts never hold more
    than the agent may observe.
    """

    state: str
    action: str
    images: tuple[Image, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


class Describer(Protocol):
    """Turns a domain's observation and action into words."""

    def __call__(self, observation: Any, action: Any) -> Description | None:
        """The description of `action` taken in `observation`; None where there is nothing to judge (shift 0)."""
        ...
