"""Lifelong novelty: the error of predicting a fixed random network (Burda et al. 2018, arXiv 1810.12894)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from apps.atari_vision.ngu.config import NGUConfig
from apps.atari_vision.r2d2.network import Encoder


def curiosity(errors: NDArray[np.floating[Any]], mean: float, deviation: float, most: float) -> NDArray[np.float32]:
    """[batch] min(max(1 + (error - mean) / deviation, 1), most): the factor on episodic novelty (section 2)."""
    alpha = 1 + (errors - mean) / max(deviation, 1e-8)
    return np.clip(alpha, 1, most).astype(np.float32)


class RunningMoments:
    """Mean and standard deviation of all numbers so far (Chan, Golub, LeVeque 1983)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, numbers: NDArray[np.floating[Any]]) -> None:
        """Counts these numbers in."""
        size, mean = numbers.size, float(numbers.mean())
        apart, total = mean - self.mean, self.count + size
        self.squares += float(np.square(numbers - mean).sum()) + apart**2 * self.count * size / total
        self.mean += apart * size / total
        self.count = total

    @property
    def deviation(self) -> float:
        """The standard deviation; 0 before there are numbers."""
        return float(np.sqrt(self.squares / max(self.count, 1)))


class RandomNetworkDistillation(nn.Module):
    """A fixed random network and one that learns to predict it."""

    def __init__(self, shape: tuple[int, ...], config: NGUConfig) -> None:
        super().__init__()
        self.most = config.maximum_curiosity
        self.fixed, self.predictor = (
            nn.Sequential(Encoder(shape, config.hidden_size), nn.Linear(config.hidden_size, 128)) for _ in range(2)
        )
        self.fixed.requires_grad_(False)
        self.moments = RunningMoments()

    def errors(self, observations: Tensor) -> Tensor:
        """[batch] mean squared errors of prediction."""
        return (self.predictor(observations) - self.fixed(observations)).square().mean(dim=-1)

    @torch.no_grad()
    def curiosity(self, observations: Tensor) -> NDArray[np.float32]:
        """[batch] the factor on episodic novelty, by the errors so far, these among them."""
        errors = self.errors(observations).cpu().numpy().astype(np.float64)
        self.moments.add(errors)
        return curiosity(errors, self.moments.mean, self.moments.deviation, self.most)

    def moments_state(self) -> dict[str, float]:
        """The running moments, for a checkpoint."""
        return {"count": self.moments.count, "mean": self.moments.mean, "squares": self.moments.squares}

    def load_moments(self, state: Mapping[str, Any]) -> None:
        """Takes up what `moments_state` gave."""
        self.moments.count, self.moments.mean = int(state["count"]), float(state["mean"])
        self.moments.squares = float(state["squares"])
