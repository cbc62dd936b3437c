"""`lmgt study NAME --app APP --out DIR`: runs what is missing of a study and writes its report."""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from lmgt_core.errors import check_least
from lmgt_core.files import write_json_atomic
from lmgt_core.study.folder import StudyFolder
from lmgt_core.study.report import write_report
from lmgt_core.study.runner import load_app, run_study
from lmgt_core.study.study_file import load_plan
from lmgt_core.terminal.progress import duration
from lmgt_core.terminal.tables import print_table


@dataclass(frozen=True)
class StudyConfig:
    """Run a study: a grid of trainings, and a report with intervals; started again, it goes on where it was."""

    name: Positional[str]
    """A study of the app (robustness, weight, granularity, complexity, ...), or a study file of your own (.yaml)."""
    app: str = "tabular"
    """tabular (exact little worlds, seconds), control (CartPole with a deep learner, and judges; minutes), housekeep
    (tidying a generated home; minutes), slateq (recommendation; minutes), atari (tables and games; minutes)."""
    out: Path = Path("runs/study")
    """The study's folder; several processes may work on one folder at the same time."""
    workers: int = os.cpu_count() or 1
    """Processes on this machine."""
    ray: str | None = None
    """Use a Ray cluster instead: its address, auto, or local for one on this machine."""
    seeds: int | None = None
    """Seeds of every setting (default: the study's own number)."""
    json: Path | None = None
    """Write the table's rows there as well."""


def main(config: StudyConfig, target: str) -> dict[str, Any]:
    """Runs the study with the app at `target` (module:name) and returns what its report shows."""
    check_least(1, {"workers": config.workers, "seeds": config.seeds})
    app = load_app(target)
    plan = load_plan(config.name, app)
    plan = plan if config.seeds is None else replace(plan, seeds=config.seeds)
    folder = StudyFolder.create(config.out, plan)
    begun = time.perf_counter()
    run_study(folder, plan, target, config.workers, config.ray)
    shown = write_report(folder, plan, app)
    print(plan.question)
    for title in ("break_evens", "best"):
        if shown[title]:
            print_table(shown[title], title=title.replace("_", "-"))
    print_table(shown["rows"], title=f"study {plan.name}: mean [95 %] over {plan.seeds} seeds")
    print(f"{config.out / 'report.html'} written; {shown['cells']} trainings, {duration(time.perf_counter() - begun)}")
    if config.json is not None:
        write_json_atomic(
            config.json, {"rows": shown["rows"], "break_even": shown["break_evens"], "best": shown["best"]}
        )
    return shown
