"""The contracts of every app's domain and training, on a rendered table and a rendered pole."""

from functools import cache
from pathlib import Path
from typing import Any

from apps.atari_vision.config import TrainConfig
from apps.atari_vision.domain import AtariDomain, make_domain
from apps.atari_vision.train import TRAINING
from apps.atari_vision.worlds import world
from lmgt_core.guidance.domain import Domain
from lmgt_core.testing.domain import DomainContract
from lmgt_core.testing.training import TrainingContract

SHORT: dict[str, Any] = {
    "env": "CartPole",
    "seeds": (0,),
    "steps": 160,
    "evaluate_every": 80,
    "evaluation_episodes": 2,
    "checkpoint_every": 40,
    "audit_questions": 60,
}
RECURRENT = (
    "actors=2", "processes=no", "length=6", "period=3", "burn_in=3", "hidden_size=8", "batch_size=4", "warm_up=4",
    "decisions_per_update=24",
)  # fmt: skip


@cache
def frames() -> Domain:
    """A domain whose frames are shown; its expert knows what its own memory has noted."""
    return AtariDomain(world("CartPole"), audit_questions=60)


class TestFrames(DomainContract):
    def make_domain(self) -> Domain:
        return frames()


class TestWrittenSums(DomainContract):
    def make_domain(self) -> Domain:
        return make_domain("Blackjack-box:ocr")


class TestPrivilegedCaptions(DomainContract):
    def make_domain(self) -> Domain:
        return make_domain("CartPole:objects")


class TestDQN(TrainingContract):
    training = TRAINING

    def config(self, out: Path, judge: str, **changes: Any) -> TrainConfig:
        settings = ("train_freq=32", "gradient_steps=2", "learning_starts=64")
        return TrainConfig(out=out, judge=judge, algorithm="dqn", set=settings, **SHORT | changes)


class TestR2D2(TrainingContract):
    training = TRAINING

    def config(self, out: Path, judge: str, **changes: Any) -> TrainConfig:
        return TrainConfig(out=out, judge=judge, algorithm="r2d2", set=RECURRENT, **SHORT | changes)
