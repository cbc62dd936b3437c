"""NGU: R2D2 that also earns beta_j * episodic novelty * lifelong novelty (Badia et al. 2020, arXiv 2002.06038).

Everything else is R2D2's: this file overrides what the network is given, the intrinsic reward, the discounts and, in
`learn`, adds the two networks that measure novelty.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apps.atari_vision.ngu.config import NGUConfig
from apps.atari_vision.ngu.embedding import ActorEmbeddings, InverseDynamics
from apps.atari_vision.ngu.family import exploration_weights, member_discounts
from apps.atari_vision.ngu.novelty import EpisodicMemory
from apps.atari_vision.ngu.rnd import RandomNetworkDistillation
from apps.atari_vision.r2d2.agent import Acting, Floats, Learned, R2D2Agent
from apps.atari_vision.r2d2.replay import SequenceBatch


class NGUAgent(R2D2Agent):
    """A family of R2D2 policies, each paid for novelty by a rate of its own."""

    config: NGUConfig

    def __init__(self, config: NGUConfig, shape: tuple[int, ...], actions: int, seed: int) -> None:
        self.family = config.members
        self.betas = exploration_weights(config.members, config.beta)
        self.gammas = member_discounts(config.members, config.discount, config.discount_explore)
        super().__init__(config, shape, actions, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.dynamics = InverseDynamics(shape, actions, config).to(self.device)
            self.rnd = RandomNetworkDistillation(shape, config).to(self.device)
        self.embeddings = ActorEmbeddings(self.dynamics.embedding, config.actors)
        self.memory = EpisodicMemory(config.actors, config)
        learned: list[dict[str, Any]] = [
            {"params": self.dynamics.parameters(), "weight_decay": config.dynamics_decay},
            {"params": self.rnd.predictor.parameters()},
        ]
        self.novelty_optimizer = torch.optim.Adam(
            learned, lr=config.novelty_learning_rate, eps=config.adam_epsilon, fused=True
        )

    @property
    def inputs_size(self) -> int:
        return super().inputs_size + 1 + self.family

    def inputs(self, acting: Acting) -> Floats:
        """R2D2's, the last (weighted) intrinsic reward, and which member acts, one of n."""
        members = np.eye(self.family, dtype=np.float32)[acting.member]
        return np.concatenate([super().inputs(acting), acting.intrinsic[:, None], members], axis=1)

    def discounts(self, acting: Acting) -> Floats:
        return self.gammas[acting.member]

    @torch.no_grad()
    def begin(self, acting: Acting, begun: NDArray[np.bool_], observations: NDArray[Any]) -> None:
        super().begin(acting, begun, observations)
        self.memory.clear(begun)
        self.embeddings.take(begun)
        self.memory.add(self.embeddings(self._tensor(observations)), begun)

    @torch.no_grad()
    def intrinsic(self, acting: Acting, observations: NDArray[Any]) -> Floats:
        """[actor] beta_j * episodic novelty * curiosity in [1, L]."""
        seen = self._tensor(observations)
        novelty = self.memory.novelty(self.embeddings(seen))
        return self.betas[acting.member] * novelty * self.rnd.curiosity(seen)

    def learn(self, batch: SequenceBatch) -> Learned:
        """R2D2's step, and one on the last decisions of each sequence for embedding and predictor."""
        learned = super().learn(batch)
        config = self.config
        last = batch.mask.sum(axis=1)[:, None] - 1 - np.arange(config.novelty_decisions)  # [batch, decision]
        exists, last = (last >= 0).reshape(-1), np.maximum(last, 0)
        rows = np.arange(len(last))[:, None]
        before = self._tensor(batch.observation[rows, config.burn_in + last]).flatten(0, 1)
        after = self._tensor(batch.observation[rows, config.burn_in + last + 1]).flatten(0, 1)
        mask = self._tensor(exists)
        dynamics = self.dynamics.loss(before, after, self._tensor(batch.action[rows, last]).flatten(), mask)
        distilled = (self.rnd.errors(after) * mask).sum() / mask.sum()
        self.novelty_optimizer.zero_grad(set_to_none=True)
        (dynamics + distilled).backward()
        self.novelty_optimizer.step()
        scalars = {**learned.scalars, "inverse_dynamics": float(dynamics.detach()), "rnd": float(distilled.detach())}
        return Learned(learned.loss, scalars, learned.priorities)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "dynamics": self.dynamics.state_dict(),
            "embeddings": self.embeddings.state_dict(),
            "rnd": self.rnd.state_dict(),
            "moments": self.rnd.moments_state(),
            "novelty_optimizer": self.novelty_optimizer.state_dict(),
            "memory": self.memory.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.dynamics.load_state_dict(state["dynamics"])
        self.embeddings.load_state_dict(state["embeddings"])
        self.rnd.load_state_dict(state["rnd"])
        self.rnd.load_moments(state["moments"])
        self.novelty_optimizer.load_state_dict(state["novelty_optimizer"])
        self.memory.load_state_dict(state["memory"])
