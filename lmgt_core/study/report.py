"""A finished study as a page, tables and figures; the same results give the same bytes."""

import base64
import math
from collections.abc import Sequence
from typing import Any

from lmgt_core.files import write_atomic
from lmgt_core.report.pages import render_page
from lmgt_core.study.analysis import Group, analyse, beside, best_regions, break_evens, by_facet
from lmgt_core.study.app import MEASURED, Scalar, StudyApp
from lmgt_core.study.drawing import heat_figure, line_figure
from lmgt_core.study.folder import StudyFolder
from lmgt_core.study.plan import Cell, Plan
from lmgt_core.terminal.tables import cell
from lmgt_core.training.keyed_csv import cell_text, csv_line


def write_report(folder: StudyFolder, plan: Plan, app: StudyApp) -> dict[str, Any]:
    """Writes report.html, summary.csv, cells.csv and figures/, and returns what the page shows."""
    groups = analyse(plan, folder)
    figures = draw(plan, groups, app)
    for name, image in figures.items():
        write_atomic(folder.path / "figures" / f"{name}.svg", image)
    shown = {
        "plan": plan,
        "metrics": {name: app.metrics[name] for name in plan.show.metrics},
        "rows": [row(plan, group) for group in groups],
        "break_evens": break_even_rows(plan, groups),
        "best": best_rows(plan, groups),
        "figures": {name: base64.b64encode(image).decode() for name, image in figures.items()},
        "cells": len(list(plan.cells())),
    }
    write_atomic(folder.path / "summary.csv", summary_csv(groups))
    write_atomic(folder.path / "cells.csv", cells_csv(folder, plan))
    write_atomic(folder.path / "report.html", render(shown))
    return shown


def draw(plan: Plan, groups: Sequence[Group], app: StudyApp) -> dict[str, bytes]:
    """The figures by name: one a facet and metric."""
    x_label, by_label = (app.fields[name].about for name in (plan.show.x, plan.show.by))
    found = {}
    for facet, lines in by_facet(plan, groups).items():
        title = f"{plan.show.facet} {facet}" if plan.show.facet else plan.name
        for metric in plan.show.metrics:
            name = "_".join(str(part) for part in (plan.show.kind, facet, metric) if part is not None)
            if plan.show.kind == "heat":
                found[name] = heat_figure(lines, plan.show.x, metric, (x_label, by_label, app.metrics[metric]))
            else:
                labels = (x_label, app.metrics[metric], f"{title}; lines: {by_label}")
                found[name] = line_figure(lines, beside(plan, groups, facet), plan.show.x, metric, labels)
    return found


def row(plan: Plan, group: Group) -> dict[str, Any]:
    """A group's line in the page's table."""
    line: dict[str, Any] = {name: value for name, value in group.own.items()}
    for name in plan.show.metrics:
        summary = group.metrics[name]
        line[name] = with_interval(summary.mean, summary.ci95)
        if summary.missing:
            line[name] += f" ({summary.missing} without)"
    line["P(beats baseline)"] = "baseline" if group.is_baseline else cell(group.improvement)
    return line


def with_interval(value: float | None, interval: tuple[float, float] | None) -> str:
    """A mean and its interval as text."""
    if value is None:
        return cell(None)
    return f"{cell(value)} {cell(list(interval)) if interval else '[one seed]'}"


def break_even_rows(plan: Plan, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Where each line reaches the baseline, for studies that ask."""
    if not plan.show.break_even:
        return []
    return [
        {
            **({plan.show.facet: b.facet} if plan.show.facet else {}),
            plan.show.by: b.by,
            f"break-even {plan.show.x}": _place(b.at),
            "95 %": f"[{_place(b.low)}, {_place(b.high)}]",
        }
        for b in break_evens(plan, groups)
    ]


def _place(value: float) -> str:
    if math.isinf(value):
        return "beyond the grid" if value > 0 else "at or below its start"
    return cell(value)


def best_rows(plan: Plan, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The best point of each heat map."""
    if plan.show.kind != "heat":
        return []
    return [
        {
            **({plan.show.facet: b.facet} if plan.show.facet else {}),
            **b.at,
            plan.show.metrics[0]: with_interval(b.value, b.ci95),
            "points as good": f"{b.share:.0%}",
        }
        for b in best_regions(plan, groups)
    ]


def summary_csv(groups: Sequence[Group]) -> str:
    """A line a group: its settings, and mean, IQM, interval and number of every metric that is not a measured time."""
    names = [name for name in groups[0].metrics if not name.endswith(MEASURED)]
    parts = ("mean", "iqm", "low", "high", "n")
    lines = [[*groups[0].own, *(f"{name}_{part}" for name in names for part in parts)]]
    for group in groups:
        cells: list[Scalar] = list(group.own.values())
        for name in names:
            s = group.metrics[name]
            cells += [s.mean, s.iqm, *(s.ci95 or (None, None)), len(s.values)]
        lines.append([cell_text("value", value) for value in cells])
    return "".join(map(csv_line, lines))


def cells_csv(folder: StudyFolder, plan: Plan) -> str:
    """A line a training: settings, seed and every metric, measured times included."""
    lines: list[list[str]] = []
    for one in plan.cells():
        metrics = folder.result(Cell(one.settings, one.seed)) or {}
        if not lines:
            lines.append([*one.settings, "seed", *metrics])
        lines.append([cell_text("value", value) for value in (*one.settings.values(), one.seed, *metrics.values())])
    return "".join(map(csv_line, lines))


def render(shown: dict[str, Any]) -> str:
    """The page; every text of a study file is escaped."""
    return render_page("study.html", shown, explained=shown["metrics"])
