"""`lmgt control table`: a grid of trainings over processes, and what each cell earned.

Cells are run directories under `runs/` of the output folder, so a killed grid goes on with the seeds that are missing,
and a finished one can be widened: more budgets, judges, tasks or algorithms.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from apps.control.config import ALGORITHMS, JudgeConfig, TableConfig, TrainConfig
from apps.control.domain import CACHE, Judging, ask_ahead, headline, load_template, make_context, prepare
from apps.control.hyperparameters import OFF_POLICY, impossible
from apps.control.train import check, resolved, summarise_run, train_seed
from apps.control.worlds import world
from lmgt_core.audit.label_calibration import split_calibration
from lmgt_core.errors import UserError
from lmgt_core.files import plain, read_json, write_atomic, write_json_atomic
from lmgt_core.judging.registry import NONE, make_judge
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table, write_rows
from lmgt_core.training.processes import Tick, in_processes
from lmgt_core.training.provenance import provenance
from lmgt_core.training.run_log import RunLog
from lmgt_core.training.statistics import bootstrap_ci, iqm, mean, probability_of_improvement

IMPOSSIBLE = "-"
GRID = "grid.json"
SHARED = tuple(f.name for f in fields(JudgeConfig))  # what all cells have in common


@dataclass(frozen=True)
class Cell:
    """A training of the grid, or the reason why there is none."""

    env: str
    algorithm: str
    judge: str
    steps: int
    reason: str = ""


def main(config: TableConfig) -> list[dict[str, Any]]:
    """Trains what is missing and returns the rows, which table.json and table.md hold as well."""
    cells = check_grid(config)
    runs = [cell for cell in cells if not cell.reason]
    start_folder(config)
    judgings = audit_all(config, runs)
    logs = {cell: open_cell(config, cell, judgings[cell.env, cell.judge]) for cell in runs}
    jobs = [(cell, seed) for cell in runs for seed in config.seeds if logs[cell].seed_result(seed) is None]
    jobs.sort(key=expected_work, reverse=True)  # long ones first, so that no core waits for one at the end
    with progress("trainings", len(runs) * len(config.seeds)) as bar:
        bar.advance(len(runs) * len(config.seeds) - len(jobs))
        work = partial(train_cell, config, {key: judging.audit for key, judging in judgings.items()})
        for (cell, seed), result in in_processes(work, jobs, config.workers, bar.advance):
            logs[cell].finish_seed(seed, result)
    for cell in runs:
        finish_cell(config, cell, logs[cell], judgings[cell.env, cell.judge])
    rows = [row(config, cell) for cell in cells]
    publish(config, rows)
    return rows


def check_grid(config: TableConfig) -> list[Cell]:
    """All cells; UserError for what is unknown or missing, before anything is trained."""
    for algorithm in config.algorithms:
        if algorithm not in ALGORITHMS:
            raise UserError(f"--algorithms {algorithm}: no such algorithm; choose of {', '.join(ALGORITHMS)}")
    judges = split_judges(config.judges)
    tasks = [world(name) for name in config.envs]
    cells = []
    for task, algorithm, judge, steps in product(tasks, config.algorithms, judges, config.steps):
        reason = impossible(task.name, task.discrete, algorithm)
        cell = Cell(task.name, algorithm, judge, steps, reason)
        cells.append(cell)
        if not reason:
            check(train_config(config, cell))
    if len(set(cells)) < len(cells):
        raise UserError("--envs, --algorithms, --judges, --steps: something is named twice")
    if config.workers < 1:
        raise UserError(f"--workers {config.workers}: give a number of at least 1")
    for task in tasks:
        load_template(task, config)
        for judge in judges:
            make_judge(split_calibration(judge)[0], make_context(task))
    return cells


def split_judges(names: str) -> list[str]:
    """The judges in a list divided by commas, or by semicolons where a judge's own name has a comma."""
    judges = [name.strip() for name in names.split(";" if ";" in names else ",") if name.strip()]
    if not judges:
        raise UserError("--judges: name at least one, like none,oracle")
    return judges


def train_config(config: TableConfig, cell: Cell) -> TrainConfig:
    """The cell as `lmgt control train` would be told."""
    shared = {name: getattr(config, name) for name in SHARED}
    if cell.algorithm not in OFF_POLICY:
        shared["learning_starts"] = None
    return TrainConfig(
        **shared,
        env=cell.env,
        algorithm=cell.algorithm,
        judge=cell.judge,
        steps=cell.steps,
        seeds=config.seeds,
        out=cell_folder(config, cell),
        resume=True,
        evaluate_every=cell.steps,  # at the end only
        cache=config.out / CACHE,
    )


def cell_folder(config: TableConfig, cell: Cell) -> Path:
    """Where the cell's run is: runs/<env>/<algorithm>/<judge>/<steps>."""
    name = re.sub(r"[^\w.-]+", "-", cell.judge)
    if name != cell.judge:
        name += f"-{hashlib.sha256(cell.judge.encode()).hexdigest()[:6]}"
    return config.out / "runs" / cell.env / cell.algorithm / name / str(cell.steps)


def start_folder(config: TableConfig) -> None:
    """Claims the output folder, or finds the same grid there; UserError when it holds anything else."""
    settings = plain({name: value for name, value in asdict(config).items() if name in (*SHARED, "seeds")})
    path = config.out / GRID
    if path.exists():
        before = read_json(path)
        for name, value in settings.items():
            if before.get(name) != value:
                flag = name.replace("_", "-")
                raise UserError(
                    f"{config.out}: holds a grid with --{flag} {before.get(name)}, not {value}; "
                    "give the old value or name another folder with --out"
                )
        return
    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise UserError(f"{config.out}: holds something but no grid (no {GRID}); name a new folder with --out")
    config.out.mkdir(parents=True, exist_ok=True)
    write_json_atomic(path, settings)


def audit_all(config: TableConfig, runs: Sequence[Cell]) -> dict[tuple[str, str], Judging]:
    """Every judge audited on every task where it will train something."""
    judgings: dict[tuple[str, str], Judging] = {}
    for cell in runs:
        key = (cell.env, cell.judge)
        if key in judgings:
            continue
        judgings[key] = prepare(world(cell.env), config, cell.judge, config.out / CACHE)
        if cell.judge != NONE:
            print(f"{cell.env}: {headline(cell.judge, judgings[key])}", flush=True)
            ask_ahead(judgings[key])
    return judgings


def open_cell(config: TableConfig, cell: Cell, judging: Judging) -> RunLog:
    """The cell's run directory, made if it is not there."""
    settings = resolved(train_config(config, cell), judging.template.name, judging.template.hash)
    return RunLog.create(cell_folder(config, cell), settings, resume=True)


def expected_work(job: tuple[Cell, int]) -> float:
    """How long a training takes, in units of its own: actor-critics that learn at every step take longest."""
    cell, _ = job
    return cell.steps * {"sac": 20.0, "td3": 3.0}.get(cell.algorithm, 1.0)


def train_cell(
    config: TableConfig, audits: Mapping[tuple[str, str], dict[str, Any]], job: tuple[Cell, int], tick: Tick
) -> dict[str, Any]:
    """Trains one seed of a cell; agents are not kept."""
    cell, seed = job
    result = train_seed(train_config(config, cell), audits[cell.env, cell.judge], seed, lambda steps: None, keep=False)
    tick(1)
    return result


def finish_cell(config: TableConfig, cell: Cell, log: RunLog, judging: Judging) -> None:
    """Writes the cell's summary."""
    results = [r for seed in config.seeds if (r := log.seed_result(seed)) is not None]
    log.write_summary(summarise_run(train_config(config, cell), judging, results))


def row(config: TableConfig, cell: Cell) -> dict[str, Any]:
    """A cell's line: the mean over seeds of the last evaluation's return, with a bootstrap interval of the mean."""
    place = {"env": cell.env, "algorithm": cell.algorithm, "judge": cell.judge, "steps": cell.steps}
    if cell.reason:
        return {**place, "return": None, "ci95": None, "iqm": None, "n": 0, "seconds": None, "note": cell.reason}
    results = [RunLog.open(cell_folder(config, cell)).seed_result(seed) for seed in config.seeds]
    done = [r for r in results if r is not None]
    returns = [r["metrics"]["return"] for r in done]
    return {
        **place,
        "return": mean(returns),
        "ci95": bootstrap_ci(returns, "mean"),
        "iqm": iqm(returns),
        "n": len(returns),
        "seconds": mean([r["seconds"] for r in done]),
        "note": "",
        "values": returns,
        "metrics": {name: mean([r["metrics"][name] for r in done]) for name in done[0]["metrics"]},
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
    """Prints the tables; writes table.json, table.md and report.html."""
    from lmgt_core.report.command import build_report

    compared = comparisons(rows)
    grid = wide(rows)
    print_table(grid, title=f"return after training, without shift: mean [95 %], {len(config.seeds)} seeds")
    if compared:
        print_table(compared, title="the smallest budget that reached the level of no judge at the largest")
    for path in filter(None, (config.out / "table.json", config.json)):
        write_rows(path, rows)
    write_atomic(config.out / "table.md", markdown(grid, compared))
    trained = [Cell(r["env"], r["algorithm"], r["judge"], r["steps"]) for r in rows if r["n"]]
    folders = [cell_folder(config, cell) for cell in trained]
    if folders:
        build_report(folders, config.out / "report.html")


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
