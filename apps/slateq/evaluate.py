"""`lmgt slateq evaluate`: policies on the same simulated users, with paired differences; no shift anywhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from apps.slateq.baselines import Policy
from apps.slateq.config import WorldConfig, check_world
from apps.slateq.evaluation_entries import Entry, check, entry, train_missing, world_of
from apps.slateq.evaluation_page import Part, write_page
from apps.slateq.evaluation_rows import rows_of, tables
from apps.slateq.policies import ONLINE, PRIVILEGED
from apps.slateq.robust.findings import Findings, findings_of
from apps.slateq.robust.user_models import user_models
from apps.slateq.session_metrics import Sessions, play
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Simulator
from apps.slateq.train_config import EvaluateConfig
from lmgt_core.files import write_json_atomic
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table


def main(config: EvaluateConfig) -> list[dict[str, Any]]:
    """Evaluates and returns the rows {policy, metric, mean, ci95, n, kind, minus_first, minus_first_ci95}.

    With --users-model there is one such row under each user model, named in `users`.
    """
    models = models_of(config)
    names = check(config, models)
    train_missing(config, names, models)
    entries = [entry(name, config, models) for name in names]
    results = serve_models(config, entries, models)
    kinds = {one.name: one.kind for one in entries}
    rows = {
        model: rows_of({name: [values(batches) for batches in seeds] for name, seeds in found.items()}, kinds)
        for model, found in results.items()
    }
    findings = findings_of(entries, {model: returns_of(found) for model, found in results.items()})
    show(config, names, rows, findings)
    all_rows = [({"users": model} if model else {}) | row for model, found in rows.items() for row in found]
    content = {"rows": all_rows} | ({} if findings is None else {"robust": findings.as_dict()})
    if config.json is not None:
        write_json_atomic(config.json, content)
    if config.out is not None:
        write_json_atomic(config.out / "rows.json", content)
        parts = [Part(model, rows[model], results[model]) for model in models]
        write_page(config.out / "report.html", title_of(config), parts, note(config, names), findings)
        print(f"{config.out / 'report.html'} holds the tables, interest drift and quality over a session")
    return all_rows


def models_of(config: EvaluateConfig) -> dict[str, WorldConfig]:
    """{user model: its world}; "" for the users of the flags themselves, where no --users-model is given."""
    world = world_of(config)
    check_world(world)
    if config.users_model is None:
        return {"": world}
    return user_models(config.users_model, world)


def serve_models(
    config: EvaluateConfig, entries: Sequence[Entry], models: Mapping[str, WorldConfig]
) -> dict[str, dict[str, list[list[Sessions]]]]:
    """{user model: {policy: [seed][batch]}}: every policy serves the same users under every model."""
    results: dict[str, dict[str, list[list[Sessions]]]] = {}
    with progress("sessions", config.users * sum(len(e.makers) for e in entries) * len(models)) as bar:
        for model, world in models.items():
            results[model] = {}
            for one in entries:
                believed = one.believed if model else world  # the flags' own users are known as they are
                results[model][one.name] = [
                    serve_all(config, world, believed, make, bar.advance) for make in one.makers
                ]
    return results


def show(
    config: EvaluateConfig,
    names: Sequence[str],
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    found: Findings | None,
) -> None:
    """Prints the tables of the evaluation; under several user models, what holds under all of them in their place."""
    title = title_of(config)
    if len(rows) == 1:
        done, shown = tables(next(iter(rows.values())))
        print_table(done, title=f"{title}: mean +- half of the 95 % interval; no shift", note=note(config, names))
        print_table(shown, title="what the slates showed")
    if found is not None:
        print_table(found.table(), title=f"{title}: return, and rank with its 95 % interval, by user model")
        if claims := found.claims_table():
            print_table(claims, title="Conclusions by user model: paired difference in return, 95 % interval")
        print(found.sentence())


def title_of(config: EvaluateConfig) -> str:
    """The world, its shape and how many users."""
    return f"{config.env}, {config.candidates} candidates, slates of {config.slate}, {config.users} users"


def serve_all(
    config: EvaluateConfig,
    world: WorldConfig,
    believed: WorldConfig,
    make: Callable[[Simulator], Policy],
    tick: Callable[[int], None],
) -> list[Sessions]:
    """The sessions of all users of `world`, batch by batch; the users depend on --seed alone.

    The policy serves by the choice scores of the world that it `believed` in while it was trained.
    """
    size = 1 if config.simulator == "recsim" else min(config.batch, config.users)
    simulator = make_simulator(world, size)
    policy = make(simulator)
    assumed = None if believed == world else make_simulator(replace(believed, simulator="vectorised"), 1)
    batches = []
    for number, begin in enumerate(range(0, config.users, size)):
        if config.users - begin < size:
            simulator = make_simulator(world, config.users - begin)
        batches.append(play(simulator, policy, config.seed + number, assumed))
        tick(simulator.users)
    return batches


def values(batches: Sequence[Sessions]) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """{metric: [user]} over all batches."""
    return {name: np.concatenate([b.values[name] for b in batches]) for name in batches[0].values}


def returns_of(found: Mapping[str, Sequence[Sequence[Sessions]]]) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """{policy: returns [seed, user]} under one user model."""
    return {name: np.array([values(batches)["return"] for batches in seeds]) for name, seeds in found.items()}


def note(config: EvaluateConfig, names: Sequence[str]) -> str:
    """What a reader of the table has to know."""
    parts = [f"minus {names[0]}: paired over the same users, with the same luck, of seed {config.seed}."]
    if any(name in PRIVILEGED for name in names):
        parts.append("quality is PRIVILEGED: it knows each topic's true quality, which no recommender can.")
    if any(name in ONLINE for name in names):
        parts.append(f"{', '.join(n for n in names if n in ONLINE)}: learn from these users while serving them.")
    if config.users_model is not None:
        parts.append("Policies serve by the choice scores of the users they were trained under, rules by the first's.")
    return " ".join(parts)
