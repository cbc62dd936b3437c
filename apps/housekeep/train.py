"""`lmgt housekeep train`: audits the judge, trains every seed, writes the run directory."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from apps.housekeep.config import TrainConfig
from apps.housekeep.domain import Judging, Parts, ask_ahead, audit, build, load_template, prepare
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many
from apps.housekeep.metrics import METRICS
from apps.housekeep.simulator.factory import check_scenes, check_simulator
from lmgt_core.errors import UserError
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table
from lmgt_core.training.processes import in_processes
from lmgt_core.training.provenance import provenance
from lmgt_core.training.run_log import RunLog
from lmgt_core.training.statistics import summarise

Numbers = dict[str, float | None]
CACHE = "judgments.sqlite"


def main(config: TrainConfig) -> dict[str, Any]:
    """Trains and returns the summary that is also in the run directory's summary.json."""
    check(config)
    training, evaluation, parts = materials(config)
    check_scenes(config, [*training, *evaluation])
    log = RunLog.create(config.out, resolved(config), config.resume)
    judging = prepare(config, parts, config.steps, audit(config, parts, config.out / CACHE), config.out / CACHE)
    if judging.judge is not None:
        print(f"{judging.audit['headline']} [{judging.judge.kind}]", flush=True)
    ask_ahead(judging, training)
    judging.close()
    with progress("decisions", config.steps * len(config.seeds)) as bar:
        work = partial(train_seed, config, judging.audit)
        for seed, result in in_processes(work, config.seeds, config.workers, bar.advance):
            log.finish_seed(seed, result)
    results = [log.seed_result(seed) for seed in config.seeds]
    summary = summarise_run(config, judging, [r for r in results if r is not None])
    log.write_summary(summary)
    report_summary(summary)
    return summary


def check(config: TrainConfig) -> None:
    """Refuses what cannot be trained, naming the flag."""
    if (config.control == "skills") != (config.algorithm == "drrn"):
        raise UserError(
            f"--algorithm {config.algorithm} does not fit --control {config.control}: "
            "use drrn for skills, dqn or ppo for primitive"
        )
    for flag, value in (
        ("steps", config.steps),
        ("workers", config.workers),
        ("evaluate-every", config.evaluate_every),
    ):
        if value < 1:
            raise UserError(f"--{flag} {value}: give a number of at least 1")
    if not config.seeds or len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise UserError("--seeds: give one or more different numbers of at least 0")
    if not 0 < config.min_precision < 1:
        raise UserError(f"--min-precision {config.min_precision}: a precision lies between 0 and 1, like 0.75")
    if (config.votes is None) != (config.splits is None):
        raise UserError("--votes and --splits go together: the votes of people, and which objects are for training")
    check_simulator(config)


def load(config: TrainConfig) -> tuple[list[Episode], list[Episode]]:
    """The training episodes, and those of the learning curve."""
    training = load_many(config.episodes, config.select)
    pool = load_many(config.evaluate_episodes or config.episodes, config.evaluate_select)
    spread = np.unique(np.linspace(0, len(pool) - 1, config.evaluate_count).round().astype(int))
    return training, [pool[i] for i in spread]


@lru_cache(maxsize=1)
def materials(config: TrainConfig) -> tuple[list[Episode], list[Episode], Parts]:
    """Episodes and judge, which every seed of a process shares."""
    training, evaluation = load(config)
    return training, evaluation, build(config, training, config.steps, config.control)


def resolved(config: TrainConfig) -> dict[str, Any]:
    """Everything that a reader of the run needs to repeat it."""
    settings = asdict(config)
    for name in ("out", "resume", "workers", "habitat_python"):
        settings.pop(name)
    if config.simulator == "mujoco" and config.root is None:  # the default world goes without saying
        del settings["simulator"], settings["root"]
    template = load_template(config)
    prompt = {"name": template.name, "hash": template.hash}
    return {"app": "housekeep", "env": environment(config), "settings": settings, "prompt": prompt, **provenance()}


def environment(config: TrainConfig) -> str:
    """The episode files by name."""
    return ",".join(Path(e).name for e in config.episodes)


def train_seed(config: TrainConfig, audited: dict[str, Any], seed: int, tick: Callable[[int], None]) -> dict[str, Any]:
    """Trains one seed: its last evaluation, the judge's counts, and how long it took."""
    import time

    import torch

    from apps.housekeep.agent.train_skills import SkillsTrainer
    from lmgt_core.judges.minilm import MiniLMEncoder

    torch.set_num_threads(1)  # small networks are faster on one thread, and two seeds do not fight
    log = RunLog.open(config.out)
    if (finished := log.seed_result(seed)) is not None:
        tick(config.steps)
        return finished
    training, evaluation, parts = materials(config)
    judging = prepare(config, parts, config.steps, audited, config.out / CACHE, seed)
    begun = time.perf_counter()
    if config.control == "skills":
        trainer = SkillsTrainer(config, seed, training, evaluation, judging, MiniLMEncoder.load())
        metrics = trainer.train(log, tick)
        trainer.task.simulator.close()
    else:
        from apps.housekeep.agent.train_primitive import train_primitive

        metrics = train_primitive(config, seed, training, evaluation, judging, log, tick)
    judging.close()
    stats = judging.shifter.stats.as_dict() if judging.shifter is not None else None
    return {"metrics": metrics, "judge_stats": stats, "seconds": time.perf_counter() - begun}


def summarise_run(config: TrainConfig, judging: Judging, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The run's summary: each metric over seeds, the judge's counts added up."""
    names = [n for n in METRICS if all(r["metrics"].get(n) is not None for r in results)]
    stats: dict[str, float] = dict.fromkeys(("judgments", "cache_hits", "unreadable", "abstained", "seconds"), 0)
    for result in results:
        for name, value in (result["judge_stats"] or {}).items():
            stats[name] = stats.get(name, 0) + value
    return {
        "app": "housekeep",
        "env": environment(config),
        "algorithm": config.algorithm,
        "control": config.control,
        "judge": config.judge,
        "judge_kind": str(judging.judge.kind) if judging.judge else "no judge",
        "rule": config.rule,
        "reward": config.reward,
        "seeds": list(config.seeds),
        "steps": config.steps,
        "metrics": {n: summarise([r["metrics"][n] for r in results]) for n in names},
        "judge_stats": stats,
        "audit": judging.audit,
        "seconds": sum(r["seconds"] for r in results),
    }


def report_summary(summary: dict[str, Any]) -> None:
    """Prints the last evaluation's metrics."""
    rows = [{"metric": name, **values} for name, values in summary["metrics"].items()]
    print_table(rows, title=f"last evaluation, {summary['judge']}, {len(summary['seeds'])} seeds (no shift)")


os.environ.setdefault("OMP_NUM_THREADS", "1")
