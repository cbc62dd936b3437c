"""The contracts of every app's domain and training, in generated homes."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from apps.housekeep.config import TrainConfig
from apps.housekeep.domain import make_domain
from apps.housekeep.train import TRAINING
from lmgt_core.guidance.domain import Domain
from lmgt_core.testing.domain import DomainContract
from lmgt_core.testing.training import TrainingContract


@cache
def home() -> Domain:
    """One generated home; its file is read once."""
    return make_domain("builtin:train_home_0")


class TestHome(DomainContract):
    def make_domain(self) -> Domain:
        return home()


class TestSkills(TrainingContract):
    training = TRAINING

    def config(self, out: Path, judge: str, **changes: Any) -> TrainConfig:
        settings: dict[str, Any] = {
            "episodes": ("builtin:train_home_0",),
            "select": "0:2",
            "evaluate_count": 1,
            "steps": 70,
            "checkpoint_every": 10,
            "seeds": (0,),
        }
        return TrainConfig(out=out, judge=judge, **settings | changes)


@pytest.mark.slow
class TestSkillsInTwoHomes(TestSkills):
    """The same where two homes act side by side."""

    def config(self, out: Path, judge: str, **changes: Any) -> TrainConfig:
        return super().config(out, judge, envs=2, **changes)
