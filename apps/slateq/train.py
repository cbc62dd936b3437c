"""`lmgt slateq train`: audits the judge, trains every seed, writes the run directory."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from apps.slateq.config import WorldConfig, check_world
from apps.slateq.domain import Judging, check_judging, load_words, make_audit, make_judging
from apps.slateq.policies import learned_policy
from apps.slateq.session_metrics import METRICS
from apps.slateq.train_config import AgentConfig, TrainConfig, with_defaults
from lmgt_core.errors import UserError
from lmgt_core.rules.make import make_rule
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table
from lmgt_core.training.processes import in_processes
from lmgt_core.training.provenance import provenance
from lmgt_core.training.run_log import RunLog
from lmgt_core.training.statistics import summarise

CACHE = "judgments.sqlite"
STATS = ("judgments", "cache_hits", "unreadable", "abstained", "seconds")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks are faster on one thread


def main(config: TrainConfig) -> dict[str, Any]:
    """Trains and returns the summary that is also in the run directory's summary.json."""
    check(config)
    policy = learned_policy(config.policy)
    config = replace(config, agent=with_defaults(config.agent, policy.valued_no_click, config.environment))
    log = RunLog.create(config.out, resolved(config), config.resume)
    audit = make_audit(config, config, config.out / CACHE)
    if audit["audited"]:
        print(f"{audit['headline']} [{audit['kind']}]", flush=True)
    judging = make_judging(config, config, config.steps, config.out / CACHE, audit=audit)  # what can be, is asked ahead
    judging.close()
    with progress("steps", config.steps * len(config.seeds)) as bar:
        work = partial(train_seed, config, audit)
        for seed, result in in_processes(work, config.seeds, config.workers, bar.advance):
            log.finish_seed(seed, result)
            forget_checkpoint(config, seed)
    results = [result for seed in config.seeds if (result := log.seed_result(seed)) is not None]
    summary = summarise_run(config, judging, results)
    log.write_summary(summary)
    rows = [{"metric": name, **values} for name, values in summary["metrics"].items()]
    print_table(rows, title=f"{config.policy}, judge {config.judge}: after training, {len(results)} seeds, no shift")
    return summary


def check(config: TrainConfig) -> None:
    """UserError naming the flag for what cannot be trained, before anything is written."""
    check_world(config)
    policy = learned_policy(config.policy)
    if config.simulator == "recsim" and config.users != 1:
        raise UserError(f"--simulator recsim: serves one user at a time, not {config.users}; give --users 1")
    if config.simulator == "recsim" and config.evaluate_users != 1:
        raise UserError("--simulator recsim: serves one user at a time; give --evaluate-users 1, or train vectorised")
    numbers = {
        "steps": config.steps,
        "users": config.users,
        "workers": config.workers,
        "evaluate-users": config.evaluate_users,
        "checkpoint-every": config.checkpoint_every,
        "agent.batch-size": config.agent.batch_size,
        "agent.updates": config.agent.updates,
        "agent.replay": config.agent.replay,
    }
    for flag, value in numbers.items():
        if value < 1:
            raise UserError(f"--{flag} {value}: give a number of at least 1")
    if config.evaluate_every is not None and config.evaluate_every < 1:
        raise UserError(f"--evaluate-every {config.evaluate_every}: give a number of at least 1")
    if not config.seeds or len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise UserError("--seeds: give one or more different numbers of at least 0")
    if not 0 < config.min_precision < 1:
        raise UserError(f"--min-precision {config.min_precision}: a precision lies between 0 and 1, like 0.75")
    _check_agent(config, with_defaults(config.agent, policy.valued_no_click, config.environment))
    check_judging(config, config)
    make_rule(config.rule, config.scale, config.steps)
    if policy.learner == "full-slate":
        from apps.slateq.full_slate import all_slates

        all_slates(config.candidates, config.slate)


def _check_agent(config: TrainConfig, agent: AgentConfig) -> None:
    if not 0 <= agent.gamma <= 1:
        raise UserError(f"--agent.gamma {agent.gamma}: a discount lies between 0 and 1")
    if agent.gamma == 1 and config.environment == "interest-exploration":
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


def resolved(config: TrainConfig) -> dict[str, Any]:
    """Everything that a reader of the run needs to repeat it."""
    settings = asdict(config)
    for name in ("out", "resume", "workers"):
        settings.pop(name)
    template = load_words(config, config).template
    prompt = {"name": template.name, "hash": template.hash}
    return {"app": "slateq", "env": environment(config), "settings": settings, "prompt": prompt, **provenance()}


def environment(config: WorldConfig) -> str:
    """The world in words, for reports: runs of one world are compared."""
    return f"{config.environment}, {config.candidates} candidates, slates of {config.slate}"


def train_seed(config: TrainConfig, audit: dict[str, Any], seed: int, tick: Callable[[int], None]) -> dict[str, Any]:
    """Trains one seed: its last evaluation, the judge's counts, and how long it took."""
    with RunLog.open(config.out) as log:
        if (finished := log.seed_result(seed)) is not None:
            tick(config.steps)
            return finished
        from apps.slateq.tensorflow_setup import one_deterministic_thread

        one_deterministic_thread()
        from apps.slateq.trainer import Trainer

        judging = make_judging(config, config, config.steps, config.out / CACHE, seed, audit)
        begun = time.perf_counter()
        metrics = Trainer(config, seed, judging.shifter, config.out).train(log, tick)
        judging.close()
        stats = None if judging.shifter is None else judging.shifter.stats.as_dict()
        return {"metrics": metrics, "judge_stats": stats, "seconds": time.perf_counter() - begun}


def forget_checkpoint(config: TrainConfig, seed: int) -> None:
    """Removes the checkpoint of a finished seed: it holds the whole replay, and its policy is saved."""
    shutil.rmtree(config.out / "checkpoints" / f"seed_{seed}", ignore_errors=True)


def summarise_run(config: TrainConfig, judging: Judging, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The run's summary: each metric over seeds, the judge's counts added up."""
    stats: dict[str, float] = dict.fromkeys(STATS, 0)
    for result in results:
        for name, value in (result["judge_stats"] or {}).items():
            stats[name] += value
    return {
        "app": "slateq",
        "env": environment(config),
        "algorithm": config.policy,
        "judge": config.judge,
        "judge_kind": judging.judge.kind.value if judging.judge else "no judge",
        "judge_unit": config.judge_unit,
        "vocabulary": config.vocabulary,
        "rule": config.rule,
        "scale": config.scale,
        "strategy": config.strategy,
        "seeds": list(config.seeds),
        "steps": config.steps,
        "metrics": {name: summarise([r["metrics"][name] for r in results]) for name in METRICS},
        "judge_stats": stats,
        "audit": judging.audit,
        "seconds": sum(r["seconds"] for r in results),
    }
