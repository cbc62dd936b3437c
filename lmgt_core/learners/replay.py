"""A replay buffer that keeps reward and shift apart until a learner samples them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer

from lmgt_core.guidance.reward import shifted_reward
from lmgt_core.guidance.shift_source import ShiftSource


class ShiftReplayBuffer(ReplayBuffer):
    """Stable-Baselines3's buffer with r_t and shift_t side by side: samples hold r_t + w * shift_t.

    w is the weight of the decisions taken last, so an annealed shift fades from old transitions too. Shifts may come
    late: a transition with a ticket (`VectorRewardShift(late=True)`) is resolved when it is first sampled. Without
    annealing the samples equal, bit for bit, those of a buffer of shifted rewards.
    """

    def __init__(self, *args: Any, source: ShiftSource, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.source = source
        shape = (self.buffer_size, self.n_envs)
        self.unshifted = np.zeros(shape, dtype=np.float64)  # as the environment gave it, before rounding to float32
        self.shifts = np.zeros(shape, dtype=np.float32)
        self.tickets = np.full(shape, -1, dtype=np.int64)  # of shifts that have not been asked for; -1: it is there

    def add(
        self,
        obs: NDArray[Any],
        next_obs: NDArray[Any],
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Stores a transition of each environment; `infos` say what its reward and shift are."""
        at = self.pos
        self.unshifted[at] = [info["reward"] for info in infos]
        self.shifts[at] = [info["shift"] for info in infos]
        self.tickets[at] = [info.get("shift_ticket", -1) for info in infos]
        super().add(obs, next_obs, action, reward, done, infos)

    def _get_samples(self, batch_inds: NDArray[Any], env: Any = None) -> Any:
        self._compose(np.unique(batch_inds))
        return super()._get_samples(batch_inds, env)

    def _compose(self, rows: NDArray[Any]) -> None:
        """Writes r + w * shift into `rewards` at these rows, all environments."""
        late = self.tickets[rows] >= 0
        if late.any():
            shifts = self.shifts[rows]
            shifts[late] = self.source.resolve(self.tickets[rows][late])
            self.shifts[rows] = shifts
            self.tickets[rows] = -1
        self.rewards[rows] = shifted_reward(self.unshifted[rows], self.shifts[rows], self.source.weight)
