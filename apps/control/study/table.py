"""`lmgt control table`: a grid of trainings as a study, and what each cell earned.

A killed grid goes on with the trainings that are missing, and a finished one can be widened: more budgets, judges,
tasks, algorithms or seeds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from apps.control.config import ALGORITHMS, TableConfig, TrainConfig
from apps.control.hyperparameters import impossible
from apps.control.study.trainings import APP, config_fields
from apps.control.train import TRAINING
from apps.control.worlds import world
from lmgt_core.audit.commands import split_names
from lmgt_core.errors import UserError, check_least
from lmgt_core.files import write_atomic
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.judging.registry import NONE
from lmgt_core.study.app import Scalar, Settings
from lmgt_core.study.folder import StudyFolder
from lmgt_core.study.plan import Cell, Plan, Show
from lmgt_core.study.runner import run_study
from lmgt_core.terminal.tables import print_table, write_rows
from lmgt_core.training.config import check_training
from lmgt_core.training.driver import CACHE
from lmgt_core.training.provenance import provenance
from lmgt_core.training.statistics import bootstrap_ci, iqm, mean, probability_of_improvement

TARGET = "apps.control.study.trainings:APP"
IMPOSSIBLE = "-"
VARIED = ("env", "algorithm", "judge", "steps")
SLOW = {"sac": 20.0, "td3": 3.0}  # how much longer a step takes than one of the other learners


@dataclass(frozen=True)
class Grid(Plan):
    """A plan of the combinations that can be trained, under the seeds that were asked for, long trainings first."""

    runs: Sequence[Settings] = field(default=(), kw_only=True)
    numbers: Sequence[int] = field(default=(), kw_only=True)

    def groups(self) -> list[Settings]:
        """The combinations."""
        return list(self.runs)

    def cells(self) -> Iterator[Cell]:
        """Every training; long ones first, so that no process waits for one at the end."""
        cells = [Cell(settings, seed) for seed in self.numbers for settings in self.runs]
        return iter(sorted(cells, key=lambda cell: expected_work(cell.settings), reverse=True))


def main(config: TableConfig) -> list[dict[str, Any]]:
    """Trains what is missing and returns the rows, which table.json and table.md hold as well."""
    grid = combinations(config)
    runs = [settings for settings, reason in grid if not reason]
    guidances = check_runs(config, runs)
    plan = Grid(
        "table", APP.name, "What does each earn?", {}, shared(config), (), 0, Show("steps", "judge", ("return",))
    )
    folder = StudyFolder.create(config.out, plan)  # what cells have in common; a wider grid is the same study
    for (env, _), guidance in guidances.items():
        if guidance.judge is not None:
            audited = guidance.audited()
            print(f"{env}: {audited.headline}", flush=True)
            audited.ask_ahead()
    run_study(folder, replace(plan, runs=runs, numbers=config.seeds), TARGET, config.workers)
    rows = [row(folder, settings, config.seeds, reason) for settings, reason in grid]
    publish(config, rows)
    return rows


def combinations(config: TableConfig) -> list[tuple[Settings, str]]:
    """Every combination's settings, and why it cannot be trained ("" where it can); UserError for unknown names."""
    for algorithm in config.algorithms:
        if algorithm not in ALGORITHMS:
            raise UserError(f"--algorithms {algorithm}: no such algorithm; choose of {', '.join(ALGORITHMS)}")
    judges, tasks = split_names(config.judges, "judges"), [world(name) for name in config.envs]
    for values in (config.envs, config.algorithms, config.steps):
        if len(set(values)) < len(values):
            raise UserError("--envs, --algorithms, --steps: something is named twice")
    check_least(1, {"workers": config.workers})
    return [
        (
            {**shared(config), "env": task.name, "algorithm": algorithm, "judge": judge, "steps": steps},
            impossible(task.name, task.discrete, algorithm),
        )
        for task, algorithm, judge, steps in product(tasks, config.algorithms, judges, config.steps)
    ]


def shared(config: TableConfig) -> dict[str, Scalar]:
    """The settings that all cells have in common."""
    found: dict[str, Any] = {name: getattr(config, name) for name in APP.about if name not in VARIED}
    return {name: str(value) if name in ("prompts", "documents") and value else value for name, value in found.items()}


def check_runs(config: TableConfig, runs: Sequence[Settings]) -> dict[tuple[Scalar, Scalar], Guidance]:
    """Every task's judges, not audited; UserError for what cannot be trained, before anything is written."""
    guidances: dict[tuple[Scalar, Scalar], Guidance] = {}
    for settings in runs:
        training = replace(TrainConfig(), **config_fields(dict(settings)), seeds=config.seeds, cache=config.out / CACHE)
        check_training(training, TRAINING.least_steps)
        TRAINING.check(training)
        key = (settings["env"], settings["judge"])
        if key not in guidances:
            guidances[key] = TRAINING.guidance(training)
    return guidances


def expected_work(settings: Settings) -> float:
    """How long a training takes, in units of its own."""
    s: Any = settings
    return float(s["steps"] * SLOW.get(s["algorithm"], 1.0))


def row(folder: StudyFolder, settings: Settings, seeds: Sequence[int], reason: str) -> dict[str, Any]:
    """A cell's line: the mean over seeds of the last evaluation's return, with a bootstrap interval of the mean."""
    place = {name: settings[name] for name in VARIED}
    if reason:
        return {**place, "return": None, "ci95": None, "iqm": None, "n": 0, "seconds": None, "note": reason}
    results = [result for seed in seeds if (result := folder.result(Cell(settings, seed))) is not None]
    returns = [result["return"] for result in results]
    return {
        **place,
        "return": mean(returns),
        "ci95": bootstrap_ci(returns, "mean"),
        "iqm": iqm(returns),
        "n": len(returns),
        "seconds": mean([result["train_seconds"] for result in results]),
        "note": "",
        "values": returns,
        "metrics": {name: mean([result[name] for result in results]) for name in APP.metrics},
    }


def comparisons(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each task, algorithm and judge beside `none`: the budget that reached the level of `none` at its largest.

    `improvement` is the probability that a seed with the judge beats one without at that judge's largest budget.
    """
    found = {(r["env"], r["algorithm"], r["judge"], r["steps"]): r for r in rows if r["n"]}
    largest = max((key[3] for key in found), default=0)
    lines = []
    for env, algorithm, judge in dict.fromkeys(key[:3] for key in found):
        plain = found.get((env, algorithm, NONE, largest))
        if judge == NONE or plain is None:
            continue
        mine = sorted((r["steps"], r) for key, r in found.items() if key[:3] == (env, algorithm, judge))
        reached = next((steps for steps, r in mine if r["return"] >= plain["return"]), None)
        beaten = probability_of_improvement(mine[-1][1]["values"], plain["values"])
        lines.append(
            {
                "env": env,
                "algorithm": algorithm,
                "judge": judge,
                f"return without a judge at {largest:,}": plain["return"],
                "reached with": reached,
                "improvement": beaten.probability,
            }
        )
    return lines


def publish(config: TableConfig, rows: Sequence[dict[str, Any]]) -> None:
    """Prints the tables; writes table.json and table.md."""
    compared, grid = comparisons(rows), wide(rows)
    print_table(grid, title=f"return after training, without shift: mean [95 %], {len(config.seeds)} seeds")
    if compared:
        print_table(compared, title="the smallest budget that reached the level of no judge at the largest")
    for path in filter(None, (config.out / "table.json", config.json)):
        write_rows(path, rows)
    write_atomic(config.out / "table.md", markdown(grid, compared))


def wide(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line a task, algorithm and judge, one column a budget; `-` and the reason where a pair is impossible."""
    lines: dict[tuple[str, ...], dict[str, Any]] = {}
    for r in rows:
        key = (r["env"], r["algorithm"], r["judge"])
        line = lines.setdefault(key, {"env": key[0], "algorithm": key[1], "judge": key[2]})
        line[f"{r['steps']:,} steps"] = IMPOSSIBLE if r["n"] == 0 else _with_interval(r)
    for r in rows:
        if r["note"]:
            lines[r["env"], r["algorithm"], r["judge"]]["note"] = r["note"]
    return list(lines.values())


def _with_interval(r: Mapping[str, Any]) -> str:
    digits = 3 if abs(r["return"]) < 2 else 1
    low, high = r["ci95"] or (r["return"], r["return"])
    interval = f" [{low:.{digits}f}, {high:.{digits}f}]" if r["ci95"] else " [one seed]"
    return f"{r['return']:.{digits}f}{interval}"


def markdown(*tables: Sequence[Mapping[str, Any]]) -> str:
    """The tables for a README, with the command that made them."""
    parts = []
    for rows in filter(None, tables):
        names = list(dict.fromkeys(name for r in rows for name in r))
        lines = [names, ["---"] * len(names), *([_text(r.get(name)) for name in names] for r in rows)]
        parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join([*parts, f"`{provenance()['command']}`"]) + "\n"


def _text(value: Any) -> str:
    if value is None:
        return IMPOSSIBLE
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 2 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
