"""Estimators of what a policy would have earned, against the truth: `python -m benchmarks.off_policy --out FOLDER`.

In simulated worlds the truth is known: the evaluated policy is let serve. Many logs of each size are drawn, and every
estimator is given every one. Beside bias and error stands how often the 95 % interval holds the truth, and how often
the estimate comes with a warning.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is imported

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tyro

import lmgt_core
from apps.slateq.config import EvolutionConfig, WorldConfig
from apps.slateq.features import Features, features
from apps.slateq.logs.reader import mixed
from apps.slateq.logs.record import clock_of, serve_sessions
from apps.slateq.logs.schema import Floats, Integers, Slates
from apps.slateq.off_policy.distributions import PlackettLuce
from apps.slateq.off_policy.estimates import estimates_of
from apps.slateq.off_policy.estimators import Models, ratios_of, returns_to_go, session_terms, slate_terms
from apps.slateq.off_policy.reward_model import fit_returns, fit_rewards
from apps.slateq.off_policy.sums import Sums, poisson_weights
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Scores
from lmgt_core.files import read_json, write_json_atomic
from lmgt_core.terminal.progress import progress
from lmgt_core.training.provenance import git_revision, machine

LOGGING = 1.0  # how strongly the policy that serves leans to what users like
POLICIES = {"near": 1.5, "middle": 3.0, "far": 6.0, "missing": 1.0}  # the same of those that are evaluated
SIZES = {300: 200, 1000: 200, 3000: 60, 10_000: 90}  # slates in a log -> how many such logs
SLATES = 5  # of a session in the setting "sessions"
TRUTH = 1_000_000  # slates served to find it
CASCADE = EvolutionConfig(score_scaling=0.4)
SETTINGS: Mapping[str, tuple[str, WorldConfig]] = {
    "slates": ("single slates, multinomial users", WorldConfig(session_steps=1)),
    "cascade": (
        "single slates, cascade users",
        WorldConfig(session_steps=1, choice_model="proportional-cascade", evolution=CASCADE),
    ),
    "sessions": ("sessions of five slates, multinomial users", WorldConfig(session_steps=SLATES)),
}


@dataclass(frozen=True)
class OffPolicyConfig:
    """Measures the estimators; what is there already is not measured again."""

    settings: tuple[str, ...] = tuple(SETTINGS)
    """slates, cascade, sessions."""
    policies: tuple[str, ...] = tuple(POLICIES)
    """near, middle, far, missing."""
    sizes: tuple[int, ...] = tuple(SIZES)
    """Slates in a log; logs of sessions have a third as many sessions."""
    out: Path = Path("runs/off-policy")
    resamples: int = 400
    share: float = 1.0
    """Of the number of logs, for a quick look."""


def served_by(leaning: float, hidden: bool = False) -> Callable[[Features], PlackettLuce]:
    """Items drawn from the softmax of `leaning` times how much the user likes them, from -1 to 1.

    `hidden`: those that the user likes less than 0 are never shown, but for the three best.
    """

    def shows(seen: Features) -> PlackettLuce:
        return PlackettLuce(scores_of(seen.user, seen.topic.astype(np.int64), leaning, hidden), 3)

    return shows


def scores_of(interests: Scores, topic: Integers, leaning: float, hidden: bool = False) -> Floats:
    """[B, N] the logarithms of what items of these topics [B, N] are drawn by, for users of these interests [B, T]."""
    liking = np.take_along_axis(interests, topic, axis=1).astype(np.float64)
    scores = leaning * liking
    if hidden:
        third = np.sort(liking, axis=1)[:, -3:-2]
        scores[(liking < 0) & (liking < third)] = -np.inf
    return scores


def logs(world: WorldConfig, sessions: int, hidden: bool, seed: int) -> Iterator[Slates]:
    """Logs of so many sessions of the logging policy, one after the other."""
    simulator = make_simulator(world, sessions)
    while True:
        columns = serve_sessions(simulator, served_by(LOGGING, hidden), seed, clock_of(world))
        yield slates_of_columns(columns)
        seed += 1


def slates_of_columns(columns: Mapping[str, Any]) -> Slates:
    """What the reader would make of the log that these columns are written to."""
    more = {name: columns[name] for name in ("context", "history", "choice_scores", "candidates")}  # topics left out
    return Slates(
        key=mixed(columns["session"].astype(np.uint64)),
        step=columns["step"],
        candidates=np.full(len(columns["step"]), columns["candidates"].shape[1]),
        slate=columns["slate"],
        propensity=columns["propensity"],
        click=columns["click"],
        reward=columns["reward"],
        propensities=columns["propensities"],
        marginals=columns["marginals"],
        more=more,
    )


def truth_of(world: WorldConfig, leaning: float, seed: int) -> dict[str, float]:
    """{"slate", "session"}: what the policy earns when it serves; a slate's is that of a session's first."""
    users, steps, first, later, count = 20_000, world.session_steps or 1, 0.0, 0.0, 0
    simulator, shows, rng = make_simulator(world, users), served_by(leaning), np.random.default_rng([seed, 1])
    for number in range(TRUTH // users // steps):
        observation, nothing = simulator.reset(seed + number), np.zeros((users, 4), np.float32)
        for step in range(steps):  # no session ends before
            slates = shows(features(simulator, observation, nothing)).draw(rng.random((users, world.candidates + 1)))
            feedback = simulator.step(slates)
            first += float(feedback.reward.sum()) * (step == 0)
            later += float(feedback.reward.sum()) * (step > 0)
            assert not feedback.terminated.any()
            observation = feedback.observation
        count += users
    return {"slate": first / count, "session": (first + later) / count}


def estimate(rows: Slates, leaning: float, sessions: bool, resamples: int) -> Sums:
    """The sums of the policy that leans so, over one log."""
    policy = PlackettLuce(scores_of(rows.more["context"], rows.more["candidates"], leaning), 3)
    ratios, begins, sums = ratios_of(rows, policy), rows.begins, Sums(resamples)
    if sessions:
        terms = session_terms(rows, policy, ratios, Models(returns=fit_returns(rows, returns_to_go(rows))))
    else:
        terms = slate_terms(rows, policy, ratios, Models(fit_rewards(rows, policy)))
    times = poisson_weights(rows.key[begins], resamples, 0)
    sums.add(times, np.diff(np.r_[begins, len(rows)]), terms)
    return sums


def measure(setting: str, policy: str, slates: int, truth: float, config: OffPolicyConfig) -> list[dict[str, Any]]:
    """{setting, policy, sessions, estimator, logs, truth, bias, rmse, covered, warned, effective} of each estimator."""
    _, world = SETTINGS[setting]
    size = sessions_in(setting, slates)
    drawn = logs(world, size, policy == "missing", 0)
    found: dict[str, list[tuple[float, bool, bool, float]]] = {}
    count = max(2, round(config.share * SIZES[slates]))
    with progress(f"{setting}, {policy}, {size:,}: logs", count) as bar:
        for _ in range(count):
            sums = estimate(next(drawn), POLICIES[policy], setting == "sessions", config.resamples)
            for one in estimates_of(sums):
                covered = one.ci95 is not None and one.ci95[0] <= truth <= one.ci95[1]
                outcome = (one.value - truth, covered, bool(one.warning), one.effective)
                found.setdefault(one.estimator, []).append(outcome)
            bar.advance()
    return [row(setting, policy, size, one, truth, each) for one, each in found.items()]


def sessions_in(setting: str, slates: int) -> int:
    """How many sessions a log of this size has."""
    return slates // 3 if setting == "sessions" else slates


def row(
    setting: str, policy: str, size: int, estimator: str, truth: float, outcomes: list[tuple[float, bool, bool, float]]
) -> dict[str, Any]:
    """The row of one estimator, over the logs in which it had a value."""
    error, covered, warned, effective = (np.array(part, float) for part in zip(*outcomes, strict=True))
    known = error[np.isfinite(error)]
    quiet = warned == 0
    return {
        "setting": setting,
        "policy": policy,
        "sessions": size,
        "estimator": estimator,
        "logs": len(outcomes),
        "truth": truth,
        "bias": float(known.mean()) if len(known) else None,
        "rmse": float(np.sqrt((known**2).mean())) if len(known) else None,
        "covered": float(covered.mean()),
        "warned": float(warned.mean()),
        "quiet": int(quiet.sum()),
        "covered_quiet": float(covered[quiet].mean()) if quiet.any() else None,
        "effective": float(effective.mean()),
    }


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """What the file holds, which is made first where there is none."""
    if not path.exists():
        start = time.process_time()
        found = make()
        about = {"revision": git_revision(Path(lmgt_core.__path__[0])), "cpu": machine()["cpu"]}
        write_json_atomic(path, about | {"seconds": time.process_time() - start, "found": found})
    return read_json(path)


def main(config: OffPolicyConfig) -> None:
    """Measures what is not there yet, a file for each setting, policy and size."""
    for setting, policy in product(config.settings, config.policies):
        _, world = SETTINGS[setting]
        name = f"{setting}-{policy}"
        truth = kept(config.out / f"{name}-truth.json", lambda w=world, p=policy: truth_of(w, POLICIES[p], 10**6))
        value = truth["found"]["session" if setting == "sessions" else "slate"]
        for slates in config.sizes:
            kept(config.out / f"{name}-{slates}.json", partial(measure, setting, policy, slates, value, config))
        print(f"{name}: {value:.3f} in truth; measured")


if __name__ == "__main__":
    main(tyro.cli(OffPolicyConfig))
