"""Estimates with their intervals, and simulated sessions beside logged ones, as pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.slateq.logs.schema import Floats
from apps.slateq.off_policy.served_sessions import measures
from apps.slateq.off_policy.session_model import Outcomes
from lmgt_core.report.figures import COLOURS, RC, WIDTH, Bar, bars_with_intervals, rendered

POINTS = 120  # of a distribution's line


def estimates_figure(rows: Sequence[Mapping[str, Any]], decide: str) -> bytes:
    """An SVG of the log's mean and each policy's estimates for what `decide` is for; plain estimators, and `decide`.

    What a warning speaks against is grey.
    """
    per = next(row["per"] for row in rows if row["estimator"] == decide)
    wanted = [
        row
        for row in rows
        if row["per"] == per
        and row["value"] is not None
        and (not row["estimator"].startswith("sn-") or row["estimator"] == decide)
    ]
    policies = list(dict.fromkeys(row["policy"] for row in wanted))
    bars = [
        Bar(
            f"{row['policy']}: {row['estimator']}",
            row["value"],
            None if row["ci95"] is None else (row["ci95"][0], row["ci95"][1]),
            baseline=bool(row["warning"]),
            colour=1 if row["warning"] else policies.index(row["policy"]),
        )
        for row in wanted
    ]
    return bars_with_intervals(bars, f"reward for each {per}, with 95 % intervals; grey: with a warning")


def sessions_figure(logged: Outcomes, simulated: Sequence[Outcomes]) -> bytes:
    """An SVG of three distributions over sessions: logged, and where simulated ones lie in 95 % of the refits."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
        for axis, (name, seen) in zip(figure.subplots(1, 3, sharey=True), measures(logged).items(), strict=True):
            drawn = [measures(sessions)[name] for sessions in simulated]
            x = np.linspace(min(map(np.min, [seen, *drawn])), max(map(np.max, [seen, *drawn])), POINTS)
            low, high = np.percentile([_above(values, x) for values in drawn], (2.5, 97.5), axis=0)
            axis.fill_between(
                x, low, high, color=COLOURS[1], alpha=0.35, linewidth=0, label="simulated, 95 % of the refits"
            )
            axis.plot(x, _above(seen, x), color=COLOURS[0], label="logged")
            axis.set_xlabel(name)
        figure.axes[0].set_ylabel("share of sessions above")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
        return rendered(figure, "svg")


def _above(values: Floats, x: Floats) -> Floats:
    """The share of `values` above each x."""
    return 1 - np.searchsorted(np.sort(values), x, side="right") / len(values)
