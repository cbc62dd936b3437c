"""`lmgt slateq evaluate`: policies on the same simulated users, with paired differences; no shift anywhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.slateq.baselines import Policy, make_baseline
from apps.slateq.config import RENAMED, WorldConfig, check_world
from apps.slateq.evaluation_page import write_page
from apps.slateq.evaluation_rows import rows_of, wide
from apps.slateq.policies import FIXED, ONLINE, PRIVILEGED, is_learned, learned_names
from apps.slateq.session_metrics import Sessions, play
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Simulator
from apps.slateq.train_config import EvaluateConfig, TrainConfig
from lmgt_core.errors import UserError
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table, write_rows
from lmgt_core.training.run_log import RunLog, read_config

TRAINED = "trained"  # folder for the runs of policies that are given by name
SAME = ("env", "candidates", "slate")  # what a run and its evaluation must have in common


@dataclass(frozen=True)
class Entry:
    """One row of the table: its name, what it is, and a maker of its policy for each seed."""

    name: str
    kind: str
    makers: Sequence[Callable[[Simulator], Policy]]


def main(config: EvaluateConfig) -> list[dict[str, Any]]:
    """Evaluates and returns the rows {policy, metric, mean, ci95, n, kind, minus_first, minus_first_ci95}."""
    names = check(config)
    train_missing(config, names)
    entries = [entry(name, config) for name in names]
    results: dict[str, list[list[Sessions]]] = {}  # policy -> seed -> batch
    with progress("sessions", config.users * sum(len(e.makers) for e in entries)) as bar:
        for one in entries:
            results[one.name] = [serve_all(config, make, bar.advance) for make in one.makers]
    kinds = {one.name: one.kind for one in entries}
    rows = rows_of({name: [values(batches) for batches in seeds] for name, seeds in results.items()}, kinds)
    title = f"{config.env}, {config.candidates} candidates, slates of {config.slate}, {config.users} users"
    print_table(wide(rows), title=f"{title}: mean +- half of the 95 % interval; no shift", note=note(config, names))
    if config.json is not None:
        write_rows(config.json, rows)
    if config.out is not None:
        write_rows(config.out / "rows.json", rows)
        write_page(config.out / "report.html", title, rows, results, note(config, names))
        print(f"{config.out / 'report.html'} holds the table, interest drift and quality over a session")
    return rows


def check(config: EvaluateConfig) -> list[str]:
    """The policies' names; UserError naming the flag for what cannot be evaluated, before anything is run."""
    check_world(world_of(config))
    for flag, value in (("users", config.users), ("batch", config.batch), ("train-steps", config.train_steps)):
        if value < 1:
            raise UserError(f"--{flag} {value}: give a number of at least 1")
    if config.seed < 0:
        raise UserError(f"--seed {config.seed}: give a number of at least 0")
    names = list(dict.fromkeys(name.strip() for name in config.policies.split(",") if name.strip()))
    if not names:
        raise UserError("--policies: name at least one policy, like Random,MYOP-GS")
    for name in names:
        if name not in (*FIXED, *ONLINE) and not is_learned(name):
            check_run(name, config)
    learned = [name for name in names if is_learned(name)]
    if learned and config.out is None:
        raise UserError(f"--policies {learned[0]}: has to be trained first; name a folder for that with --out")
    return names


def check_run(name: str, config: EvaluateConfig) -> dict[str, Any]:
    """The settings of the run in folder `name`; UserError when it is none, or one of another world."""
    path = Path(name)
    if not (path / "config.json").is_file():
        known = ", ".join((*FIXED, *ONLINE, *learned_names()))
        raise UserError(f"--policies {name}: neither a run directory nor a policy; the policies are {known}")
    content = read_config(path)
    if content.get("app") != "slateq":
        raise UserError(f"{path}: a run of the app {content.get('app')}; evaluate takes runs of lmgt slateq train")
    settings: dict[str, Any] = {RENAMED.get(name, name): value for name, value in content["settings"].items()}
    for field in SAME:
        if settings[field] != getattr(config, field):
            raise UserError(
                f"{path}: was trained with --{field} {settings[field]}, not {getattr(config, field)}; "
                f"give --{field} {settings[field]} or another run"
            )
    return settings


def world_of(config: WorldConfig) -> WorldConfig:
    """The world's part of a command's config."""
    return WorldConfig(**{name: getattr(config, name) for name in WorldConfig.__dataclass_fields__})


def train_missing(config: EvaluateConfig, names: Sequence[str]) -> None:
    """Trains the learned policies that were given by name, without a judge, in OUT/trained; finished ones are kept."""
    for name in names:
        if not is_learned(name):
            continue
        assert config.out is not None  # check saw to it
        out = config.out / TRAINED / name
        if (out / "summary.json").exists():
            check_run(str(out), config)
            print(f"{name}: {out} is there already")
            continue
        from apps.slateq.train import main as train

        print(f"{name}: training {config.train_steps:,} steps for seeds {config.train_seeds}, in {out}")
        world = asdict_shallow(world_of(config)) | {"simulator": "vectorised"}
        resume = (out / "config.json").exists()
        budget = {"steps": config.train_steps, "seeds": config.train_seeds}
        train(TrainConfig(**world, **budget, algorithm=name, out=out, resume=resume))


def asdict_shallow(config: WorldConfig) -> dict[str, Any]:
    """The fields by name, nested configs as they are."""
    return {name: getattr(config, name) for name in WorldConfig.__dataclass_fields__}


def entry(name: str, config: EvaluateConfig) -> Entry:
    """What stands behind a name in --policies."""
    if name in (*FIXED, *ONLINE):
        kind = "PRIVILEGED rule" if name in PRIVILEGED else "learns here" if name in ONLINE else "fixed rule"
        return Entry(name, kind, [lambda simulator: make_baseline(name, simulator, np.random.default_rng(config.seed))])
    from apps.slateq.tensorflow_setup import one_deterministic_thread

    one_deterministic_thread()
    from apps.slateq.learned import Served
    from apps.slateq.trainer import policy_folder

    run = Path(name) if not is_learned(name) else (config.out or Path()) / TRAINED / name
    settings = check_run(str(run), config)
    with RunLog.open(run) as log:
        seeds = sorted({*settings["seeds"], *log.results()})  # a run may have been given more of them
    folders = [policy_folder(run, seed) for seed in seeds]
    policies = [Served.load(folder) for folder in folders]
    judge = settings["judge"]
    kind = f"{settings['algorithm']}, {'no judge' if judge == 'none' else 'judge ' + judge}, {len(folders)} seeds"
    return Entry(name, kind, [lambda simulator, policy=policy: policy for policy in policies])


def serve_all(
    config: EvaluateConfig, make: Callable[[Simulator], Policy], tick: Callable[[int], None]
) -> list[Sessions]:
    """The sessions of all users, batch by batch; the users depend on --seed alone."""
    world = world_of(config)
    size = 1 if config.simulator == "recsim" else min(config.batch, config.users)
    simulator = make_simulator(world, size)
    policy = make(simulator)
    batches = []
    for number, begin in enumerate(range(0, config.users, size)):
        if config.users - begin < size:
            simulator = make_simulator(world, config.users - begin)
        batches.append(play(simulator, policy, config.seed + number))
        tick(simulator.users)
    return batches


def values(batches: Sequence[Sessions]) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """{metric: [user]} over all batches."""
    return {name: np.concatenate([b.values[name] for b in batches]) for name in batches[0].values}


def note(config: EvaluateConfig, names: Sequence[str]) -> str:
    """What a reader of the table has to know."""
    parts = [f"minus {names[0]}: paired over the same users, with the same luck, of seed {config.seed}."]
    if any(name in PRIVILEGED for name in names):
        parts.append("quality is PRIVILEGED: it knows each topic's true quality, which no recommender can.")
    if any(name in ONLINE for name in names):
        parts.append(f"{', '.join(n for n in names if n in ONLINE)}: learn from these users while serving them.")
    return " ".join(parts)
