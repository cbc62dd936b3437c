"""`lmgt housekeep evaluate`: the benchmark's metrics of policies on the same episodes, without any shift."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.agent.planner import PREFIX, PlannerPolicy, judge_scores
from apps.housekeep.config import RENAMED, EvaluateConfig
from apps.housekeep.domain import SEAMS, fading_horizon
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.halves import object_split
from apps.housekeep.episodes.load import load_many
from apps.housekeep.metrics import METRICS
from apps.housekeep.simulator.factory import check_scenes, check_simulator, make_simulator
from lmgt_core.errors import UserError, check_least
from lmgt_core.judging.registry import NONE
from lmgt_core.rules.agent_rule import AgentRule
from lmgt_core.rules.make import make_rule
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table, write_rows
from lmgt_core.training.processes import in_processes
from lmgt_core.training.run_log import RunLog
from lmgt_core.training.statistics import iqm, nested_bootstrap_ci

BASELINES = ("nothing", "random")
LOTS = ("random", "noisy-oracle")  # judges whose answers are drawn
SHOWN = ("object_success", "net_success", "episode_success", "misplaced_found", "all_objects_right", "steps")
Results = list[dict[str, float | None]]


@dataclass(frozen=True)
class Job:
    """One policy (a run's seed, or a baseline) on every episode."""

    policy: str
    seed: int
    config: EvaluateConfig


def main(config: EvaluateConfig) -> list[dict[str, Any]]:
    """Evaluates and returns the rows {policy, metric, mean, iqm, ci95, n, seeds}; metric/seen and metric/unseen are
    over the episodes of the benchmark's seen and unseen objects (first and second half of a file's episode ids)."""
    check_simulator(config)
    check_least(0, {"patience": config.patience})
    episodes = load_many(config.episodes, config.select, config.strict)
    check_scenes(config, episodes)
    jobs = [
        Job(policy, seed, config)
        for policy in dict.fromkeys([*BASELINES, *config.policies])
        for seed in seeds_of(policy, config)
    ]
    results: dict[str, list[Results]] = {}
    with progress("episodes", len(jobs) * len(episodes)) as bar:
        done = dict(in_processes(evaluate_job, jobs, config.workers, bar.advance))
    for job in jobs:
        results.setdefault(job.policy, []).append(done[job])
    rows = [row for policy, runs in results.items() for row in summarise_policy(policy, runs, episodes, config.seed)]
    print_table(wide(rows), title=f"{len(episodes)} episodes, no shift; mean [95 % interval]")
    if config.json is not None:
        write_rows(config.json, rows)
    return rows


def seeds_of(policy: str, config: EvaluateConfig) -> list[int]:
    """The seeds of a run; one for a baseline and a planner, five for a planner whose judge draws lots."""
    if policy in BASELINES or policy.startswith(PREFIX):
        draws = policy.removeprefix(PREFIX).startswith(LOTS)
        return [config.seed + n for n in range(5 if draws and policy not in BASELINES else 1)]
    return run_settings(Path(policy))["seeds"]


def run_settings(run: Path) -> dict[str, Any]:
    """The settings in a run's config.json under their present names; UserError where it is no Housekeep skills run."""
    path = run / "config.json"
    if not path.is_file():
        raise UserError(
            f"{run}: not a run directory (no config.json) and not one of {', '.join(BASELINES)}, {PREFIX}JUDGE"
        )
    content = json.loads(path.read_text())
    settings = {RENAMED.get(name, name): value for name, value in content["settings"].items()}
    if content.get("app") != "housekeep" or settings["action_space"] != "skills":
        raise UserError(
            f"{run}: a run of another app or action space; give a Housekeep run that was trained with "
            "--action-space skills"
        )
    if settings["rule"] == "lookahead" and settings["judge"] != NONE:
        raise UserError(
            f"{run}: trained with --rule lookahead, whose policy goes on asking the judge about every candidate, which "
            "this command does not; evaluations.csv shows it without shift (train --evaluate-episodes names homes)"
        )
    with RunLog.open(run) as log:
        return settings | {"seeds": log.seeds}


def evaluate_job(job: Job, tick: Callable[[int], None]) -> Results:
    """The metrics of every episode under one policy."""
    import torch

    from apps.housekeep.agent.policies import PatientPolicy, play
    from apps.housekeep.knowledge.votes import load_votes
    from apps.housekeep.task import Task

    torch.set_num_threads(1)
    episodes = load_many(job.config.episodes, job.config.select, job.config.strict)
    votes = load_votes(job.config.votes) if job.config.votes is not None else None
    policy = make_policy(job, episodes)
    if job.config.patience is not None:
        policy = PatientPolicy(policy, job.config.patience)
    simulator = make_simulator(job.config)
    task, results = Task(simulator), []
    for episode in episodes:
        task.reset(episode)
        results.append(play(task, policy, votes))
        tick(1)
    simulator.close()
    return results


def make_policy(job: Job, episodes: Sequence[Episode]) -> Any:
    """The policy that `job` names."""
    from apps.housekeep.agent.drrn import DrrnConfig
    from apps.housekeep.agent.features import Vocabulary
    from apps.housekeep.agent.policies import AgentPolicy, NothingPolicy, RandomPolicy
    from apps.housekeep.agent.train_moves import load_policy
    from apps.housekeep.agent.train_skills import load_agent
    from apps.housekeep.knowledge.judges import knowledge
    from lmgt_core.judges.minilm import MiniLMEncoder

    rng = np.random.default_rng([job.seed, job.config.seed, 17])
    if job.policy == "nothing":
        return NothingPolicy()
    if job.policy == "random":
        return RandomPolicy(rng)
    if job.policy.startswith(PREFIX):
        votes, splits = (job.config.votes, job.config.splits) if job.config.splits is not None else (None, None)
        judge, labels = job.policy.removeprefix(PREFIX), knowledge(votes, splits)
        return PlannerPolicy(judge_scores(judge, job.config.strategy, episodes, labels, job.seed))
    content = RunLog.open(Path(job.policy)).load_checkpoint(job.seed)
    if content is None:
        raise UserError(f"{job.policy}: seed {job.seed} has no checkpoint yet; let the run finish (--resume)")
    vocabulary, settings = Vocabulary.of(episodes), run_settings(Path(job.policy))
    if settings["algorithm"] == "moves":
        return load_policy(content, vocabulary, MiniLMEncoder.load(), rng)
    agent, skills = load_agent(content, vocabulary, MiniLMEncoder.load(), rule_of(settings))
    return AgentPolicy(agent, vocabulary, rng, DrrnConfig().epsilon_evaluation, skills)


def rule_of(settings: dict[str, Any]) -> AgentRule | None:
    """The rule inside the agent of a run with these settings, if it has one."""
    name, steps = settings["rule"], settings["steps"]
    horizon = fading_horizon(name, steps, settings.get("horizon"))
    rule = make_rule(name, settings["scale"], steps, horizon=horizon, seams=SEAMS["drrn"])
    return rule if isinstance(rule, AgentRule) and settings["judge"] != NONE else None


def summarise_policy(policy: str, runs: list[Results], episodes: Sequence[Episode], seed: int) -> list[dict[str, Any]]:
    """A row per metric and object split. Mean and interquartile mean are over all (seed, episode) values; the interval
    resamples seeds and, within them, episodes."""
    splits: dict[str, NDArray[np.int64]] = {"": np.arange(len(episodes))}
    for name, members in object_split(episodes).items():
        if 0 < len(members) < len(episodes):
            splits[f"/{name}"] = np.asarray(members)
    rows = []
    for suffix, members in splits.items():
        for metric in METRICS:
            values = [[v for i in members if (v := run[i][metric]) is not None] for run in runs]
            if not all(values):
                continue
            pooled = np.concatenate(values)
            rows.append(
                {
                    "policy": policy,
                    "metric": metric + suffix,
                    "mean": float(pooled.mean()),
                    "iqm": iqm(pooled),
                    "ci95": nested_bootstrap_ci(values, np.random.default_rng(seed)),
                    "n": len(pooled),
                    "seeds": len(runs),
                }
            )
    return rows


def wide(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line a policy for the terminal: the metrics that are looked at first."""
    lines: dict[str, dict[str, Any]] = {}
    for row in rows:
        line = lines.setdefault(row["policy"], {"policy": row["policy"], "seeds": row["seeds"]})
        metric, _, split = row["metric"].partition("/")
        if metric in SHOWN and (not split or metric == "object_success"):
            interval = "" if row["ci95"] is None else f" [{row['ci95'][0]:.2f}, {row['ci95'][1]:.2f}]"
            line[row["metric"]] = f"{row['mean']:.2f}{interval}"
    return list(lines.values())
