"""What a comparison found, in sentences: the first lines of a report."""

from collections.abc import Sequence

from lmgt_core.report.curves import words
from lmgt_core.report.run import ReportRun
from lmgt_core.report.tables import against, baseline_of, interval_of

FOUND = {"above": "higher", "below": "lower"}
UNCLEAR = "no clear difference"


def sentences(runs: Sequence[ReportRun], metric: str) -> list[str]:
    """A sentence for each finished run with a judge: the metric's last value beside that without a judge.

    "Higher" and "lower" are said where the 95 % intervals do not touch, which asks for more than a test at 5 % would.
    """
    found = []
    for run in (run for run in runs if not run.is_baseline and run.finished and metric in run.metrics):
        own = f"With {run.name} ({run.judge_kind}), {words(metric)} ended at {_value(run, metric)}"
        baseline = baseline_of(run, runs)
        if baseline is None or not baseline.finished or metric not in baseline.metrics:
            found.append(f"{own}.")
            continue
        difference = FOUND.get(against(run, baseline, metric) or "", UNCLEAR)
        found.append(f"{own}, without a judge at {_value(baseline, metric)}: {difference}.")
    return found


def _value(run: ReportRun, metric: str) -> str:
    interval = interval_of(run, metric)
    value = f"{run.metrics[metric]['iqm']:.3g}"
    return f"{value} (one seed)" if interval is None else f"{value} [{interval[0]:.3g}, {interval[1]:.3g}]"
