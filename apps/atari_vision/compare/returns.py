"""What agents earn that were trained with an arm's judgments: runs of `lmgt atari train` in a comparison's folder."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.atari_vision.config import CompareConfig, TrainConfig
from apps.atari_vision.learners.settings import sb3_settings
from apps.atari_vision.train import TRAINING
from apps.atari_vision.worlds import world
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.training.driver import run_returns, train
from lmgt_core.training.run_log import RunLog

BASELINE = "no judge"


def training(config: CompareConfig, arm: str, judge: str, captioner: str) -> TrainConfig:
    """The training of one arm; what the comparison taught itself is read from its files.

    The judge always speaks, and is not audited: the comparison has measured it.
    """
    return TrainConfig(
        env=config.env,
        algorithm=config.algorithm,
        judge=_from_file(judge, "distilled", config.out / "distilled.npz"),
        captioner=_from_file(captioner, "trained", config.out / "captioner.npz"),
        rule=config.rule,
        scale=config.scale,
        gate=False,
        audit_questions=0,
        steps=config.train_steps,
        seeds=config.seeds,
        evaluation_episodes=config.evaluation_episodes,
        evaluate_every=config.train_steps,
        set=config.set,
        workers=config.workers,
        out=run_of(config, arm),
        captions=config.captions or config.out / "captions.sqlite",
    )


def _from_file(spec: str, name: str, file: Path) -> str:
    return f"{name}:{file}" if spec == name else spec


def run_of(config: CompareConfig, arm: str) -> Path:
    """The folder of an arm's runs."""
    return config.out / "runs" / re.sub(r"[^\w.-]+", "-", arm)


def trained_returns(config: TrainConfig, guidance: Guidance | None = None) -> list[float]:
    """Trains every seed; the mean unshifted return of each one's last evaluation.

    `guidance` holds an arm's own judge and captioner.
    """
    train(TRAINING, config, guidance)
    return run_returns(config.out, config.seeds)


def learned_policy(config: CompareConfig) -> Callable[[Any], int] | None:
    """The first seed that was trained without a judge, as view -> action; None where there is none to load."""
    if not config.train_steps or config.algorithm not in ("dqn", "ppo"):
        return None
    from apps.atari_vision.learners.policy import load_policy
    from apps.atari_vision.learners.sb3 import make_learner

    made = world(config.env)
    settings = sb3_settings(config.algorithm, made.game, config.train_steps, config.set)
    learner = make_learner(made, config.algorithm, settings | {"n_envs": 1}, 0, None, None, "cpu")
    with RunLog.open(run_of(config, BASELINE)) as log:
        content = log.load_checkpoint(config.seeds[0])
    assert content is not None  # a finished seed has saved its agent
    policy = load_policy(content, learner)
    return lambda view: int(policy(np.asarray(view)[None])[0])


def return_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of arms that were trained with, for a table of returns."""
    names = ("arm", "return_mean", "return_ci95")
    return [{name: one[name] for name in names} for one in rows if one["return_mean"] is not None]
