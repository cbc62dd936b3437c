"""`lmgt control train`: audits the judge, trains every seed, writes the run directory."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from apps.control.config import ALGORITHMS, TrainConfig
from apps.control.domain import CACHE, Judging, ask_ahead, headline, load_template, prepare
from apps.control.hyperparameters import OFF_POLICY, TABULAR, impossible
from apps.control.learners import load_learners
from apps.control.worlds import World, world
from lmgt_core.errors import UserError
from lmgt_core.rules.make import make_rule
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table
from lmgt_core.training.processes import in_processes
from lmgt_core.training.provenance import provenance
from lmgt_core.training.run_log import RunLog
from lmgt_core.training.statistics import summarise

Metrics = dict[str, float | None]
STATS = ("judgments", "cache_hits", "unreadable", "abstained", "seconds")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks are faster on one thread


def main(config: TrainConfig) -> dict[str, Any]:
    """Trains and returns the summary that is also in the run directory's summary.json."""
    task = check(config)
    template = load_template(task, config)
    log = RunLog.create(config.out, resolved(config, template.name, template.hash), config.resume)
    judging = prepare(task, config, config.judge, cache_path(config))
    print(headline(config.judge, judging), flush=True)
    ask_ahead(judging)
    with progress("steps", config.steps * len(config.seeds)) as bar:
        work = partial(train_seed, config, judging.audit)
        for seed, result in in_processes(work, config.seeds, config.workers, bar.advance):
            log.finish_seed(seed, result)
    summary = summarise_run(config, judging, [r for s in config.seeds if (r := log.seed_result(s)) is not None])
    log.write_summary(summary)
    rows = [{"metric": name, **values} for name, values in summary["metrics"].items()]
    print_table(rows, title=f"{config.env}, {config.algorithm}, judge {config.judge}: after training, without shift")
    return summary


def check(config: TrainConfig) -> World:
    """The task; UserError naming the flag where something cannot be trained."""
    task = world(config.env)
    if config.algorithm not in ALGORITHMS:
        raise UserError(f"--algorithm {config.algorithm}: no such algorithm; choose one of {', '.join(ALGORITHMS)}")
    if reason := impossible(task.name, task.discrete, config.algorithm):
        raise UserError(f"--algorithm {config.algorithm}: does not go with {task.name}: {reason}")
    if config.steps < 2:
        raise UserError(f"--steps {config.steps}: give a number of at least 2")
    if config.workers < 1:
        raise UserError(f"--workers {config.workers}: give a number of at least 1")
    if config.evaluate_every is not None and config.evaluate_every < 1:
        raise UserError(f"--evaluate-every {config.evaluate_every}: give a number of at least 1")
    if config.learning_starts is not None and (config.learning_starts < 0 or config.algorithm not in OFF_POLICY):
        raise UserError(f"--learning-starts {config.learning_starts}: 0 or more, for {', '.join(OFF_POLICY)}")
    if not config.seeds or len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise UserError("--seeds: give one or more different numbers of at least 0")
    if config.judge_ahead and config.algorithm not in OFF_POLICY:
        raise UserError(
            f"--judge-ahead: {config.algorithm} learns from what it has just done, so it cannot wait for shifts; "
            f"use {', '.join(OFF_POLICY)}"
        )
    make_rule(config.rule, config.scale, config.steps)
    return task


def cache_path(config: TrainConfig) -> Path:
    """Where the run keeps judgments."""
    return config.cache or config.out / CACHE


def resolved(config: TrainConfig, template: str, template_hash: str) -> dict[str, Any]:
    """Everything that a reader of the run needs to repeat it."""
    settings = asdict(config)
    for name in ("out", "resume", "workers", "cache"):
        settings.pop(name)
    prompt = {"name": template, "hash": template_hash}
    return {"app": "control", "settings": settings, "prompt": prompt, **provenance()}


def train_seed(
    config: TrainConfig, audit: dict[str, Any], seed: int, tick: Callable[[int], None], keep: bool = True
) -> dict[str, Any]:
    """Trains one seed: its last evaluation, the judge's counts, and how long it took.

    `keep` saves the trained agent and TensorBoard's curves beside the tables.
    """
    with RunLog.open(config.out) as log:
        if (finished := log.seed_result(seed)) is not None:
            tick(config.steps)
            return finished
        task = world(config.env)
        judging = prepare(task, config, config.judge, cache_path(config), audit)

        def record(table: str, row: Mapping[str, Any]) -> None:
            if table == "episodes":
                log.record_episode(seed, row)
                return
            log.record_evaluation(seed, row)
            if keep:
                log.scalar(seed, "evaluation/return", row["return"], int(row["decisions"]))

        learn = _learn_tabular if config.algorithm in TABULAR else _learn_deep
        metrics, stats, seconds, content = learn(config, task, seed, judging, record, tick)
        if keep:
            log.save_checkpoint(seed, content)
        return {"metrics": metrics, "judge_stats": stats, "seconds": seconds}


def curve(config: TrainConfig) -> int:
    """Steps between two evaluations."""
    return config.evaluate_every or max(config.steps // 10, 1)


Learned = tuple[Metrics, dict[str, Any] | None, float, bytes]  # metrics, judge's counts, seconds, agent
Record = Callable[[str, Mapping[str, Any]], None]


def _learn_deep(
    config: TrainConfig, task: World, seed: int, judging: Judging, record: Record, tick: Callable[[int], None]
) -> Learned:
    agents = load_learners()
    import torch

    from lmgt_core.guidance.judge_ahead import JudgeAhead
    from lmgt_core.guidance.shift_source import RewardShifter

    torch.set_num_threads(1)
    begun = time.perf_counter()
    shifter: RewardShifter | JudgeAhead | None = None
    if judging.judge is not None:
        make = lambda: judging.make_shifter(config.steps)  # noqa: E731 - to be called in the thread that judges
        shifter = JudgeAhead(make) if config.judge_ahead else make()
    every = curve(config)
    learner = agents.make_learner(task, config.algorithm, config.steps, seed, shifter, config.learning_starts)
    metrics = agents.train(learner, task, config.steps, every, record, tick)
    learner.get_env().close()
    if isinstance(shifter, JudgeAhead):
        shifter.close()
    stats = shifter.stats.as_dict() if shifter is not None else None
    return dict(metrics), stats, time.perf_counter() - begun, agents.saved(learner)


def _learn_tabular(
    config: TrainConfig, task: World, seed: int, judging: Judging, record: Record, tick: Callable[[int], None]
) -> Learned:
    import io

    import numpy as np

    from apps.control.tabular import train_tabular

    begun = time.perf_counter()
    shifter = judging.make_shifter(config.steps) if judging.judge is not None else None
    every = curve(config)
    metrics, table = train_tabular(
        task, config.algorithm, config.steps, seed, shifter, every, config.stop_rule, record, tick
    )
    seconds = time.perf_counter() - begun
    content = io.BytesIO()
    np.savez_compressed(content, values=table.values)
    stats = shifter.stats.as_dict() if shifter is not None else None
    return metrics, stats, seconds, content.getvalue()


def summarise_run(config: TrainConfig, judging: Judging, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The run's summary: each metric over seeds, the judge's counts added up."""
    stats: dict[str, float] = dict.fromkeys(STATS, 0)
    for result in results:
        for name, value in (result["judge_stats"] or {}).items():
            stats[name] += value
    names = [n for n in results[0]["metrics"] if all(r["metrics"][n] is not None for r in results)]
    missed = [n for n in results[0]["metrics"] if n not in names]
    return {
        "app": "control",
        "env": config.env,
        "algorithm": config.algorithm,
        "control": "actions",
        "judge": config.judge,
        "judge_kind": judging.kind,
        "rule": config.rule,
        "scale": config.scale,
        "strategy": config.strategy,
        "seeds": list(config.seeds),
        "steps": config.steps,
        "metrics": {n: summarise([r["metrics"][n] for r in results]) for n in names},
        "not_reached": {n: sum(r["metrics"][n] is None for r in results) for n in missed},
        "judge_stats": stats,
        "audit": judging.audit,
        "seconds": sum(r["seconds"] for r in results),
    }
