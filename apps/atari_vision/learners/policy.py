"""What a learner of Stable-Baselines3 does without exploring, saved and loaded."""

import io
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

Policy = Callable[[Any], NDArray[np.int64]]  # views [batch, ...] -> actions [batch]


def policy_of(learner: "BaseAlgorithm") -> Policy:
    """The learner's policy, without exploring."""
    return lambda views: np.asarray(learner.predict(views, deterministic=True)[0])


def saved(learner: "BaseAlgorithm") -> bytes:
    """The trained learner as Stable-Baselines3 saves it, without its replay and the judge."""
    for name in ("replay_buffer_kwargs", "replay_buffer_class"):
        if hasattr(learner, name):
            setattr(learner, name, {} if name.endswith("kwargs") else None)
    content = io.BytesIO()
    learner.save(content)
    return content.getvalue()


def load_policy(content: bytes, learner: "BaseAlgorithm") -> Policy:
    """The policy in what `saved` gave, in `learner`, which has to be of the same kind; nothing is unpickled."""
    import torch

    with zipfile.ZipFile(io.BytesIO(content)) as file:
        weights = io.BytesIO(file.read("policy.pth"))
    learner.policy.load_state_dict(torch.load(weights, weights_only=True, map_location=learner.device))
    return policy_of(learner)
