"""`lmgt atari train`: how one seed is trained; the rest is lmgt_core/training/driver.py.

R2D2, NGU + R2D2 and LMGT + R2D2 differ in one flag: --algorithm r2d2, --algorithm ngu, --judge NAME.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from apps.atari_vision.actors import Envs, make_envs
from apps.atari_vision.config import ALGORITHMS, TrainConfig
from apps.atari_vision.domain import AtariDomain, guided, world_captioner
from apps.atari_vision.learners.settings import recurrent_config, sb3_settings
from apps.atari_vision.worlds import World, environment, world
from captioners.memory import FrameMemory
from lmgt_core.errors import UserError, check_least
from lmgt_core.extras import need
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.judging.registry import NONE
from lmgt_core.training.driver import CACHE, Metrics, Training, train
from lmgt_core.training.processes import Tick
from lmgt_core.training.run_log import RunLog

SB3 = ("dqn", "ppo")


def check(config: TrainConfig) -> None:
    """UserError naming the flag where something cannot be trained."""
    made = world(config.env)
    if config.algorithm not in ALGORITHMS:
        raise UserError(f"--algorithm {config.algorithm}: no such algorithm; choose one of {', '.join(ALGORITHMS)}")
    episodes, every = config.evaluation_episodes, config.checkpoint_every
    check_least(1, {"evaluation-episodes": episodes, "checkpoint-every": every, "limit": config.limit})
    if config.audit_questions < 0 or (config.gate and config.audit_questions == 0):
        raise UserError(f"--audit-questions {config.audit_questions}: 1 or more; 0 goes with --no-gate")
    if config.limit is not None and not made.game:
        raise UserError(f"--limit {config.limit}: is for games; {made.name} ends by its own rules")
    needed = ("torch", "stable_baselines3") if config.algorithm in ("dqn", "ppo") else ("torch",)
    need(f"--algorithm {config.algorithm}", *needed, extra="atari")
    hyperparameters(config)
    environment(made.name, False, config.limit).close()  # a missing ROM is told now


def guidance(config: TrainConfig) -> Guidance:
    """The config's judge in its world, not audited; without a judge there is no captioner either."""
    made, memory = world(config.env), FrameMemory()
    captioner = None if config.judge.strip() == NONE else world_captioner(config.captioner, made, memory)
    domain = AtariDomain(
        made,
        captioner,
        memory,
        config.captions or config.out / "captions.sqlite",
        config.audit_questions,
        config.prompts,
        config.documents,
    )
    return guided(domain, config, config.cache or config.out / CACHE)


def about(config: TrainConfig) -> Mapping[str, Any]:
    """What runs are compared by, beside the judge."""
    made = world(config.env)
    return {"env": made.name, "algorithm": config.algorithm, "control": "actions", "captioner": config.captioner}


def details(config: TrainConfig, guidance: Guidance) -> Mapping[str, Any]:
    """What a run needs beside its settings to be repeated: captioner, judge, every hyper-parameter."""
    captioner = guidance.domain.captioner if isinstance(guidance.domain, AtariDomain) else None
    return {
        "captioner": "none" if captioner is None else captioner.id,
        "judge": "none" if guidance.judge is None else guidance.judge.id,
        "hyperparameters": hyperparameters(config),
    }


def hyperparameters(config: TrainConfig) -> dict[str, Any]:
    """Every hyper-parameter of the agent."""
    game = world(config.env).game
    if config.algorithm in SB3:
        return sb3_settings(config.algorithm, game, config.steps, config.set)
    return asdict(recurrent_config(config.algorithm, game, config.steps, config.set))


def train_seed(config: TrainConfig, source: ShiftSource | None, seed: int, log: RunLog, tick: Tick) -> Metrics:
    """The last evaluation of one training."""
    learn = _learn_sb3 if config.algorithm in SB3 else _learn_recurrent
    return learn(config, world(config.env), seed, source, log, tick)


def _learn_recurrent(
    config: TrainConfig, made: World, seed: int, source: ShiftSource | None, log: RunLog, tick: Tick
) -> Metrics:
    """R2D2 or NGU, from the seed's last checkpoint if there is one."""
    import torch

    from apps.atari_vision.ngu.run import make_trainer
    from apps.atari_vision.r2d2.run import Schedule, Trainer

    if not made.game:
        torch.set_num_threads(1)  # small networks are faster on one
    hyper: Any = recurrent_config(config.algorithm, made.game, config.steps, config.set)
    checkpoints = config.checkpoint_every or max(config.steps // 10, 1)
    schedule = Schedule(config.steps, config.curve, checkpoints, config.evaluation_episodes or made.episodes)
    worlds = partial(recurrent_envs, made.name, source is not None, config.limit, hyper.processes)
    make = make_trainer if config.algorithm == "ngu" else Trainer
    trainer = make(worlds, hyper, schedule, seed, source)
    try:
        return trainer.train(log, tick)
    finally:
        trainer.close()


def recurrent_envs(name: str, frames: bool, limit: int | None, processes: bool, count: int) -> Envs:
    """`count` copies of the world for R2D2's actors; frames are drawn only where a judge may want them."""
    return make_envs(partial(environment, name, frames, limit), count, processes)


def _learn_sb3(
    config: TrainConfig, made: World, seed: int, source: ShiftSource | None, log: RunLog, tick: Tick
) -> Metrics:
    """DQN or PPO, from the beginning: neither can go on from the middle with the same numbers."""
    from apps.atari_vision.learners import sb3 as learners
    from apps.atari_vision.learners.policy import Policy, saved

    settings = sb3_settings(config.algorithm, made.game, config.steps, config.set)
    late = config.judge_ahead and config.algorithm == "dqn"
    learner = learners.make_learner(made, config.algorithm, settings, seed, source, config.limit, late=late)
    episodes = config.evaluation_episodes or made.episodes

    def evaluation(policy: Policy, decisions: int) -> dict[str, float]:
        return learners.evaluate(made, policy, learners.EVALUATION_SEED, episodes, config.limit)

    def record(table: str, row: dict[str, Any]) -> None:
        if table == "episodes":
            log.record_episode(seed, row)
            log.scalar(seed, "episode/return", row["return"], row["decisions"])
        else:
            log.record_evaluation(seed, row)
            log.scalar(seed, "evaluation/return", row["return"], row["decisions"])

    block = learners.BLOCK.get(made.folder, 1)
    metrics = learners.train(learner, config.steps, config.curve, evaluation, record, tick, block)
    learner.get_env().close()  # type: ignore[union-attr]
    log.save_checkpoint(seed, saved(learner))
    return metrics


TRAINING = Training(
    app="atari",
    unit="decisions",
    check=check,
    guidance=guidance,
    about=about,
    train_seed=train_seed,
    details=details,
    incidental=("captions",),
    renamed={"agent": "algorithm"},
    least_steps=8,
)


def main(config: TrainConfig) -> dict[str, Any]:
    """Trains and returns the summary that is also in the run directory's summary.json."""
    return train(TRAINING, config)
