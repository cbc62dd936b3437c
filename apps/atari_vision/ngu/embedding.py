"""Embeddings of what an agent can control, by predicting the action between two observations (Badia et al. 2020, 2).

They are learned from sequences, but each actor measures with a copy that it takes when an episode begins: distances
within an episode compare embeddings of one network, however the learner's moves on meanwhile.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap

from apps.atari_vision.ngu.config import NGUConfig
from apps.atari_vision.r2d2.network import Encoder


class Embedding(nn.Module):
    """[batch, embedding] of observations: an encoder and a linear layer."""

    def __init__(self, shape: tuple[int, ...], config: NGUConfig) -> None:
        super().__init__()
        self.encoder = Encoder(shape, config.hidden_size)
        self.linear = nn.Linear(config.hidden_size, config.embedding_size)

    def forward(self, observations: Tensor) -> Tensor:
        return self.linear(self.encoder(observations))


class InverseDynamics(nn.Module):
    """Embeds observations, and predicts from two embeddings the action between them."""

    def __init__(self, shape: tuple[int, ...], actions: int, config: NGUConfig) -> None:
        super().__init__()
        self.embedding = Embedding(shape, config)
        self.head = nn.Sequential(nn.Linear(2 * config.embedding_size, 128), nn.ReLU(), nn.Linear(128, actions))

    def loss(self, before: Tensor, after: Tensor, actions: Tensor, mask: Tensor) -> Tensor:
        """The mean cross entropy of the actions [batch] where `mask` is True."""
        logits = self.head(torch.cat([self.embedding(before), self.embedding(after)], dim=-1))
        losses = nn.functional.cross_entropy(logits, actions, reduction="none")
        return (losses * mask).sum() / mask.sum().clamp(min=1)


class ActorEmbeddings:
    """Each actor's copy of the embedding network, as old as the actor's episode."""

    def __init__(self, network: Embedding, actors: int) -> None:
        self.network = network
        self.weights = {
            name: weight.detach().unsqueeze(0).repeat(actors, *[1] * weight.dim())
            for name, weight in network.named_parameters()
        }  # each [actor, ...]

    @torch.no_grad()
    def take(self, begun: NDArray[np.bool_]) -> None:
        """The actors whose episode has `begun` take the network as it is now."""
        rows = np.flatnonzero(begun).tolist()
        for name, weight in self.network.named_parameters():
            self.weights[name][rows] = weight.detach()

    @torch.no_grad()
    def __call__(self, observations: Tensor) -> NDArray[np.float32]:
        """[actor, embedding] of one observation each."""

        def one(weights: dict[str, Tensor], observation: Tensor) -> Tensor:
            return functional_call(self.network, weights, (observation.unsqueeze(0),)).squeeze(0)

        return vmap(one)(self.weights, observations).cpu().numpy()

    def state_dict(self) -> dict[str, Tensor]:
        """The copies."""
        return dict(self.weights)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        for name, weight in self.weights.items():
            weight.copy_(state[name])
