"""The numbers of an evaluation: means over users and seeds, and differences between policies on the same users."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from apps.slateq.session_metrics import METRICS
from apps.slateq.slate_metrics import SLATE_METRICS
from lmgt_core.training.statistics import Interval, nested_bootstrap_ci

BLOCKS = 100  # of users whose means are resampled in the users' stead: the same interval for a fraction of the work
Values: TypeAlias = Mapping[str, NDArray[np.float64]]  # metric -> [user]


def rows_of(results: Mapping[str, Sequence[Values]], kinds: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row for each policy and metric: {policy, metric, mean, ci95, n, kind, minus_first, minus_first_ci95}.

    `results` holds each seed's values; all have the same users in the same order. n counts users times seeds, without
    users of whom a metric says nothing; a metric that says nothing of any user has no row. A difference is between the
    policy's mean over seeds and the first policy's, user by user. Intervals resample seeds and users.
    """
    first = next(iter(results))
    rows = []
    for name, seeds in results.items():
        for metric in seeds[0]:
            found = np.array([one[metric] for one in seeds])  # [seed, user]
            if not np.isfinite(found).any():
                continue
            row = {
                "policy": name,
                "metric": metric,
                "mean": float(np.nanmean(found)),
                "ci95": interval(found),
                "n": int(np.isfinite(found).sum()),
                "kind": kinds[name],
            }
            if name != first:
                other = np.array([one[metric] for one in results[first]]).mean(axis=0)
                difference = found - other
                if np.isfinite(difference).any():
                    row |= {"minus_first": float(np.nanmean(difference)), "minus_first_ci95": interval(difference)}
            rows.append(row)
    return rows


def interval(values: NDArray[np.float64]) -> Interval | None:
    """The 95 % bootstrap interval of the mean of values [seed, user], NaN left out; None for a single value."""
    groups = []
    for one in values:
        known = one[np.isfinite(one)]
        if known.size:
            groups.append(np.array([block.mean() for block in np.array_split(known, min(BLOCKS, known.size))]))
    if not groups:
        return None
    return nested_bootstrap_ci(groups, 0)


def tables(rows: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """What users did with the slates, and what these showed: two tables of one line a policy."""
    return [_wide(rows, METRICS), _wide(rows, SLATE_METRICS)]


def _wide(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> list[dict[str, Any]]:
    lines: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["metric"] not in metrics:
            continue
        line = lines.setdefault(row["policy"], {"policy": row["policy"], "what it is": row["kind"]})
        line[row["metric"].replace("_", " ")] = with_interval(row["mean"], row["ci95"], row["metric"])
        if row["metric"] == "return":
            difference = row.get("minus_first")
            line["minus the first"] = (
                "" if difference is None else with_interval(difference, row["minus_first_ci95"], "return", sign=True)
            )
    return list(lines.values())


def with_interval(mean: float, ci95: Interval | None, metric: str, sign: bool = False) -> str:
    """160.5 +- 0.3: the mean and half the interval's width, with the decimals that the metric deserves."""
    decimals = 1 if metric in ("return", "length") else 2 if metric in ("quality", "diversity", "novelty") else 3
    text = f"{mean:{'+' if sign else ''}.{decimals}f}"
    return text if ci95 is None else f"{text} +- {(ci95[1] - ci95[0]) / 2:.{decimals}f}"
