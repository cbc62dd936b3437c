"""`lmgt study --app atari`: trainings on pixels, and how they depend on the judge and on what it is shown."""

from pathlib import Path
from typing import Any

from apps.atari_vision.config import TrainConfig
from apps.atari_vision.train import TRAINING
from lmgt_core.study.training_app import TrainingStudy

NOISY = "noisy-oracle"


def config_of(settings: dict[str, Any]) -> dict[str, Any]:
    """The fields of `TrainConfig`: noisy-oracle gets its accuracy, and only the end is evaluated."""
    given = dict(settings)
    accuracy = given.pop("accuracy")
    if given["judge"] == NOISY:
        given["judge"] = f"{NOISY}:{accuracy:g}"
    return given | {"set": tuple(given["set"].split()), "evaluate_every": given["steps"]}


APP = TrainingStudy(
    name="atari",
    training=TRAINING,
    config=TrainConfig,
    about={
        "env": "world",
        "algorithm": "agent",
        "captioner": "what puts frames into words (none: the judge sees the frame)",
        "judge": "judge (noisy-oracle: of the given accuracy)",
        "accuracy": "accuracy of noisy-oracle (0: always wrong, 1: always right)",
        "rule": "shift rule",
        "scale": "size of a shift (units of reward)",
        "gate": "whether the judge is gated",
        "min_precision": "precision that the gate asks for",
        "audit_questions": "questions of the audit, at most",
        "strategy": "prompt strategy",
        "steps": "decisions of a training",
        "set": "hyper-parameters of the agent, as name=value divided by spaces",
        "limit": "most decisions of a game's episode (null: 27,000)",
        "evaluation_episodes": "episodes of the evaluation (null: those of the world)",
    },
    metrics={
        "return": "mean return of an episode after training, without any shift (reward units)",
        "length": "mean length of an episode (decisions)",
        "judgments": "decisions judged in training",
    },
    presets=Path(__file__).parent / "presets",
    defaults={
        "env": "CartPole",
        "captioner": "objects",
        "judge": NOISY,
        "accuracy": 1.0,
        "gate": False,
        "audit_questions": 0,
        "steps": 2000,
        "set": "",
    },
    extra=config_of,
)
