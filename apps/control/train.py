"""`lmgt control train`: how one seed of a control task is trained; the rest is lmgt_core/training/driver.py."""

import io
from collections.abc import Mapping
from typing import Any

from apps.control.config import ALGORITHMS, TrainConfig
from apps.control.domain import make_domain
from apps.control.hyperparameters import OFF_POLICY, TABULAR, impossible
from apps.control.learners import load_learners
from apps.control.worlds import World, world
from lmgt_core.errors import UserError
from lmgt_core.extras import need
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.training.driver import CACHE, Metrics, Training
from lmgt_core.training.driver import train as run_training
from lmgt_core.training.processes import Tick
from lmgt_core.training.run_log import RunLog


class Recorder:
    """Writes the rows of one seed's episodes and evaluations."""

    def __init__(self, log: RunLog, seed: int) -> None:
        self.log, self.seed = log, seed

    def __call__(self, table: str, row: Mapping[str, Any]) -> None:
        """Puts a row of `table`, "episodes" or "evaluations", on the disk."""
        if table == "episodes":
            self.log.record_episode(self.seed, row)
            return
        self.log.record_evaluation(self.seed, row)
        self.log.scalar(self.seed, "evaluation/return", row["return"], int(row["decisions"]))


def check(config: TrainConfig) -> None:
    """UserError naming the flag where something cannot be trained."""
    task = world(config.env)
    if config.algorithm not in ALGORITHMS:
        raise UserError(f"--algorithm {config.algorithm}: no such algorithm; choose one of {', '.join(ALGORITHMS)}")
    if reason := impossible(task.name, task.discrete, config.algorithm):
        raise UserError(f"--algorithm {config.algorithm}: does not go with {task.name}: {reason}")
    if config.algorithm not in TABULAR:
        need(f"--algorithm {config.algorithm}", "torch", "stable_baselines3", extra="sb3")
    if config.learning_starts is not None and (config.learning_starts < 0 or config.algorithm not in OFF_POLICY):
        raise UserError(f"--learning-starts {config.learning_starts}: 0 or more, for {', '.join(OFF_POLICY)}")


def guidance(config: TrainConfig) -> Guidance:
    """The config's judge in its task, not audited."""
    domain = make_domain(config.env, config.prompts, config.documents)
    return Guidance.of(domain, config, config.cache or config.out / CACHE)


def about(config: TrainConfig) -> Mapping[str, Any]:
    """What runs are compared by, beside the judge."""
    return {"env": config.env, "algorithm": config.algorithm}


def train_seed(config: TrainConfig, source: ShiftSource | None, seed: int, log: RunLog, tick: Tick) -> Metrics:
    """The last evaluation of one training, which begins anew when it was interrupted."""
    learn = _learn_tabular if config.algorithm in TABULAR else _learn_deep
    metrics, agent = learn(config, world(config.env), seed, source, Recorder(log, seed), tick)
    log.save_checkpoint(seed, agent)
    return metrics


def _learn_deep(
    config: TrainConfig, task: World, seed: int, source: ShiftSource | None, record: Recorder, tick: Tick
) -> tuple[Metrics, bytes]:
    """The last evaluation, and the agent as it is saved."""
    agents = load_learners()
    import torch

    torch.set_num_threads(1)
    late = config.judge_ahead and config.algorithm in OFF_POLICY
    learner = agents.make_learner(task, config.algorithm, config.steps, seed, source, config.learning_starts, late)
    metrics = agents.train(learner, task, config.steps, config.curve, record, tick)
    learner.get_env().close()
    return metrics, agents.saved(learner)


def _learn_tabular(
    config: TrainConfig, task: World, seed: int, source: ShiftSource | None, record: Recorder, tick: Tick
) -> tuple[Metrics, bytes]:
    """The last evaluation, and the table as it is saved."""
    import numpy as np

    from apps.control.tabular import train_tabular

    metrics, table = train_tabular(
        task, config.algorithm, config.steps, seed, source, config.curve, config.stop_rule, record, tick
    )
    content = io.BytesIO()
    np.savez_compressed(content, values=table.values)
    return metrics, content.getvalue()


TRAINING = Training(
    app="control",
    unit="steps",
    check=check,
    guidance=guidance,
    about=about,
    train_seed=train_seed,
    least_steps=2,
)


def main(config: TrainConfig) -> dict[str, Any]:
    """Trains and returns the summary that is also in the run directory's summary.json."""
    return run_training(TRAINING, config)
