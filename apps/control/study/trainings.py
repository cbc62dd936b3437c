"""The trainings of `lmgt control train` as the cells of a study."""

from pathlib import Path
from typing import Any

from apps.control.config import TrainConfig
from apps.control.hyperparameters import OFF_POLICY
from apps.control.train import TRAINING
from lmgt_core.study.training_app import TrainingStudy


def config_fields(settings: dict[str, Any]) -> dict[str, Any]:
    """The fields of a TrainConfig that a cell's settings stand for; each training is evaluated once, at its end."""
    folders = {name: Path(settings[name]) for name in ("prompts", "documents") if settings[name] is not None}
    begins = settings["learning_starts"] if settings["algorithm"] in OFF_POLICY else None
    return {**settings, **folders, "learning_starts": begins, "evaluate_every": settings["steps"]}


APP = TrainingStudy(
    name="control-trainings",
    training=TRAINING,
    config=TrainConfig,
    about={
        "env": "task",
        "algorithm": "learner",
        "judge": "judge",
        "rule": "shift rule",
        "scale": "size of a shift (units of reward)",
        "gate": "whether the judge is gated",
        "min_precision": "precision that the gate asks for",
        "strategy": "prompt strategy",
        "prompts": "folder of prompt templates (null: the app's)",
        "documents": "folder of documents for retrieval (null: the app's)",
        "learning_starts": "steps before an off-policy learner begins to learn (null: the reference's)",
        "steps": "steps of a training",
    },
    metrics={
        "return": "final return, without any shift (reward units)",
        "length": "steps of an episode in the final evaluation",
        "judgments": "decisions that were judged",
    },
    presets=Path(__file__).parent / "trainings",
    extra=config_fields,
)
