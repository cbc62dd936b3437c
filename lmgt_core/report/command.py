"""`lmgt report`: one self-contained page that compares runs, and the same numbers as JSON beside it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from lmgt_core.errors import UserError
from lmgt_core.files import plain, to_json, write_atomic
from lmgt_core.report import tables
from lmgt_core.report.curves import ReportFigure, evaluation_figures, final_figure, training_figures
from lmgt_core.report.pages import render_page
from lmgt_core.report.run import ReportRun, load_runs
from lmgt_core.report.sentences import sentences
from lmgt_core.training.provenance import provenance

FIRST = 4  # metrics in the first table and the comparison; all are in the second
CURVES = 6  # metrics that get a learning curve


@dataclass(frozen=True)
class ReportConfig:
    """Write one page that compares runs: table, learning curves, audit, overhead, settings, commands."""

    runs: Positional[tuple[Path, ...]]
    """Run directories, with the one of --judge none among them."""
    out: Path = Path("report.html")
    """The page; the same numbers are written beside it as .json."""
    metrics: tuple[str, ...] = ()
    """Metrics to show first (default: in the order of evaluations.csv)."""
    threshold: str | None = None
    """METRIC=VALUE: also list how many decisions each seed needed to reach it, like object_success=0.5."""
    figures: Path | None = None
    """A folder that the figures are written to as well, each as an SVG file."""


def main(config: ReportConfig) -> dict[str, Any]:
    """Writes the report, says where it is, and returns its numbers."""
    report = build_report(
        config.runs, config.out, metrics=config.metrics, threshold=config.threshold, folder=config.figures
    )
    for group in report["groups"]:
        print("\n".join(group["sentences"]))
    for note in report["notes"]:
        print(f"note: {note}")
    print(f"{config.out} compares {len(report['runs'])} runs; the same numbers are in {json_path(config.out)}")
    return report


def build_report(
    runs: Sequence[Path | str],
    out: Path | str,
    command: str | None = None,
    metrics: Sequence[str] = (),
    threshold: str | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Writes `out` (.html) and the .json beside it, and returns what the .json holds.

    `command` is shown as what made the report (default: this process's command line). Unfinished runs are shown with
    what they have; UserError for a folder that is not a run, a damaged file or an unknown metric.
    """
    out = Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {out}: a report is a page; give it a name that ends in .html")
    loaded = load_runs([Path(run) for run in runs])
    limit = parse_threshold(threshold)
    check_metrics(loaded, [*metrics, *([limit[0]] if limit else [])])
    made = provenance()
    report: dict[str, Any] = {
        "command": made["command"] if command is None else command,
        "made_by": {name: made[name] for name in ("git_revision", "versions", "platform")},
        "notes": [],
        "runs": [run_entry(run) for run in loaded],
        "groups": [],
    }
    pages = []
    for name, members in grouped(loaded):
        shown = shown_metrics(members, metrics)
        group = {"name": name, "notes": tables.notes(members), **group_tables(members, shown, limit)}
        group["sentences"] = sentences(members, shown[0]) if shown else []
        report["groups"].append(group)
        report["notes"] += group["notes"]
        drawn = figures(members, shown)
        pages.append({**group, "figures": drawn, "run_names": [run.name for run in members]})
        if folder is not None:
            for figure in drawn:
                write_atomic(folder / f"{file_name(name, figure)}.svg", figure.image)
    report = plain(report)
    page, numbers = render({**report, "groups": pages}), to_json(report)
    write_atomic(json_path(out), numbers)
    write_atomic(out, page)
    return report


def file_name(group: str, figure: ReportFigure) -> str:
    """A figure's file name, from its group and what it shows."""
    return "-".join(re.findall(r"[a-z0-9.]+", f"{group} {figure.alt}".lower()))


def json_path(out: Path) -> Path:
    """Where the numbers go that belong to the page `out`."""
    return out.with_suffix(".json")


def parse_threshold(text: str | None) -> tuple[str, float] | None:
    """(metric, value) of METRIC=VALUE; UserError when it is something else."""
    if text is None:
        return None
    metric, equals, value = text.partition("=")
    try:
        if not equals or not metric:
            raise ValueError
        return metric, float(value)
    except ValueError:
        raise UserError(f"--threshold {text}: give METRIC=VALUE, like object_success=0.5") from None


def check_metrics(runs: Sequence[ReportRun], metrics: Sequence[str]) -> None:
    """UserError naming the first metric that no run has, and those there are."""
    there = sorted({name for run in runs for name in (*run.metrics, *run.evaluated)})
    for metric in metrics:
        if metric not in there:
            raise UserError(f"no run has the metric {metric}; there are: {', '.join(there) or 'none yet'}")


def grouped(runs: Sequence[ReportRun]) -> list[tuple[str, list[ReportRun]]]:
    """Runs by app and environment, those without a judge first; one that never said its environment goes with its app.

    An unfinished run may not say it: environments stand in the summary.
    """
    names = {run.group for run in runs if run.field("env")}
    groups: dict[str, list[ReportRun]] = {}
    for run in runs:
        fitting = [name for name in names if name.startswith(f"{run.group}: ")]
        name = fitting[0] if not run.field("env") and len(fitting) == 1 else run.group
        groups.setdefault(name, []).append(run)
    return [(name, sorted(members, key=lambda run: not run.is_baseline)) for name, members in groups.items()]


def shown_metrics(runs: Sequence[ReportRun], first: Sequence[str]) -> list[str]:
    """Every metric of the group, `first` first."""
    there = list(dict.fromkeys(name for run in runs for name in run.metrics))
    return [name for name in dict.fromkeys(first) if name in there] + [name for name in there if name not in first]


def group_tables(runs: Sequence[ReportRun], metrics: Sequence[str], limit: tuple[str, float] | None) -> dict[str, Any]:
    """The tables of one group, by name."""
    common, different = tables.settings_rows(runs)
    return {
        "table": tables.run_rows(runs, metrics[:FIRST]),
        "first_metrics": list(metrics[:FIRST]),
        "comparison": tables.comparison_rows(runs, metrics[:FIRST]),
        "all_metrics": tables.metric_rows(runs),
        "threshold": tables.threshold_rows(runs, *limit) if limit else [],
        "audit": tables.audit_rows(runs),
        "overhead": tables.overhead_rows(runs),
        "settings_in_common": common,
        "settings_that_differ": different,
        "provenance": tables.provenance_rows(runs),
    }


def figures(runs: Sequence[ReportRun], metrics: Sequence[str]) -> list[ReportFigure]:
    """The group's figures: last values, learning curves, training return."""
    last = final_figure(runs, metrics[0]) if metrics else []
    return [*last, *evaluation_figures(runs, metrics[:CURVES]), *training_figures(runs)]


def run_entry(run: ReportRun) -> dict[str, Any]:
    """What report.json says about one run."""
    return {
        "name": run.name,
        "group": run.group,
        "judge": run.judge,
        "judge_kind": run.judge_kind,
        "finished": run.finished,
        "status": run.status,
        "seeds": run.seeds,
        "metrics": run.metrics,
        "last_values": run.last_values,
        "judge_stats": run.judge_stats,
        "audit": run.audit,
    }


def render(report: Mapping[str, Any]) -> str:
    """The page; every text from a run is escaped."""
    return render_page("report.html", report)
