"""One self-contained page about an audit: table, gates, biases, and answers to read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmgt_core.audit.audit import Probe
from lmgt_core.audit.audited import Audited
from lmgt_core.files import write_atomic
from lmgt_core.judging.judgment import Judgment
from lmgt_core.report.pages import render_page
from lmgt_core.training.provenance import provenance

SHOWN = 6  # answers of each kind, right and wrong


def write_page(out: Path, app: str, task: str, found: Sequence[Audited]) -> None:
    """Writes the page to `out`; every text from prompts and replies is escaped."""
    shown = {
        "app": app,
        "task": task,
        "sections": [section(one) for one in found],
        "rows": [one.row() for one in found],
        "made": provenance(),
    }
    write_atomic(out, render_page("audit.html", shown))


def section(one: Audited) -> dict[str, Any]:
    """What the page says about one judge under one strategy."""
    audit = one.audit
    return {
        "judge": one.judge,
        "strategy": one.strategy,
        "kind": audit.kind,
        "headline": audit.headline,
        "facts": {
            "accuracy": audit.accuracy,
            "of always giving the most frequent label": audit.baseline,
            "AUC of P(good) - P(bad)": audit.auc,
            "its 95 % interval": audit.auc_ci95,
            "abstained": audit.abstention_rate,
            "unreadable": audit.unreadable_rate,
            "seconds a judgment": audit.seconds_per_judgment,
        },
        "verdicts": [
            {"verdict": verdict.value, "speaks from": threshold, **_held_out(audit.held_out.by_verdict, verdict.value)}
            for verdict, threshold in audit.thresholds.items()
        ],
        "biases": sorted(
            ({"fact": fact, **values} for fact, values in audit.bias.items()),
            key=lambda row: -abs(float(row["bias"])),
        )[:8],
        "answers": [
            {"title": title, "answers": [answer(*pair) for pair in pairs[:SHOWN]]}
            for title, pairs in (
                ("wrong answers", [p for p in one.heard if p[0].label is not p[1].verdict]),
                ("right answers", [p for p in one.heard if p[0].label is p[1].verdict]),
            )
        ],
    }


def _held_out(by_verdict: Mapping[str, Mapping[str, float | int | None]], verdict: str) -> dict[str, Any]:
    known = by_verdict[verdict]
    return {"held-out answers": known["n"], "held-out precision": known["precision"]}


def answer(probe: Probe, judgment: Judgment) -> dict[str, Any]:
    """One answer with its question."""
    probabilities = judgment.probabilities
    return {
        "question": probe.prompt.user,
        "truth": probe.label.value,
        "verdict": judgment.verdict.value,
        "probabilities": None if probabilities is None else [round(p, 3) for p in probabilities],
        "reply": judgment.reply[:2000],
        "reason": judgment.reason,
    }
