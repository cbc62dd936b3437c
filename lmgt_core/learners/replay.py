"""A replay buffer that keeps reward and shift apart until a learner samples them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer

from lmgt_core.guidance.judge_ahead import JudgeAhead
from lmgt_core.guidance.shifter import RewardShifter
from lmgt_core.guidance.transition import add_shift


class ShiftReplayBuffer(ReplayBuffer):
    """Stable-Baselines3's buffer with r_t and shift_t side by side: samples hold r_t + w * shift_t.

    w is the weight at the time of sampling, so an annealed shift fades from old transitions too, and `rejudge` leaves
    no stale rewards. Shifts may come late: with `ahead`, a transition is stored with a ticket, which is cashed in when
    it is first sampled. Without annealing the samples equal, bit for bit, those of a buffer of shifted rewards.
    """

    def __init__(self, *args: Any, shifter: RewardShifter | JudgeAhead, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shifter = shifter
        self.decisions = 0
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
        self.tickets[at] = self.shifter.take() if isinstance(self.shifter, JudgeAhead) else -1
        self.decisions += self.n_envs
        super().add(obs, next_obs, action, reward, done, infos)

    def rejudge(self, judge_again: RewardShifter, unscale: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        """Replaces every stored shift by what `judge_again` says now; `unscale` gives the environment's action."""
        size = self.size()
        for env in range(self.n_envs):
            actions = unscale(self.actions[:size, env])
            shape = self.action_space.shape or ()
            self.shifts[:size, env] = judge_again(
                list(self.observations[:size, env]), list(actions.reshape(size, *shape))
            ).delta
        self.tickets[:size] = -1

    def _get_samples(self, batch_inds: NDArray[Any], env: Any = None) -> Any:
        self._compose(np.unique(batch_inds))
        return super()._get_samples(batch_inds, env)

    def _compose(self, rows: NDArray[Any]) -> None:
        """Writes r + w * shift into `rewards` at these rows, all environments."""
        late = self.tickets[rows] >= 0
        if late.any():
            assert isinstance(self.shifter, JudgeAhead)
            shifts = self.shifts[rows]
            shifts[late] = self.shifter.resolve(self.tickets[rows][late])
            self.shifts[rows] = shifts
            self.tickets[rows] = -1
        weight = self.shifter.weight(max(self.decisions - 1, 0))  # that of the latest decision
        self.rewards[rows] = add_shift(self.unshifted[rows], self.shifts[rows], weight)
