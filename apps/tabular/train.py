"""`lmgt tabular train`: how one seed of a finite world is trained; the rest is lmgt_core/training/driver.py."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from apps.tabular.config import ALGORITHMS, TrainConfig
from apps.tabular.domain import make_domain
from apps.tabular.learner import LearnerConfig, TabularLearner
from apps.tabular.mdp import random_return, value_iteration
from apps.tabular.worlds import make_world
from lmgt_core.errors import UserError
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.rules.cards import Seam
from lmgt_core.training.driver import CACHE, Metrics, Training
from lmgt_core.training.driver import train as run_training
from lmgt_core.training.processes import Tick
from lmgt_core.training.run_log import RunLog

EPSILON_FINAL, EPSILON_SHARE, HORIZON = 0.05, 0.5, 60  # those of the studies (study_app.py)


def check(config: TrainConfig) -> None:
    """UserError naming the flag where something cannot be trained."""
    make_domain(config.env)
    if config.algorithm not in ALGORITHMS:
        raise UserError(f"--algorithm {config.algorithm}: no such algorithm; choose one of {', '.join(ALGORITHMS)}")


def guidance(config: TrainConfig) -> Guidance:
    """The config's judge in its world, not audited."""
    domain = make_domain(config.env, config.prompts, config.documents)
    return Guidance.of(domain, config, config.cache or config.out / CACHE, seams=tuple(Seam))


def about(config: TrainConfig) -> Mapping[str, Any]:
    """What runs are compared by, beside the judge."""
    return {"env": config.env, "algorithm": config.algorithm}


def train_seed(config: TrainConfig, source: ShiftSource | None, seed: int, log: RunLog, tick: Tick) -> Metrics:
    """The last evaluation, which is exact; an interrupted training begins anew."""
    mdp = make_world(config.env)
    best, at_random = float(mdp.start @ value_iteration(mdp).max(axis=1)), random_return(mdp)
    metrics: dict[str, float] = {}
    ticked = 0

    def evaluated(decisions: int, earned: float) -> None:
        nonlocal ticked
        metrics.update({"return": earned, "score": (earned - at_random) / (best - at_random)})
        log.record_evaluation(seed, {"decisions": decisions, **metrics})
        log.scalar(seed, "evaluation/return", earned, decisions)
        tick(decisions - ticked)
        ticked = decisions

    settings = LearnerConfig(
        config.algorithm,  # type: ignore[arg-type]
        epsilon_final=EPSILON_FINAL,
        epsilon_share=EPSILON_SHARE,
        horizon=HORIZON,
    )
    learner = TabularLearner(mdp, source, settings, np.random.default_rng([seed, 8]))
    learned = learner.learn(config.steps, config.curve, evaluated)
    rows = [{"episode": i, **episode} for i, episode in enumerate(learned.episodes)]
    log.record_episodes(seed, rows)
    content = io.BytesIO()
    np.savez_compressed(content, q=learned.q, advice=learned.advice)
    log.save_checkpoint(seed, content.getvalue())
    return metrics


TRAINING = Training(app="tabular", unit="decisions", check=check, guidance=guidance, about=about, train_seed=train_seed)


def main(config: TrainConfig) -> dict[str, Any]:
    """Trains and returns the summary that is also in the run directory's summary.json."""
    return run_training(TRAINING, config)
