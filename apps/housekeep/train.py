"""`lmgt housekeep train`: how one seed is trained; the rest is lmgt_core/training/driver.py."""

from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.config import RENAMED, TrainConfig
from apps.housekeep.domain import SEAMS, HousekeepDomain, fading_horizon
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many
from apps.housekeep.knowledge.judges import knowledge
from apps.housekeep.simulator.factory import check_scenes, check_simulator
from lmgt_core.errors import UserError, check_least
from lmgt_core.extras import need
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.training.driver import CACHE, Metrics, Training, train
from lmgt_core.training.processes import Tick
from lmgt_core.training.run_log import RunLog


def main(config: TrainConfig) -> dict[str, Any]:
    """Trains and returns the summary that is also in the run directory's summary.json."""
    return train(TRAINING, config)


def check(config: TrainConfig) -> None:
    """UserError naming the flag for what cannot be trained."""
    if (config.action_space == "skills") != (config.algorithm in ("drrn", "moves")):
        raise UserError(
            f"--algorithm {config.algorithm} does not fit --action-space {config.action_space}: "
            "use drrn or moves for skills, dqn or ppo for primitive"
        )
    if config.envs < 1 or (config.envs > 1 and config.algorithm != "drrn"):
        raise UserError(
            f"--envs {config.envs}: give a number of at least 1; more than one goes with --algorithm drrn only"
        )
    if config.steps % config.envs:
        raise UserError(f"--steps {config.steps}: give a multiple of --envs {config.envs}, which decide together")
    if config.algorithm == "moves" and config.judge_ahead:
        raise UserError("--judge-ahead: --algorithm moves asks its judge before it acts, so it has to wait")
    check_least(0, {"questions": config.questions})
    check_least(1, {"horizon": config.horizon})
    needed = ("torch",) if config.action_space == "skills" else ("torch", "stable_baselines3")
    need(f"--algorithm {config.algorithm}", *needed, extra="housekeep")
    check_simulator(config)
    training, evaluation = load(config)
    check_scenes(config, [*training, *evaluation])


@lru_cache(maxsize=1)
def load(config: TrainConfig) -> tuple[list[Episode], list[Episode]]:
    """The training episodes, and those of the learning curve, which the seeds of a process share."""
    training = load_many(config.episodes, config.select, config.strict)
    pool = load_many(config.evaluate_episodes or config.episodes, config.evaluate_select, config.strict)
    spread = np.unique(np.linspace(0, len(pool) - 1, config.evaluate_count).round().astype(int))
    return training, [pool[i] for i in spread]


def guidance(config: TrainConfig) -> Guidance:
    """The config's judge in the homes of its training episodes."""
    training, evaluation = load(config)
    domain = HousekeepDomain(
        knowledge(config.votes, config.splits),
        training,
        Vocabulary.of([*training, *evaluation]),
        config.action_space,
        config.prompts,
        config.documents,
        environment(config),
    )
    return Guidance.of(domain, config, config.cache or config.out / CACHE, seams=SEAMS[config.algorithm])


def environment(config: TrainConfig) -> str:
    """The episode files by name."""
    return ",".join(Path(e).name for e in config.episodes)


def about(config: TrainConfig) -> Mapping[str, Any]:
    """What tables say of a run beside its judge."""
    names = ("algorithm", "action_space", "reward")
    return {"env": environment(config), **{name: getattr(config, name) for name in names}}


def details(config: TrainConfig, guidance: Guidance) -> Mapping[str, Any]:
    """What config.json names beside the settings."""
    return {"env": environment(config)}


def train_seed(config: TrainConfig, source: ShiftSource | None, seed: int, log: RunLog, tick: Tick) -> Metrics:
    """The last evaluation's means of one seed."""
    import torch

    from apps.housekeep.agent.train_moves import MovesTrainer
    from apps.housekeep.agent.train_primitive import PrimitiveTrainer
    from apps.housekeep.agent.train_side_by_side import SideBySideTrainer
    from apps.housekeep.agent.train_skills import SkillsTrainer

    torch.set_num_threads(1)  # small networks are faster on one thread, and two seeds do not fight
    training, evaluation = load(config)
    drrn = SkillsTrainer if config.envs == 1 else SideBySideTrainer
    make: Any = {"drrn": drrn}.get(config.algorithm, PrimitiveTrainer)
    if config.algorithm == "moves":
        make = partial(MovesTrainer, places=knowledge(config.votes, config.splits).places)
    trainer = make(config, seed, training, evaluation, source)
    try:
        metrics: Metrics = trainer.train(log, tick)
        return metrics
    finally:
        trainer.close()


def horizon(config: TrainConfig) -> int | None:
    """Decisions after which a fading rule's judge has no say."""
    return fading_horizon(config.rule, config.steps, config.horizon)


TRAINING = Training(
    app="housekeep",
    unit="decisions",
    check=check,
    guidance=guidance,
    about=about,
    train_seed=train_seed,
    details=details,
    horizon=horizon,
    renamed=RENAMED,
    incidental=("habitat_python",),
)
