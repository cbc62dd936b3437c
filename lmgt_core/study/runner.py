"""Runs the cells of a study: here, in several processes, or on a Ray cluster."""

import importlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lmgt_core.study.app import Result, StudyApp
from lmgt_core.study.folder import StudyFolder
from lmgt_core.study.plan import Cell, Plan
from lmgt_core.terminal.progress import progress
from lmgt_core.training.cluster import start_ray
from lmgt_core.training.processes import in_processes

POLL = 0.2  # seconds between two looks at what other processes have finished


def load_app(target: str, folder: Path | None = None) -> StudyApp:
    """The app at `module:name`; by name, because processes of their own import it for themselves.

    An app that keeps judgments (has a method `in_folder`) keeps them in the study's `folder`.
    """
    module, _, name = target.partition(":")
    app: StudyApp = getattr(importlib.import_module(module), name)
    return app.in_folder(folder) if folder is not None and hasattr(app, "in_folder") else app


def run_study(folder: StudyFolder, plan: Plan, target: str, workers: int, ray: str | None = None) -> None:
    """Runs what is missing; returns when every cell has a result, those of other processes included.

    A training's own exception is raised here, UserError when a process was killed; whatever was finished stays. No
    process of its own goes on when this one is killed.
    """
    cells = list(plan.cells())
    missing = [cell for cell in cells if not folder.is_done(cell)]
    with progress("trainings", len(cells)) as bar:
        bar.advance(len(cells) - len(missing))
        if ray is not None:
            _run_on_ray(folder, missing, target, ray, bar.advance)
        elif workers == 1 or len(missing) < 2:
            work(folder, missing, load_app(target, folder.path), bar.advance)
        else:
            _run_in_processes(folder, missing, target, min(workers, len(missing)), bar.advance)
        wait(folder, cells)


def work(folder: StudyFolder, cells: Sequence[Cell], app: StudyApp, done: Callable[[int], None]) -> None:
    """Runs every one of these cells that nobody has finished or claimed; `done` is called after each it passes."""
    for cell in cells:
        run_claimed(folder, cell, app)
        done(1)


def run_claimed(folder: StudyFolder, cell: Cell, app: StudyApp) -> bool:
    """Runs the cell unless it is finished or another process is at it; whether it ran."""
    with folder.claim(cell) as mine:
        if mine:
            folder.finish(cell, app.run(cell.settings, cell.seed))
        return mine


def wait(folder: StudyFolder, cells: Sequence[Cell]) -> None:
    """Returns when every cell has a result; a cell whose process died before it was done is a RuntimeError."""
    while missing := [cell for cell in cells if not folder.is_done(cell)]:
        for cell in missing:
            with folder.claim(cell) as free:
                if free:
                    raise RuntimeError(f"{cell.key} was given up by another process; start the study again")
        time.sleep(POLL)


def _run_in_processes(
    folder: StudyFolder, missing: Sequence[Cell], target: str, workers: int, done: Callable[[int], None]
) -> None:
    """Every process passes all cells and runs those that it claims first."""
    counted = 0

    def count(more: int) -> None:
        nonlocal counted
        counted += more
        done(more)

    each = partial(_work_here, folder.path, missing, target)
    for _ in in_processes(each, range(workers), workers, count):
        pass
    done(len(missing) - counted)  # those that another command on this folder has


def _work_here(path: Path, cells: Sequence[Cell], target: str, number: int, tick: Callable[[int], None]) -> None:
    """The work of process `number`; ticks once for a cell that it ran itself."""
    folder, app = StudyFolder(path), load_app(target, path)
    for cell in cells:
        if run_claimed(folder, cell, app):
            tick(1)


def _run_on_ray(
    folder: StudyFolder, missing: Sequence[Cell], target: str, address: str, done: Callable[[int], None]
) -> None:
    """Cells on a cluster: the nodes calculate, this process claims and writes, so that nodes need no shared disk."""
    ray = start_ray(address)
    remote: Any = ray.remote(num_cpus=1)(run_cell)
    at_once = max(1, int(ray.cluster_resources().get("CPU", 1)))
    running: dict[Any, tuple[Cell, Any]] = {}
    todo = list(reversed(missing))
    try:
        while todo or running:
            while todo and len(running) < at_once:
                cell = todo.pop()
                claim = folder.claim(cell)
                if claim.__enter__():
                    running[remote.remote(target, dict(cell.settings), cell.seed)] = (cell, claim)
                else:
                    claim.__exit__(None, None, None)
                    done(1)
            for ready in ray.wait(list(running), timeout=1.0)[0] if running else []:
                cell, claim = running.pop(ready)
                folder.finish(cell, ray.get(ready))
                claim.__exit__(None, None, None)
                done(1)
    finally:
        ray.shutdown()


def run_cell(target: str, settings: dict[str, Any], seed: int) -> Result:
    """One cell's metrics, in whatever process this is."""
    return load_app(target).run(settings, seed)
