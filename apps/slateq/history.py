"""What has happened in a session so far, as four numbers: with them a policy can know the hidden budget.

RecSim reveals the response to every slate (click, minutes, quality), and the budget of interest evolution is a sum of
those. The published agents do not look at them.
"""

import numpy as np
from numpy.typing import NDArray

from apps.slateq.simulator.protocol import Feedback

SIZE = 4
SCALE = np.array([50.0, 50.0, 100.0, 100.0], dtype=np.float32)  # of sessions in interest evolution


class SessionHistory:
    """Sums over each user's session: slates, slates without a click, rewards, rewards times the document's quality."""

    def __init__(self, users: int) -> None:
        self.sums: NDArray[np.float32] = np.zeros((users, SIZE), dtype=np.float32)

    def features(self) -> NDArray[np.float32]:
        """[B, SIZE] the sums, scaled to about 1."""
        return np.asarray(self.sums / SCALE)

    def add(self, feedback: Feedback) -> NDArray[np.float32]:
        """Counts one step, and gives the features where it led [B, SIZE]; users whose session is over begin at 0 again.

        The features that go with `feedback.observation` are those of `features()` afterwards.
        """
        clicked = feedback.clicked < feedback.shown_quality.shape[1]
        worth = feedback.reward * feedback.quality
        self.sums = self.sums + np.stack([np.ones_like(worth), ~clicked, feedback.reward, worth], axis=1)
        reached = self.features()
        self.sums = np.where(feedback.done[:, None], np.float32(0), self.sums)
        return reached
