"""One training of a Housekeep study: skills in a generated home, evaluated without any shift on the way."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from apps.housekeep.config import TrainConfig
from apps.housekeep.domain import build, prepare
from apps.housekeep.train import CACHE, load, resolved
from lmgt_core.study.app import Result, Settings, horizon_of
from lmgt_core.training.run_log import RunLog

TRAINING, EVALUATION = "0:80", "80:100"  # episodes of the home
POINTS = 4  # evaluations of a training
EPISODES = 10  # of an evaluation
MEASURES = ("object_success", "net_success")
NOISY = "noisy"  # the judge that errs as often as `accuracy` says


def cell_config(settings: Settings) -> TrainConfig:
    """The cell as `lmgt housekeep train --no-gate` would be told it."""
    s: Any = settings
    return TrainConfig(
        judge=f"noisy-oracle:{s['accuracy']:g}" if s["judge"] == NOISY else s["judge"],
        rule=s["rule"],
        scale=s["scale"],
        gate=False,
        episodes=(f"builtin:{s['home']}",),
        select=TRAINING,
        evaluate_select=EVALUATION,
        evaluate_count=EPISODES,
        evaluate_every=max(s["steps"] // POINTS, 1),
        checkpoint_every=s["steps"],
        reward=s["reward"],
        steps=s["steps"],
    )


def train(settings: Settings, seed: int) -> Result:
    """The training's metrics: those of its last evaluation, and the means over all but the first, untrained one."""
    import torch

    from apps.housekeep.agent.train_skills import SkillsTrainer
    from lmgt_core.judges.minilm import MiniLMEncoder

    torch.set_num_threads(1)
    begun = time.perf_counter()
    config = cell_config(settings)
    training, evaluation = load(config)
    with TemporaryDirectory() as folder:
        parts = build(config, training, config.steps, config.control)
        cache = Path(folder) / CACHE
        judging = prepare(config, parts, config.steps, {"gated": False}, cache, seed, horizon_of(settings))
        trainer = SkillsTrainer(config, seed, training, evaluation, judging, MiniLMEncoder.load())
        with RunLog.create(Path(folder) / "run", resolved(config)) as log:
            last = trainer.train(log, lambda skills: None)
            rows = [row for row in log.rows("evaluations") if int(row["decisions"]) > 0]
        trainer.task.simulator.close()
        judging.close()
    means = {f"mean_{name}": float(np.mean([float(row[name]) for row in rows])) for name in MEASURES}
    return {
        **{name: last[name] for name in MEASURES},
        **means,
        "judgments": float(judging.shifter.stats.judgments) if judging.shifter is not None else 0.0,
        "train_seconds": time.perf_counter() - begun,
    }
