"""Policies that are evaluated on a log, from what the command line says: what each would have shown in every row."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from apps.slateq.baselines import Policy, make_baseline
from apps.slateq.config import WorldConfig
from apps.slateq.features import Features
from apps.slateq.logs.reader import Log
from apps.slateq.logs.schema import NOTHING, SCORES, SLATES, Integers, Slates
from apps.slateq.off_policy.distributions import Mixture, PlackettLuce, SlateDistribution
from apps.slateq.policies import FIXED, check_policy
from apps.slateq.robust.user_models import world_from as world_of_settings
from lmgt_core.errors import UserError
from lmgt_core.judging.registry import JudgeSpec, split_spec
from lmgt_core.training.run_log import read_config

SERVED = ("context", "history", "features", "candidates", "choice_scores")  # what policies of simulated worlds look at


@dataclass(frozen=True)
class EvaluatedPolicy:
    """A policy by its name on the command line, the columns it reads, and its distribution over each row's slates.

    `remembers`: what it shows depends on what happened in the session before.
    """

    name: str
    columns: tuple[str, ...]
    distribution: Callable[[Slates], SlateDistribution]
    remembers: bool = False


def make_evaluated(name: str, log: Log) -> EvaluatedPolicy:
    """The policy called `name` on the command line; UserError where there is none, or `log` lacks what it reads."""
    spec = split_spec(name)
    epsilon, temperature = _options(name, spec)
    if spec.provider in ("scores", "slates"):
        column = (SCORES if spec.provider == "scores" else SLATES) + spec.argument
        if column not in log.columns:
            there = [n.replace(".", ":", 1) for n in log.columns if n.startswith((SCORES, SLATES))]
            raise UserError(f"--policy {name}: {log.path} has no column {column}; it has {', '.join(there) or 'none'}")
        if spec.provider == "slates":
            return EvaluatedPolicy(
                name, (column,), lambda rows: Mixture(planned(rows, column), epsilon, rows.candidates)
            )
        if temperature is not None:
            return EvaluatedPolicy(name, (column,), lambda rows: drawn_by(rows, column, temperature))
        return EvaluatedPolicy(name, (column,), lambda rows: Mixture(ranked(rows, column), epsilon, rows.candidates))
    if spec.provider == "Random":
        return EvaluatedPolicy(name, (), lambda rows: Mixture(rows.slate, 1.0, rows.candidates))
    serve, remembers = _served(name, spec, log)
    return EvaluatedPolicy(
        name, SERVED, lambda rows: Mixture(serve(features_of(rows)), epsilon, rows.candidates), remembers
    )


def ranked(rows: Slates, column: str) -> Integers:
    """[B, K] the candidates with the highest scores, best first, equals in their order, as many as were shown."""
    order = np.argsort(-rows.more[column], axis=1, kind="stable")[:, : rows.slate.shape[1]]
    return np.where(rows.slate == NOTHING, NOTHING, order)


def drawn_by(rows: Slates, column: str, temperature: float) -> PlackettLuce:
    """Items drawn one after the other by the softmax of the scores divided by `temperature`."""
    return PlackettLuce(rows.more[column].astype(np.float64) / temperature, rows.slate.shape[1])


def planned(rows: Slates, column: str) -> Integers:
    """[B, K] the slates of the column, as long as what was shown."""
    k, given = rows.slate.shape[1], rows.more[column].astype(np.int64)
    wide = np.pad(given, ((0, 0), (0, max(0, k - given.shape[1]))), constant_values=NOTHING)[:, :k]
    return np.where(rows.slate == NOTHING, NOTHING, wide)


def features_of(rows: Slates) -> Features:
    """What a policy of a simulated world sees."""
    more, (count, n) = rows.more, rows.more["candidates"].shape
    return Features(
        user=more["context"].astype(np.float32).reshape(count, -1),
        history=more["history"].astype(np.float32),
        documents=more["features"].astype(np.float32).reshape(count, n, -1),
        topic=more["candidates"].astype(np.int32),
        scores=more["choice_scores"].astype(np.float32),
    )


def world_from(log: Log) -> WorldConfig:
    """The simulated world that `log` was written in; UserError for an imported log, which has none."""
    given = log.about.get("world")
    if given is None:
        raise UserError(f"{log.path}: was imported, so only Random, scores:NAME and slates:NAME can be evaluated on it")
    return replace(world_of_settings(given), simulator=given["simulator"])


def _served(name: str, spec: JudgeSpec, log: Log) -> tuple[Callable[[Features], Integers], bool]:
    """How a policy of a simulated world serves, and whether it looks at the session so far."""
    from apps.slateq.simulator.make import make_simulator

    path = name.partition("?")[0]
    check_policy("policy", path, (*FIXED, "scores:NAME", "slates:NAME"))
    world = world_from(log)
    if path in FIXED:
        return make_baseline(path, make_simulator(world), np.random.default_rng(0)).serve, False
    policy = policy_of_run(Path(path), world, _seed(name, spec))
    return policy.serve, bool(read_config(Path(path))["settings"]["agent"]["history"])


def policy_of_run(run: Path, world: WorldConfig, seed: int | None) -> Policy:
    """The policy that `run` trained with `seed` (default: its first); UserError for a run of another world."""
    from apps.slateq.evaluation_entries import check_run
    from apps.slateq.tensorflow_setup import one_deterministic_thread

    settings = check_run(str(run), world)
    one_deterministic_thread()
    from apps.slateq.learned import Served
    from apps.slateq.trainer import policy_folder

    return Served.load(policy_folder(run, settings["seeds"][0] if seed is None else seed))


def _options(name: str, spec: JudgeSpec) -> tuple[float, float | None]:
    """Epsilon and temperature; UserError for what is no number or does not go with the policy."""
    known = {"epsilon", "seed"} | ({"temperature"} if spec.provider == "scores" else set())
    for option in spec.options:
        if option not in known:
            raise UserError(f"--policy {name}: no such option {option}; there are: {', '.join(sorted(known))}")
    epsilon = _number(name, spec.options.get("epsilon", "0"), "epsilon")
    if not 0 <= epsilon <= 1:
        raise UserError(f"--policy {name}: epsilon is a share between 0 and 1")
    if "temperature" not in spec.options:
        return epsilon, None
    temperature = _number(name, spec.options["temperature"], "temperature")
    if temperature <= 0 or "epsilon" in spec.options:
        raise UserError(f"--policy {name}: temperature is above 0, and stands without epsilon")
    return epsilon, temperature


def _seed(name: str, spec: JudgeSpec) -> int | None:
    return int(_number(name, spec.options["seed"], "seed")) if "seed" in spec.options else None


def _number(name: str, text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"--policy {name}: {option} is a number, not {text}") from None
