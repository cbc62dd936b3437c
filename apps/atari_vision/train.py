"""`lmgt atari train`: audits the judge, trains every seed of the agent, writes the run directory.

R2D2, NGU + R2D2 and LMGT + R2D2 differ in one flag: --agent r2d2, --agent ngu, --judge NAME.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from apps.atari_vision.actors import Envs, make_envs
from apps.atari_vision.config import AGENTS, TrainConfig
from apps.atari_vision.domain import Judging, audited, headline, name_judging
from apps.atari_vision.learners.settings import recurrent_config, sb3_settings
from apps.atari_vision.worlds import World, environment, world
from lmgt_core.errors import UserError
from lmgt_core.rules.make import make_rule
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table
from lmgt_core.training.processes import in_processes
from lmgt_core.training.provenance import provenance
from lmgt_core.training.run_log import RunLog
from lmgt_core.training.statistics import summarise

SB3 = ("dqn", "ppo")
STATS = ("judgments", "cache_hits", "unreadable", "abstained", "seconds")
Tick = Callable[[int], None]
os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 2) // 2, 1)))  # beside the worlds' processes


def main(config: TrainConfig, judging: Judging | None = None) -> dict[str, Any]:
    """Trains and returns the summary that is also in the run directory's summary.json.

    `judging` is what the config names, where a caller has made it already: large models are loaded once.
    """
    made = check(config)
    judging = judging or named(config)
    log = RunLog.create(config.out, resolved(config, judging), config.resume)
    judging = audited(judging)
    print(headline(config.judge, judging), flush=True)
    with progress("decisions", config.steps * len(config.seeds)) as bar:
        here = judging if config.workers == 1 or len(config.seeds) == 1 else None  # other processes make their own
        work = partial(train_seed, config, judging.audit, judging=here)
        for seed, result in in_processes(work, config.seeds, config.workers, bar.advance):
            log.finish_seed(seed, result)
    summary = summarise_run(config, judging, [r for s in config.seeds if (r := log.seed_result(s)) is not None])
    log.write_summary(summary)
    rows = [{"metric": name, **values} for name, values in summary["metrics"].items()]
    print_table(rows, title=f"{made.name}, {config.agent}, judge {config.judge}: after training, without shift")
    return summary


def check(config: TrainConfig) -> World:
    """The world; UserError naming the flag where something cannot be trained."""
    made = world(config.env)
    if config.agent not in AGENTS:
        raise UserError(f"--agent {config.agent}: no such agent; choose one of {', '.join(AGENTS)}")
    numbers = ("steps", "workers", "evaluate_every", "evaluation_episodes", "checkpoint_every", "limit")
    for name in numbers:
        least = 8 if name == "steps" else 1
        if (value := getattr(config, name)) is not None and value < least:
            raise UserError(f"--{name.replace('_', '-')} {value}: give a number of at least {least}")
    if config.audit_questions < 0 or (config.gate and config.audit_questions == 0):
        raise UserError(f"--audit-questions {config.audit_questions}: 1 or more; 0 goes with --no-gate")
    if config.limit is not None and not made.game:
        raise UserError(f"--limit {config.limit}: is for games; {made.name} ends by its own rules")
    if not config.seeds or len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise UserError("--seeds: give one or more different numbers of at least 0")
    hyperparameters(config, made)
    make_rule(config.rule, config.scale, config.steps)
    environment(made.name, False, config.limit).close()  # a missing ROM is told now
    return made


def named(config: TrainConfig) -> Judging:
    """The config's judge and captioner, not audited yet."""
    cache, captions = config.cache or config.out / "judgments.sqlite", config.captions or config.out / "captions.sqlite"
    return name_judging(world(config.env), config, config.judge, config.captioner, cache, captions)


def hyperparameters(config: TrainConfig, made: World) -> dict[str, Any]:
    """Every hyper-parameter of the agent."""
    if config.agent in SB3:
        return sb3_settings(config.agent, made.game, config.steps, config.set)
    return asdict(recurrent_config(config.agent, made.game, config.steps, config.set))


def resolved(config: TrainConfig, judging: Judging) -> dict[str, Any]:
    """Everything that a reader of the run needs to repeat it."""
    settings = asdict(config)
    for name in ("out", "resume", "workers", "cache", "captions"):
        settings.pop(name)
    about = {
        "prompt": {"name": judging.template.name, "hash": judging.template.hash},
        "captioner": judging.captioner.id if judging.captioner is not None else "none",
        "judge": judging.judge.id if judging.judge is not None else "none",
        "hyperparameters": hyperparameters(config, judging.world),
    }
    return {"app": "atari", "settings": settings, **about, **provenance()}


def train_seed(
    config: TrainConfig, audit: dict[str, Any], seed: int, tick: Tick, judging: Judging | None = None
) -> dict[str, Any]:
    """Trains one seed: its last evaluation, the judge's counts, and how long it took."""
    with RunLog.open(config.out) as log:
        if (finished := log.seed_result(seed)) is not None:
            tick(config.steps)
            return finished
        judging = audited(judging or named(config), audit)
        begun = time.perf_counter()
        shifter = judging.make_shifter(config.steps) if judging.judge is not None else None
        learn = _learn_sb3 if config.agent in SB3 else _learn_recurrent
        metrics = learn(config, judging.world, seed, shifter, log, tick)
        stats = None if shifter is None else shifter.stats.as_dict()
        return {"metrics": dict(metrics), "judge_stats": stats, "seconds": time.perf_counter() - begun}


def every(config: TrainConfig, asked: int | None) -> int:
    """Decisions between two evaluations or checkpoints."""
    return asked or max(config.steps // 10, 1)


def _learn_recurrent(
    config: TrainConfig, made: World, seed: int, shifter: Any, log: RunLog, tick: Tick
) -> Mapping[str, float | None]:
    """R2D2 or NGU, from the seed's last checkpoint if there is one."""
    import torch

    from apps.atari_vision.ngu.run import make_trainer
    from apps.atari_vision.r2d2.run import Schedule, Trainer

    if not made.game:
        torch.set_num_threads(1)  # small networks are faster on one
    hyper: Any = recurrent_config(config.agent, made.game, config.steps, config.set)
    episodes = config.evaluation_episodes or made.episodes
    evaluations, checkpoints = every(config, config.evaluate_every), every(config, config.checkpoint_every)
    schedule = Schedule(config.steps, evaluations, checkpoints, episodes)
    worlds = partial(recurrent_envs, made.name, shifter is not None, config.limit, hyper.processes)
    make = make_trainer if config.agent == "ngu" else Trainer
    trainer = make(worlds, hyper, schedule, seed, shifter)
    try:
        return trainer.train(log, tick)
    finally:
        trainer.close()


def recurrent_envs(name: str, frames: bool, limit: int | None, processes: bool, count: int) -> Envs:
    """`count` copies of the world for R2D2's actors; frames are drawn only where a judge may want them."""
    return make_envs(partial(environment, name, frames, limit), count, processes)


def _learn_sb3(
    config: TrainConfig, made: World, seed: int, shifter: Any, log: RunLog, tick: Tick
) -> Mapping[str, float | None]:
    """DQN or PPO, from the beginning: neither can go on from the middle with the same numbers."""
    from apps.atari_vision.learners import sb3 as learners

    settings = sb3_settings(config.agent, made.game, config.steps, config.set)
    learner = learners.make_learner(made, config.agent, settings, seed, shifter, config.limit)
    episodes = config.evaluation_episodes or made.episodes

    def evaluation(policy: Any, decisions: int) -> dict[str, float]:
        return learners.evaluate(made, policy, learners.EVALUATION_SEED, episodes, config.limit)

    def record(table: str, row: dict[str, Any]) -> None:
        if table == "episodes":
            log.record_episode(seed, row)
            log.scalar(seed, "episode/return", row["return"], row["decisions"])
        else:
            log.record_evaluation(seed, row)
            log.scalar(seed, "evaluation/return", row["return"], row["decisions"])

    block = learners.BLOCK.get(made.folder, 1)
    metrics = learners.train(
        learner, config.steps, every(config, config.evaluate_every), evaluation, record, tick, block
    )
    learner.get_env().close()  # type: ignore[union-attr]
    log.save_checkpoint(seed, learners.saved(learner))
    return metrics


def summarise_run(config: TrainConfig, judging: Judging, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The run's summary: each metric over seeds, the judge's counts added up."""
    stats: dict[str, float] = dict.fromkeys(STATS, 0)
    for result in results:
        for name, value in (result["judge_stats"] or {}).items():
            stats[name] += value
    return {
        "app": "atari",
        "env": judging.world.name,
        "algorithm": config.agent,
        "control": "actions",
        "judge": config.judge,
        "judge_kind": judging.kind,
        "captioner": config.captioner,
        "rule": config.rule,
        "scale": config.scale,
        "strategy": config.strategy,
        "seeds": list(config.seeds),
        "steps": config.steps,
        "metrics": {n: summarise([r["metrics"][n] for r in results]) for n in results[0]["metrics"]},
        "judge_stats": stats,
        "audit": judging.audit,
        "seconds": sum(r["seconds"] for r in results),
    }


def returns_of(run: Path, seeds: Sequence[int]) -> list[float]:
    """The last evaluation's mean unshifted return of each seed of a finished run."""
    with RunLog.open(run) as log:
        return [float(result["metrics"]["return"]) for s in seeds if (result := log.seed_result(s)) is not None]
