"""Hyper-parameters of NGU beside those of R2D2; the defaults are the paper's (Badia et al. 2020, appendix F).

Those of the kernel, the family, the optimisers and the target network were compared with another implementation's
transcription of that table; where it is silent, R2D2's stand.
"""

from dataclasses import asdict, dataclass

from apps.atari_vision.r2d2 import config as r2d2
from apps.atari_vision.r2d2.config import R2D2Config


@dataclass(frozen=True)
class NGUConfig(R2D2Config):
    """What NGU adds: an episodic and a lifelong novelty, and a family of exploration rates."""

    adam_epsilon: float = 1e-4
    target_every: int = 1_500
    warm_up: int = 6_250
    members: int = 32
    """Policies in the family: member 0 only exploits, the last one explores most."""
    beta: float = 0.3
    """Weight of the intrinsic reward of the member that explores most."""
    discount_explore: float = 0.99
    """Its discount; `discount` is that of member 0."""
    embedding_size: int = 32
    neighbours: int = 10
    episodic_capacity: int = 30_000
    """Embeddings that an actor's episodic memory holds; then the oldest make room."""
    kernel_epsilon: float = 1e-4
    cluster_distance: float = 8e-3
    """Normalised squared distances up to this count as none."""
    pseudo_counts: float = 1e-3
    maximum_similarity: float = 8.0
    """A state more similar than this to the episode's past is not novel at all."""
    maximum_curiosity: float = 5.0
    """L: the most by which lifelong novelty multiplies episodic novelty."""
    novelty_learning_rate: float = 5e-4
    dynamics_decay: float = 1e-5
    """L2 weight of embedding and action prediction."""
    novelty_decisions: int = 5
    """Last decisions of each sequence from which embedding and predictor learn."""
    distance_rate: float = 0.01
    """Rate of the moving average of neighbours' distances (the paper does not give one)."""


# Worlds whose observations are a few numbers: R2D2's choice, an exploiting and an exploring member, and an embedding
# that learns as fast as the rest.
SMALL = NGUConfig(**asdict(r2d2.SMALL), members=2)
