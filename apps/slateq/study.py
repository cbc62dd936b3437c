"""`lmgt study --app slateq`: trainings of recommendation policies, and how they depend on the judge."""

from pathlib import Path
from typing import Any

from apps.slateq.train import TRAINING
from apps.slateq.train_config import TrainConfig
from lmgt_core.study.training_app import TrainingStudy

NOISY = "noisy-oracle"


def config_of(settings: dict[str, Any]) -> dict[str, Any]:
    """The fields of `TrainConfig`: the judge noisy-oracle gets its accuracy, and only the end is evaluated."""
    given = dict(settings)
    accuracy = given.pop("accuracy")
    if given["judge"] == NOISY:
        given["judge"] = f"{NOISY}:{accuracy:g}"
    return given | {"evaluate_every": given["steps"]}


APP = TrainingStudy(
    name="slateq",
    training=TRAINING,
    config=TrainConfig,
    about={
        "env": "world",
        "candidates": "documents to choose a slate from",
        "slate": "documents in a slate",
        "algorithm": "learned policy",
        "judge": "judge (noisy-oracle: of the given accuracy)",
        "accuracy": "accuracy of noisy-oracle (0: always wrong, 1: always right)",
        "judge_unit": "what is judged: item or slate",
        "vocabulary": "names of the topics",
        "rule": "shift rule",
        "scale": "size of a shift (units of reward)",
        "gate": "whether the judge is gated",
        "min_precision": "precision that the gate asks for",
        "strategy": "prompt strategy",
        "steps": "slates served in training",
        "users": "users served at a time",
        "evaluate_users": "sessions of the evaluation",
    },
    metrics={
        "return": "mean return of a session after training, without any shift (reward units)",
        "click_rate": "share of slates with a click",
        "quality": "mean quality of the clicked documents",
        "judgments": "clicks judged in training",
    },
    presets=Path(__file__).parent / "presets",
    defaults={"judge": NOISY, "accuracy": 1.0, "gate": False, "algorithm": "QL-TT-TS", "steps": 40_000},
    extra=config_of,
)
