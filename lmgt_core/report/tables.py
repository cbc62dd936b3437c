"""The rows of a report's tables, as plain values: the page shows them, report.json holds them."""

from collections.abc import Mapping, Sequence
from typing import Any

from lmgt_core.guidance.return_alarm import alarm_line
from lmgt_core.guidance.watch import turn_line
from lmgt_core.report.run import ReportRun
from lmgt_core.training.statistics import probability_of_improvement, steps_to_threshold

Row = dict[str, Any]


def run_rows(runs: Sequence[ReportRun], metrics: Sequence[str]) -> list[Row]:
    """One row a run: what it was, and each metric as {iqm, mean, ci95, n, highest, against_none}."""
    marks = {metric: _marks(runs, metric) for metric in metrics}
    rows = []
    for position, run in enumerate(runs):
        row: Row = {
            "run": run.name,
            "judge": run.judge,
            "kind": run.judge_kind,
            "rule": "–" if run.is_baseline else run.field("rule"),
            "reward": run.field("reward"),
            "algorithm": run.field("algorithm"),
            "actions": run.field("action_space") or run.field("control"),  # its name before 0.2
            "seeds": len(run.seeds),
            "steps": run.field("steps"),
            "status": run.status,
        }
        for metric in metrics:
            entry = run.metrics.get(metric)
            row[metric] = None if entry is None else {**entry, **marks[metric][position]}
        rows.append(row)
    return rows


def baseline_of(run: ReportRun, runs: Sequence[ReportRun]) -> ReportRun | None:
    """The run without a judge whose other settings are nearest to those of `run`; None when there is none."""
    baselines = [other for other in runs if other.is_baseline]
    return min(baselines, key=lambda other: _differing(run, other)) if baselines else None


def _differing(run: ReportRun, other: ReportRun) -> int:
    names = run.settings.keys() | other.settings.keys()
    return sum(run.settings.get(name) != other.settings.get(name) for name in names)


def _marks(runs: Sequence[ReportRun], metric: str) -> list[Row]:
    """For each run: whether its interval lies above all others, and where it lies beside that of the run without judge.

    Only intervals that do not touch count, so that nobody reads a ranking out of noise.
    """
    marks = []
    for run in runs:
        own = interval_of(run, metric)
        others = [interval_of(o, metric) for o in runs if o is not run and o.finished and metric in o.metrics]
        highest = own is not None and bool(others) and all(i is not None and own[0] > i[1] for i in others)
        baseline = None if run.is_baseline else baseline_of(run, runs)
        marks.append({"highest": highest, "against_none": None if baseline is None else against(run, baseline, metric)})
    return marks


def against(run: ReportRun, baseline: ReportRun, metric: str) -> str | None:
    """ "above", "below" or "overlaps": how the interval of `run` lies beside the other's; None where one has none."""
    own, other = interval_of(run, metric), interval_of(baseline, metric)
    if own is None or other is None:
        return None
    return "above" if own[0] > other[1] else "below" if own[1] < other[0] else "overlaps"


def interval_of(run: ReportRun, metric: str) -> tuple[float, float] | None:
    """The 95 % interval of a metric's last value; None for an unfinished run and where there is none."""
    interval = run.metrics.get(metric, {}).get("ci95")
    return None if interval is None or not run.finished else (float(interval[0]), float(interval[1]))


def metric_rows(runs: Sequence[ReportRun]) -> list[Row]:
    """One row a metric, one column a run, each {iqm, mean, ci95, n}."""
    names = list(dict.fromkeys(name for run in runs for name in run.metrics))
    return [{"metric": name, "runs": {run.name: run.metrics.get(name) for run in runs}} for name in names]


def comparison_rows(runs: Sequence[ReportRun], metrics: Sequence[str]) -> list[Row]:
    """One row a judge and metric: the last values beside those of the run without a judge that it is nearest to.

    Unfinished runs are left out: their seeds stand at different moments of training.
    """
    rows = []
    for run in (run for run in runs if not run.is_baseline and run.finished):
        baseline = baseline_of(run, runs)
        if baseline is None or not baseline.finished:
            continue
        for metric in metrics:
            own, other = (list(r.last_values.get(metric, {}).values()) for r in (run, baseline))
            if not own or not other or metric not in run.metrics or metric not in baseline.metrics:
                continue
            improvement = probability_of_improvement(own, other)
            rows.append(
                {
                    "run": run.name,
                    "judge": run.judge,
                    "kind": run.judge_kind,
                    "beside": baseline.name,
                    "metric": metric,
                    "with judge": run.metrics[metric]["iqm"],
                    "without": baseline.metrics[metric]["iqm"],
                    "P(higher than without)": improvement.probability,
                    "ci95": None if improvement.ci95 is None else list(improvement.ci95),
                    "seeds": f"{len(own)} against {len(other)}",
                }
            )
    return rows


def threshold_rows(runs: Sequence[ReportRun], metric: str, threshold: float) -> list[Row]:
    """One row a run: the decisions each seed needed until an evaluation of `metric` reached `threshold`."""
    rows = []
    for run in runs:
        needed = {
            seed: steps_to_threshold([row["decisions"] for row in kept], [row[metric] for row in kept], threshold)
            for seed, table in run.evaluations.items()
            if (kept := [row for row in table if metric in row and "decisions" in row])
        }
        reached = sorted(value for value in needed.values() if value is not None)
        if needed:
            rows.append(
                {
                    "run": run.name,
                    "judge": run.judge,
                    "metric": metric,
                    "threshold": threshold,
                    "seeds that reach it": f"{len(reached)} of {len(needed)}",
                    "decisions needed (those seeds)": [int(value) for value in reached] or None,
                }
            )
    return rows


def audit_rows(runs: Sequence[ReportRun]) -> list[Row]:
    """One row a run with a judge: what its audit measured; `gate` says what became of it."""
    rows = []
    for run in (run for run in runs if not run.is_baseline):
        audit = run.audit
        held_out = audit.get("held_out") if isinstance(audit.get("held_out"), Mapping) else audit
        rows.append(
            {
                "run": run.name,
                "judge": run.judge,
                "kind": run.judge_kind,
                "probes": audit.get("n"),
                "accuracy": audit.get("accuracy"),
                "accuracy of the commonest label": audit.get("baseline"),
                "AUC": audit.get("auc"),
                "AUC ci95": audit.get("auc_ci95"),
                "held-out precision": held_out.get("precision") if held_out else None,
                "precision ci95": held_out.get("precision_ci95") if held_out else None,
                "coverage": held_out.get("coverage") if held_out else None,
                "min precision": audit.get("min_precision"),
                "gate": gate_words(run),
            }
        )
    return rows


def gate_words(run: ReportRun) -> str:
    """What the gate did to the run's judge."""
    if not run.audit:
        return "UNAUDITED" if run.finished else "not known yet"
    if run.gate_on is False:
        return "off (--no-gate)"
    if run.silent:
        return "SILENT: lets nothing through"
    return "not confirmed on held-out probes" if run.audit.get("held_out_ok") is False else "selective"


def overhead_rows(runs: Sequence[ReportRun]) -> list[Row]:
    """One row a run: how often its judge was asked, what became of the answers, and what share of the time it took."""
    rows = []
    for run in runs:
        stats, wall = run.judge_stats, run.wall_seconds
        seconds = stats.get("seconds")
        share = seconds / wall if isinstance(seconds, int | float) and wall else None
        counts = {name: stats.get(name) for name in ("judgments", "cache_hits", "unreadable", "abstained")}
        rows.append(
            {"run": run.name, "judge": run.judge, **{name.replace("_", " "): n for name, n in counts.items()}}
            | {"judge seconds": seconds, "training seconds": wall, "judge's share of time": share}
        )
    return rows


def settings_rows(runs: Sequence[ReportRun]) -> tuple[Row, list[Row]]:
    """(settings that all runs share, one row for each setting that differs with a column a run)."""
    names = sorted({name for run in runs for name in run.settings})
    common: Row = {}
    different: list[Row] = []
    for name in names:
        values = [run.settings.get(name, "(absent)") for run in runs]
        if all(value == values[0] for value in values):
            common[name] = values[0]
        else:
            different.append({"setting": name, "runs": {run.name: v for run, v in zip(runs, values, strict=True)}})
    return common, different


def provenance_rows(runs: Sequence[ReportRun]) -> list[Row]:
    """One row a run: the command that made it, its git revision, machine and packages."""
    rows = []
    for run in runs:
        made = run.provenance
        rows.append(
            {
                "run": run.name,
                "command": made.get("command"),
                "git revision": made.get("git_revision"),
                "machine": made.get("platform"),
                "versions": made.get("versions"),
            }
        )
    return rows


def notes(runs: Sequence[ReportRun]) -> list[str]:
    """What a reader must know before looking at any number; the report's first lines."""
    found = []
    for run in runs:
        label = f"{run.name} (judge {run.judge}, {run.judge_kind})"
        if not run.finished:
            found.append(f"{run.name} is {run.status}: its numbers are those of each seed's last evaluation so far.")
        if run.is_baseline or not run.finished:
            continue
        if not run.audit:
            found.append(f"{label} ran UNAUDITED: nothing says how often its judge was right.")
        elif run.silent and run.judge != "neutral":
            found.append(
                f"{label} was SILENCED by the gate: no judgment passed, so the run learned as without a judge."
            )
        elif run.gate_on is False:
            found.append(f"{label} ran with --no-gate: every judgment shifted the reward, however unsure.")
        elif run.audit.get("held_out_ok") is False:
            found.append(f"{label}: the audit's held-out probes do not confirm the gate's precision.")
        found += [f"{label}: {line}." for line in _told_while_training(run)]
    found += _group_notes(runs)
    return found


def _told_while_training(run: ReportRun) -> list[str]:
    """What was found of the judge while it shifted rewards: that it was watched, every verdict's turns, every alarm."""
    lines: list[str] = []
    for seed, watch in (run.summary.get("watch") or {}).items():
        if not lines:
            lines.append(f"was watched against the true labels of {watch['share']:.0%} of decisions (privileged)")
        for verdict, known in watch["verdicts"].items():
            lines += [turn_line(verdict, known["demand"], turn, int(seed)) for turn in known["turns"]]
    return lines + [alarm_line(alarm, int(seed)) for seed, alarm in (run.summary.get("alarm") or {}).items()]


def _group_notes(runs: Sequence[ReportRun]) -> list[str]:
    found = []
    if not any(run.is_baseline for run in runs):
        found.append("No run without a judge is among these: nothing here shows whether a judge helped.")
    if few := sorted({len(run.seeds) for run in runs if len(run.seeds) < 5}):
        found.append(
            f"With {' or '.join(map(str, few))} seeds, bootstrap intervals are narrower than the truth allows"
            + ("; a single seed has none." if few[0] < 2 else ".")
        )
    revisions = {str(run.provenance.get("git_revision")) for run in runs}
    if len(revisions) > 1:
        found.append("The runs were made by different revisions of the code.")
    return found
