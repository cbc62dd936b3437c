"""Episodic novelty: how unlike everything else in this episode a state is (Badia et al. 2020, algorithm 1).

Likeness is measured between embeddings (embedding.py), so that it sees what the agent can control and little else.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apps.atari_vision.ngu.config import NGUConfig


def kernel_novelty(squared: NDArray[np.floating[Any]], mean: float, config: NGUConfig) -> float:
    """1 / (sqrt of the summed kernels + c) from squared distances to the nearest neighbours, 0 where all too similar.

    `mean` is the moving average of such distances, which makes them free of the embedding's scale.
    """
    normalised = np.maximum(squared / max(mean, 1e-8) - config.cluster_distance, 0)
    kernels = config.kernel_epsilon / (normalised + config.kernel_epsilon)
    similarity = float(np.sqrt(kernels.sum())) + config.pseudo_counts
    return 0.0 if similarity > config.maximum_similarity else 1 / similarity


class EpisodicMemory:
    """The embeddings of each actor's running episode."""

    def __init__(self, actors: int, config: NGUConfig) -> None:
        self.config = config
        self.rows = np.zeros((actors, 64, config.embedding_size), dtype=np.float32)  # grows up to the capacity
        self.count = np.zeros(actors, dtype=np.int64)  # embeddings seen in the episode
        self.mean = np.zeros(actors, dtype=np.float64)  # of neighbours' squared distances; 0: none yet

    def clear(self, begun: NDArray[np.bool_]) -> None:
        """Forgets the episodes of these actors; the scale of distances stays."""
        self.count[begun] = 0

    def novelty(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """[actor] how novel these states are, which are remembered then; a first state is not judged, and has 0."""
        novelty = np.array([self._one(i, e) for i, e in enumerate(embeddings)], dtype=np.float32)
        self.add(embeddings, np.ones(len(embeddings), dtype=bool))
        return novelty

    def add(self, embeddings: NDArray[np.float32], where: NDArray[np.bool_]) -> None:
        """Remembers a state of each of these actors."""
        held = self.rows.shape[1]
        if self.count.max() >= held < self.config.episodic_capacity:
            more = min(held, self.config.episodic_capacity - held)
            self.rows = np.concatenate([self.rows, np.zeros_like(self.rows[:, :more])], axis=1)
        actors = np.flatnonzero(where)
        self.rows[actors, self.count[actors] % self.rows.shape[1]] = embeddings[actors]
        self.count[actors] += 1

    def _one(self, actor: int, embedding: NDArray[np.float32]) -> float:
        known = self.rows[actor, : min(self.count[actor], self.rows.shape[1])]
        if not len(known):
            return 0.0
        squared = np.square(known - embedding).sum(axis=1)
        k = min(self.config.neighbours, len(squared))
        nearest = np.partition(squared, k - 1)[:k]
        rate = self.config.distance_rate if self.mean[actor] else 1.0
        self.mean[actor] += rate * (float(nearest.mean()) - self.mean[actor])
        return kernel_novelty(nearest, float(self.mean[actor]), self.config)

    def state_dict(self) -> dict[str, Any]:
        """The memories, as tensors."""
        return {name: torch.from_numpy(getattr(self, name).copy()) for name in ("rows", "count", "mean")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        for name in ("rows", "count", "mean"):
            setattr(self, name, state[name].cpu().numpy().copy())
