"""The contracts of every app's domain and training, in the recommendation worlds."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from apps.slateq.config import Environment, WorldConfig
from apps.slateq.domain import SlateDomain, make_domain
from apps.slateq.train import TRAINING
from apps.slateq.train_config import AgentConfig, TrainConfig
from lmgt_core.guidance.domain import Domain
from lmgt_core.testing.domain import DomainContract
from lmgt_core.testing.training import TrainingContract


class TestDocuments(DomainContract):
    def make_domain(self) -> Domain:
        return make_domain("interest-evolution")


class TestSlates(DomainContract):
    def make_domain(self) -> Domain:
        return SlateDomain(WorldConfig(), "slate")


class TestHiddenInterests(DomainContract):
    def make_domain(self) -> Domain:
        return make_domain("interest-exploration")


@pytest.mark.parametrize("env", get_args(Environment))
def test_a_user_may_type_a_topic(env: str) -> None:
    domain = make_domain(env)
    assert domain.read("loves", "0") in list(domain.questions() or ())
    assert domain.describer()([(np.zeros(0), np.array([0]))], [np.array([0])], [None]) == [None]


class TestTraining(TrainingContract):
    """A table learns in a second, but TensorFlow traces for several, so the contract is among the slow tests."""

    pytestmark = pytest.mark.slow
    training = TRAINING

    def config(self, out: Path, judge: str, **changes: Any) -> TrainConfig:
        settings: dict[str, Any] = {
            "algorithm": "tabular",
            "steps": 1024,
            "users": 16,
            "evaluate_users": 10,
            "evaluate_every": 512,
            "checkpoint_every": 256,
            "seeds": (0,),
            "agent": AgentConfig(warm_up=128, batch_size=32, updates=1),
        }
        return TrainConfig(out=out, judge=judge, **settings | changes)
