"""Estimates with their intervals as a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from lmgt_core.report.figures import Bar, bars_with_intervals


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
