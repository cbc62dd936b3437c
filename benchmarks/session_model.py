"""Policies in a model of sessions that is fitted to a log, against the truth: `python -m benchmarks.session_model`.

Whole sessions of simulated users, some sixty slates long. Several logs are drawn in each world; every policy is
estimated by the fitted model and by weights, and let serve for the truth.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is imported

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

import lmgt_core
from apps.slateq.config import EvolutionConfig, WorldConfig
from apps.slateq.features import Features
from apps.slateq.logs.record import clock_of, serve_sessions
from apps.slateq.logs.schema import Floats, Integers, Slates
from apps.slateq.off_policy.distributions import PlackettLuce
from apps.slateq.off_policy.estimates import estimates_of
from apps.slateq.off_policy.estimators import Models, ratios_of, returns_to_go, session_terms
from apps.slateq.off_policy.policies import EvaluatedPolicy
from apps.slateq.off_policy.reward_model import fit_returns
from apps.slateq.off_policy.served_sessions import served_sessions
from apps.slateq.off_policy.sums import Sums, poisson_weights
from apps.slateq.session_metrics import play
from apps.slateq.simulator.interest_evolution import topic_means
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Scores
from benchmarks.off_policy import LOGGING, slates_of_columns
from lmgt_core.files import write_json_atomic
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table
from lmgt_core.training.provenance import git_revision, machine

# How strongly a policy leans to what users like, from -1 to 1, and to the topics' true quality, from -3 to 3.
POLICIES = {"near": (1.5, 0.0), "far": (6.0, 0.0), "worth a little": (1.0, 0.2), "worth": (0.0, 1.0)}
WORLDS = {
    "multinomial": WorldConfig(),
    "cascade": WorldConfig(choice_model="proportional-cascade", evolution=EvolutionConfig(score_scaling=0.4)),
    "users that differ": WorldConfig(users_ranges=("no_click_mass=.5:2", "budget=100:300")),
}
SHOWN = ("session-model", "sn-pdis", "pdis-cv")
USERS = 10_000  # served for the truth


@dataclass(frozen=True)
class SessionModelConfig:
    """Fits models to logs and says how far their values lie from the truth."""

    worlds: tuple[str, ...] = tuple(WORLDS)
    sessions: int = 300
    """In a log."""
    logs: int = 10
    refits: int = 20
    resamples: int = 200
    out: Path = Path("runs/session-model.json")


def distribution(user: Scores, topic: Integers, leanings: tuple[float, float]) -> PlackettLuce:
    """Items of these topics [B, N] drawn by the softmax of the leanings times liking and quality."""
    liking = np.take_along_axis(user.astype(np.float64), topic, axis=1)
    return PlackettLuce(leanings[0] * liking + leanings[1] * topic_means()[topic], 3)


class Drawn:
    """A policy of `session_metrics.play` that draws from `distribution`."""

    def __init__(self, leanings: tuple[float, float], seed: int) -> None:
        self.leanings, self.rng = leanings, np.random.default_rng(seed)

    def serve(self, features: Features) -> Integers:
        uniform = self.rng.random((len(features), features.topic.shape[1] + 1))
        return distribution(features.user, features.topic.astype(np.int64), self.leanings).draw(uniform)

    def learn(self, topics: Integers, clicked: Integers, reward: Floats) -> None:
        pass


def evaluated(name: str) -> EvaluatedPolicy:
    """The policy of this name, by its columns of a log."""
    return EvaluatedPolicy(
        name, (), lambda rows: distribution(rows.more["context"], rows.more["candidates"], POLICIES[name])
    )


def log_of(world: WorldConfig, sessions: int, seed: int) -> Slates:
    """A log of the policy that leans to liking by LOGGING."""

    def shows(seen: Features) -> PlackettLuce:
        return distribution(seen.user, seen.topic.astype(np.int64), (LOGGING, 0.0))

    columns = serve_sessions(make_simulator(world, sessions), shows, seed, clock_of(world))
    rows = slates_of_columns(columns)
    return Slates(**{**vars(rows), "more": {**rows.more, "features": columns["features"]}})


def by_weights(rows: Slates, policy: EvaluatedPolicy, resamples: int) -> Sums:
    """The sums of the estimators of sessions."""
    shown, begins, sums = policy.distribution(rows), rows.begins, Sums(resamples)
    models = Models(returns=fit_returns(rows, returns_to_go(rows)))
    times = poisson_weights(rows.key[begins], resamples, 0)
    sums.add(times, np.diff(np.r_[begins, len(rows)]), session_terms(rows, shown, ratios_of(rows, shown), models))
    return sums


def measure(world: str, config: SessionModelConfig, advance: Callable[[], None]) -> list[dict[str, Any]]:
    """{world, policy, truth, length, estimator, logs, bias, rmse, covered, warned} of each policy and estimator."""
    policies, found = [evaluated(name) for name in POLICIES], {}
    for seed in range(config.logs):
        rows = log_of(WORLDS[world], config.sessions, seed)
        served = served_sessions(rows, policies, config.refits, 0)
        for policy in policies:
            weighted = estimates_of(by_weights(rows, policy, config.resamples))
            for one in (*served.estimates[policy.name], *weighted):
                found.setdefault((policy.name, one.estimator), []).append(one)
        advance()
    rows_of = []
    for name, leanings in POLICIES.items():
        truth = play(make_simulator(WORLDS[world], USERS), Drawn(leanings, 1), 10**6).values
        for estimator in SHOWN:
            estimates, true = found[name, estimator], float(truth["return"].mean())
            error = np.array([one.value - true for one in estimates])
            held = [one.ci95 is not None and one.ci95[0] <= true <= one.ci95[1] for one in estimates]
            rows_of.append({
                "world": world,
                "policy": name,
                "truth": true,
                "length": float(truth["length"].mean()),
                "estimator": estimator,
                "logs": config.logs,
                "mean": float(error.mean() + true),
                "bias": float(error.mean()),
                "rmse": float(np.sqrt((error**2).mean())),
                "covered": sum(held),
                "warned": sum(bool(one.warning) for one in estimates),
            })  # fmt: skip
    return rows_of


def main(config: SessionModelConfig) -> None:
    """Prints and writes the table."""
    begun, rows = time.process_time(), []
    with progress("logs", config.logs * len(config.worlds)) as bar:
        for world in config.worlds:
            rows += measure(world, config, bar.advance)
    about = {"revision": git_revision(Path(lmgt_core.__path__[0])), "cpu": machine()["cpu"]}
    print_table(rows, title=f"{config.logs} logs of {config.sessions} sessions in each world, {config.refits} refits")
    write_json_atomic(config.out, about | {"seconds": time.process_time() - begun, "rows": rows})


if __name__ == "__main__":
    main(tyro.cli(SessionModelConfig))
