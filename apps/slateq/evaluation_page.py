"""One self-contained page about an evaluation: the table, and how interests and quality move over a session.

Under several user models: ranks with intervals, and what is concluded, before such a part for each of them.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.slateq.evaluation_rows import tables
from apps.slateq.policies import FIXED, ONLINE
from apps.slateq.robust.findings import Findings
from apps.slateq.session_metrics import Sessions
from lmgt_core.files import write_atomic
from lmgt_core.report.figures import Bar, Curve, Dots, bars_with_intervals, dots_with_intervals, learning_curves
from lmgt_core.report.pages import render_page
from lmgt_core.training.provenance import provenance

TEMPLATES = Path(__file__).parent / "templates"
POINTS = 40  # of a curve
FEWEST = 0.1  # share of the users that a point must still have: later ones are a few odd sessions
Results = Mapping[str, Sequence[Sequence[Sessions]]]  # policy -> seed -> batch


@dataclass(frozen=True, eq=False)
class Part:
    """What was found under one user model, "" where there is one without a name."""

    users: str
    rows: Sequence[Mapping[str, Any]]
    results: Results


def write_page(out: Path, title: str, parts: Sequence[Part], note: str, findings: Findings | None = None) -> None:
    """Writes the page to `out`; every text is escaped."""
    shown = {
        "title": title,
        "parts": [
            {"users": part.users, "tables": tables(part.rows), "figures": figures(part.rows, part.results)}
            for part in parts
        ],
        "note": note,
        "robust": None if findings is None else robust(findings),
        "made": provenance(),
    }
    write_atomic(out, render_page("evaluation.html", shown, TEMPLATES))


def robust(findings: Findings) -> dict[str, Any]:
    """{sentence, ranks: a figure, table, claims} of what was found under several user models."""
    return {
        "sentence": findings.sentence(),
        "ranks": figure(
            ranks(findings),
            "Ranks of the policies under each user model",
            "Rank by mean return, 1 being the best, with its 95 % bootstrap interval over users and seeds.",
        ),
        "table": findings.table(),
        "claims": findings.claims_table(),
    }


def ranks(findings: Findings) -> bytes:
    """Dots of the policies' ranks, a colour for each user model; the policy with the least worst regret on top."""
    names = sorted(findings.worst, key=lambda name: findings.worst[name][0])
    places = {(place.users, place.policy): place for place in findings.places}
    dots = []
    for number, model in enumerate(findings.models):
        found = [places[model, name] for name in names]
        dots.append(Dots(model, [one.rank for one in found], [one.rank_ci95 for one in found], colour=number))
    return dots_with_intervals(dots, names, "rank by mean return (1: best)")


def figures(rows: Sequence[Mapping[str, Any]], results: Results) -> list[dict[str, str]]:
    """[{source, alt, caption}]: returns, interest drift where interests can be seen, quality over a session."""
    found = [
        figure(returns(rows), "Bars of mean return", "Return of a session: mean over users and seeds, 95 % interval."),
        _curves(
            results,
            lambda sessions: sessions.drift,
            "interest in better topics",
            "Interest drift: mean interest in the topics of above-average quality minus that in the others, over the "
            "users whose session is not over. It moves both by what users click and by who is still there.",
        ),
        _curves(
            results,
            lambda sessions: sessions.quality_at,
            "quality of clicked documents",
            "Quality over a session: mean quality of what was clicked at each slate.",
        ),
    ]
    return [one for one in found if one]


def returns(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Bars of the mean return."""
    chosen = [row for row in rows if row["metric"] == "return"]
    bars = [
        Bar(row["policy"], row["mean"], row["ci95"], baseline=_is_baseline(row["policy"]), colour=number)
        for number, row in enumerate(chosen)
    ]
    return bars_with_intervals(bars, "return of a session")


def over_session(
    batches: Sequence[Sessions], part: Callable[[Sessions], NDArray[np.float64]]
) -> tuple[list[int], list[float]]:
    """(slates, values): a mean over users at up to POINTS moments of a session, while enough users are still there."""
    most = max(len(one.alive) for one in batches)
    total, weight, alive = np.zeros(most), np.zeros(most), np.zeros(most)
    for one in batches:
        values, count = part(one), one.alive
        known = np.isfinite(values)
        total[: len(count)] += np.where(known, values, 0.0) * count
        weight[: len(count)] += np.where(known, count, 0)
        alive[: len(count)] += count
    steps = np.flatnonzero((alive >= FEWEST * alive[0]) & (weight > 0))
    chosen = np.unique(np.linspace(0, len(steps) - 1, POINTS).round().astype(int)) if len(steps) else []
    return [int(steps[i]) for i in chosen], [float(total[steps[i]] / weight[steps[i]]) for i in chosen]


def _curves(
    results: Results, part: Callable[[Sessions], NDArray[np.float64]], label: str, caption: str
) -> dict[str, str]:
    curves = []
    for number, (name, seeds) in enumerate(results.items()):
        points: dict[int, list[float]] = {}
        for batches in seeds:
            for step, value in zip(*over_session(batches, part), strict=True):
                points.setdefault(step, []).append(value)
        if points:
            at = sorted(points)
            curves.append(Curve(name, at, [points[step] for step in at], _is_baseline(name), number))
    if not curves:
        return {}
    return figure(learning_curves(curves, "slates served in the session", label), label, caption)


def figure(image: bytes, alt: str, caption: str) -> dict[str, str]:
    """An image for the page."""
    return {
        "source": "data:image/svg+xml;base64," + base64.b64encode(image).decode(),
        "alt": alt,
        "caption": caption,
    }


def _is_baseline(name: str) -> bool:
    return name in (*FIXED, *ONLINE)
