"""One self-contained page about an audit: a sentence, figures, gates, rates, flips, biases, and answers to read."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmgt_core.audit.audit import Probe
from lmgt_core.audit.audited import Audited
from lmgt_core.audit.figures import figures
from lmgt_core.files import write_atomic
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import VERDICTS, Judgment
from lmgt_core.report.pages import render_page
from lmgt_core.training.provenance import provenance

SHOWN = 6  # answers of each kind, right and wrong
EXPLAINED: Mapping[str, str] = {  # what means something else, or nothing, on other pages
    "change": "How the same question was asked again.",
    "asked": "Questions that the change alters.",
    "answered": "Questions that were answered both before and after the change.",
    "flipped": "Of these, how many got another verdict.",
    "share": "Flipped divided by answered.",
}


def write_page(out: Path, app: str, task: str, found: Sequence[Audited]) -> None:
    """Writes the page to `out`; every text from prompts and replies is escaped."""
    shown = {
        "app": app,
        "task": task,
        "sections": [section(one) for one in found],
        "rows": [one.row() for one in found],
        "made": provenance(),
    }
    write_atomic(out, render_page("audit.html", shown, explained=EXPLAINED))


def write_figures(folder: Path, found: Sequence[Audited]) -> list[Path]:
    """The files written: every figure of every judge under every strategy, JUDGE-STRATEGY-FIGURE.svg."""
    paths = []
    for one in found:
        for figure in figures(one):
            words = f"{one.judge} {one.strategy} {figure.name}".lower()
            paths.append(folder / ("-".join(re.findall(r"[a-z0-9.]+", words)) + ".svg"))
            write_atomic(paths[-1], figure.image)
    return paths


def section(one: Audited) -> dict[str, Any]:
    """What the page says about one judge under one strategy."""
    audit = one.audit
    return {
        "judge": one.judge,
        "strategy": one.strategy,
        "kind": audit.kind,
        "sentence": sentence(one),
        "headline": audit.headline,
        "figures": [{"image": b64encode(f.image).decode(), "caption": f.caption} for f in figures(one)],
        "flips": [flip.as_dict() for flip in one.flips],
        "labels": label_rates(one),
        "facts": {
            "accuracy": audit.accuracy,
            "of always giving the most frequent label": audit.baseline,
            "AUC of P(good) - P(bad)": audit.auc,
            "its 95 % interval": audit.auc_ci95,
            "abstained": audit.abstention_rate,
            "unreadable": audit.unreadable_rate,
            "Brier score (0 best, 2 worst)": audit.brier,
            "good ones called good": audit.true_positive_rate,
            "bad ones called bad": audit.true_negative_rate,
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


def sentence(one: Audited) -> str:
    """The verdict on the judge, in plain words."""
    audit = one.audit
    if audit.kind == JudgeKind.BASELINE:
        return f"{one.judge} is a baseline: it knows nothing by design, and is never held back."
    privileged = " It reads the truth, so this says nothing about any model." if audit.kind == JudgeKind.ORACLE else ""
    if audit.silent:
        return (
            f"Do not train with {one.judge} here: on no confidence of its own is it surely right as often as was "
            f"demanded, and a gated training would go on as without a judge.{privileged}"
        )
    spoken = " and ".join(verdict.value for verdict, t in audit.thresholds.items() if t is not None)
    held = audit.held_out
    right = "" if held.precision is None else f", and {held.precision:.0%} of what it says there is right"
    flips = [flip for flip in one.flips if flip.share is not None]
    worst = max(flips, key=lambda flip: flip.share or 0.0, default=None)
    fragile = f" {worst.share:.0%} of its verdicts flip under {worst.change}." if worst is not None else ""
    doubt = " Held-out questions do not confirm that." if audit.held_out_ok is False else ""
    if not audit.gated:
        return f"{one.judge} speaks without a gate, right or wrong.{privileged}{fragile}"
    return f"{one.judge} may say {spoken} on {held.coverage:.0%} of questions{right}.{doubt}{privileged}{fragile}"


def label_rates(one: Audited) -> list[dict[str, Any]]:
    """How often each label occurs among the questions and, where that is known, among the decisions of play."""
    n, rates = max(len(one.heard), 1), one.play_rates
    rows = []
    for verdict in VERDICTS:
        row: dict[str, Any] = {"label": verdict.value}
        row["share of questions"] = sum(probe.label is verdict for probe, _ in one.heard) / n
        known = None if rates is None or rates.kind == "unlabelled" else rates.numbers.get(verdict, 0) / (rates.n or 1)
        rows.append(row | {"share of decisions in play": known})
    return rows


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
