"""One training of a Housekeep study: skills in a generated home, evaluated without any shift on the way."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from apps.housekeep.config import TrainConfig
from apps.housekeep.train import TRAINING
from lmgt_core.study.app import Result, Settings, horizon_of
from lmgt_core.training.driver import resolved, train_one
from lmgt_core.training.run_log import RunLog

TRAINING_EPISODES, EVALUATION_EPISODES = "0:80", "80:100"  # of the home
POINTS = 4  # evaluations of a training
EPISODES = 10  # of an evaluation
MEASURES = ("object_success", "net_success")
NOISY = "noisy"  # the judge that errs as often as `accuracy` says


def cell_config(settings: Settings, seed: int = 0, out: Path = Path("run")) -> TrainConfig:
    """The cell as `lmgt housekeep train --no-gate` would be given it."""
    s: Any = settings
    return TrainConfig(
        judge=f"noisy-oracle:{s['accuracy']:g}" if s["judge"] == NOISY else s["judge"],
        rule=s["rule"],
        horizon=horizon_of(settings),
        scale=s["scale"],
        gate=False,
        episodes=(f"builtin:{s['home']}",),
        select=TRAINING_EPISODES,
        evaluate_select=EVALUATION_EPISODES,
        evaluate_count=EPISODES,
        evaluate_every=max(s["steps"] // POINTS, 1),
        checkpoint_every=s["steps"],
        reward=s["reward"],
        steps=s["steps"],
        seeds=(seed,),
        out=out,
    )


def train(settings: Settings, seed: int) -> Result:
    """The training's metrics: those of its last evaluation, and the means over all but the first, untrained one."""
    begun = time.perf_counter()
    with TemporaryDirectory() as folder:
        config = cell_config(settings, seed, Path(folder) / "run")
        guidance = TRAINING.guidance(config)
        with RunLog.create(config.out, resolved(TRAINING, config, guidance)) as log:
            result = train_one(TRAINING, config, {}, seed, lambda decisions: None, guidance)
            rows = [row for row in log.rows("evaluations") if int(row["decisions"]) > 0]
    means = {f"mean_{name}": float(np.mean([float(row[name]) for row in rows])) for name in MEASURES}
    return {
        **{name: result["metrics"][name] for name in MEASURES},
        **means,
        "judgments": float((result["judge_stats"] or {"judgments": 0})["judgments"]),
        "train_seconds": time.perf_counter() - begun,
    }
