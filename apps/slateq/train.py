"""`lmgt slateq train`: what the one training driver needs to know of recommendation."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from apps.slateq.config import RENAMED, WorldConfig, check_world
from apps.slateq.domain import SlateDomain
from apps.slateq.policies import learned_policy
from apps.slateq.train_config import AgentConfig, TrainConfig, agent_of
from lmgt_core.errors import UserError, check_least
from lmgt_core.extras import need
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.training.driver import CACHE, Metrics, Training, train
from lmgt_core.training.processes import Tick
from lmgt_core.training.run_log import RunLog


def main(config: TrainConfig) -> dict[str, Any]:
    """Trains and returns the summary that is also in the run directory's summary.json."""
    return train(TRAINING, replace(config, agent=agent_of(config)))


def check(config: TrainConfig) -> None:
    """UserError naming the flag for what cannot be trained, before anything is written."""
    need("lmgt slateq train", "tensorflow", "tf_keras", "tf_agents")
    check_world(config)
    _check_agent(config, agent_of(config))
    if config.simulator == "recsim" and config.users != 1:
        raise UserError(f"--simulator recsim: serves one user at a time, not {config.users}; give --users 1")
    if config.simulator == "recsim" and config.evaluate_users != 1:
        raise UserError("--simulator recsim: serves one user at a time; give --evaluate-users 1, or train vectorised")
    numbers = {
        "users": config.users,
        "evaluate-users": config.evaluate_users,
        "checkpoint-every": config.checkpoint_every,
        "agent.batch-size": config.agent.batch_size,
        "agent.updates": config.agent.updates,
        "agent.replay": config.agent.replay,
    }
    check_least(1, numbers)
    if learned_policy(config.algorithm).learner == "full-slate":
        from apps.slateq.full_slate import all_slates

        all_slates(config.candidates, config.slate)


def _check_agent(config: TrainConfig, agent: AgentConfig) -> None:
    if not 0 <= agent.gamma <= 1:
        raise UserError(f"--agent.gamma {agent.gamma}: a discount lies between 0 and 1")
    if agent.gamma == 1 and config.env == "interest-exploration":
        raise UserError("--agent.gamma 1: sessions of interest-exploration have no end; give less, like 0.99")
    for flag, value in (("epsilon", agent.epsilon), ("epsilon-share", agent.epsilon_share)):
        if not 0 <= value <= 1:
            raise UserError(f"--agent.{flag} {value}: a share lies between 0 and 1")
    if agent.multi_step < 1:
        raise UserError(f"--agent.multi-step {agent.multi_step}: give a number of at least 1")
    if not agent.hidden or min(agent.hidden) < 1:
        raise UserError("--agent.hidden: give the units of one or more layers, like 128 128")
    for flag, size in (("learning-rate", agent.learning_rate), ("value-scale", agent.value_scale)):
        if not 0 < size < float("inf"):
            raise UserError(f"--agent.{flag} {size}: give a finite number above 0")
    if not 0 < agent.target_rate <= 1:
        raise UserError(f"--agent.target-rate {agent.target_rate}: give a share above 0, up to 1")


def make_guidance(config: TrainConfig) -> Guidance:
    """The config's judge in its world, not audited; UserError for what cannot be had."""
    domain = SlateDomain(config, config.judge_unit, config.vocabulary, config.prompts, config.documents)
    return Guidance.of(domain, config, config.cache or config.out / CACHE)


def world_in_words(config: WorldConfig) -> str:
    """The world and its shape, for reports: runs of one world are compared."""
    return f"{config.env}, {config.candidates} candidates, slates of {config.slate}"


def about(config: TrainConfig) -> Mapping[str, Any]:
    """What the summary says of a run beside its judge."""
    return {
        "env": world_in_words(config),
        "algorithm": config.algorithm,
        "judge_unit": config.judge_unit,
        "vocabulary": config.vocabulary,
    }


def details(config: TrainConfig, guidance: Guidance) -> Mapping[str, Any]:
    """What config.json holds beside the settings and the prompt."""
    return {"env": world_in_words(config)}


def train_seed(config: TrainConfig, source: ShiftSource | None, seed: int, log: RunLog, tick: Tick) -> Metrics:
    """Trains one seed: the last evaluation's means."""
    from apps.slateq.tensorflow_setup import one_deterministic_thread

    one_deterministic_thread()
    from apps.slateq.trainer import Trainer

    return Trainer(config, seed, source, config.out).train(log, tick)


def forget_checkpoint(config: TrainConfig, seed: int) -> None:
    """Removes the checkpoint of a finished seed: it holds the whole replay, and its policy is saved."""
    shutil.rmtree(config.out / "checkpoints" / f"seed_{seed}", ignore_errors=True)


TRAINING = Training(
    app="slateq",
    unit="steps",
    check=check,
    guidance=make_guidance,
    about=about,
    train_seed=train_seed,
    details=details,
    finished=forget_checkpoint,
    renamed=RENAMED,
)
