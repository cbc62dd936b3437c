"""What watches a learner of Stable-Baselines3: its budget, its episodes, its evaluations on the way."""

from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq

from apps.atari_vision.learners.policy import Policy, policy_of

Record = Callable[[str, dict[str, Any]], None]  # table, row


class Watch(BaseCallback):
    """Counts decisions up to the budget, and hands out rows of episodes (`block` together) and evaluations."""

    def __init__(
        self,
        steps: int,
        evaluate_every: int,
        evaluation: Callable[[Policy, int], dict[str, float]],
        record: Record,
        tick: Callable[[int], None],
        block: int,
    ) -> None:
        super().__init__()
        self.steps, self.every, self.evaluation = steps, evaluate_every, evaluation
        self.record, self.tick, self.block = record, tick, block
        self._evaluated = self._episodes = 0
        self._waiting: list[tuple[float, int]] = []  # returns and lengths that wait for their row

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "episode" in info:
                self._waiting.append((info["episode"]["r"], info["episode"]["l"]))
                if len(self._waiting) == self.block:
                    self.finish()
        if self.num_timesteps // self.every > self._evaluated // self.every and self.num_timesteps < self.steps:
            metrics = self.evaluation(policy_of(self.model), self.num_timesteps)
            self.record("evaluations", {"decisions": self.num_timesteps, **metrics})
        self._evaluated = self.num_timesteps
        self.tick(self.training_env.num_envs)
        # A full round is learned from after this step, with which the training ends anyway; stopping would forbid it.
        return self.num_timesteps < self.steps or self.num_timesteps % self._round() == 0

    def _round(self) -> int:
        """Decisions between two times that the learner learns."""
        if isinstance(self.model, OffPolicyAlgorithm):
            assert isinstance(self.model.train_freq, TrainFreq)
            return self.model.train_freq.frequency * self.training_env.num_envs
        assert isinstance(self.model, OnPolicyAlgorithm)
        return self.model.n_steps * self.training_env.num_envs

    def finish(self) -> None:
        """Writes the row of the episodes that wait for one."""
        if not self._waiting:
            return
        returns, lengths = zip(*self._waiting, strict=True)
        row = {"episode": self._episodes, "decisions": self.num_timesteps}
        means = {"return": float(np.mean(returns)), "length": float(np.mean(lengths))}
        self.record("episodes", row | means | ({"episodes": len(returns)} if self.block > 1 else {}))
        self._episodes += 1
        self._waiting = []
