"""One self-contained page about a comparison: the table, and every picture beside what each arm made of it."""

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.compare.arms import Answers, Arm, Shown
from lmgt_core.compare.measure import agreement, correct
from lmgt_core.files import write_atomic
from lmgt_core.judging.description import Image
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.report.figures import Bar, Dots, bars_with_intervals, dots_with_intervals
from lmgt_core.report.pages import render_page
from lmgt_core.terminal.tables import column_names
from lmgt_core.training.provenance import provenance

PICTURES = 100  # on the page, the worst ones: a page stays a few MB
LETTERS, LINES = 34, 3  # of an arm's name in a figure
SIDE = 240  # pixels; a larger picture is shrunk to it
WARNED = ("privileged", "on labels")  # said of an arm wherever its name stands
Row = Mapping[str, Any]


def write_page(
    path: Path,
    title: str,
    shown: Sequence[Shown],
    answers: Sequence[Answers],
    missing: Sequence[Arm],
    rows: Sequence[Row],
    returns: Sequence[Row] = (),
) -> None:
    """Writes the page to `path`, pictures with the most wrong answers first; every text in it is escaped.

    `rows` are those of `measure.row`, with whatever columns an app adds. `returns`, if any, are rows of trainings with
    `arm`, `return_mean` and `return_ci95` (None: no interval) among their columns. UserError where `path` cannot be
    written.
    """
    page = {
        "title": title,
        "figures": by_figure(rows),
        "dots": _url(arms_figure(rows)),
        "agreement": agreement(answers) if len(answers) > 1 else [],
        "missing": missing,
        "returns": list(returns),
        "return_bars": _url(returns_figure(returns)),
        "pictures": [picture(i, shown, answers) for i in worst_first(shown, answers)[:PICTURES]] if answers else [],
        "total": len(shown),
        "made": provenance(),
    }
    write_atomic(path, render_page("compare.html", page))


def worst_first(shown: Sequence[Shown], answers: Sequence[Answers]) -> list[int]:
    """The pictures' positions, by the share of wrong answers over all arms, then of wrong captions, then in order."""
    wrong = np.zeros((len(shown), 2))  # [picture, (answers, captions)]
    for one in answers:
        wrong[:, 0] += [1 - row.mean() if row.size else 0.0 for row in _right(one, shown)]
        if one.exact is not None:
            wrong[:, 1] += ~one.exact
    return sorted(range(len(shown)), key=lambda i: (-wrong[i, 0], -wrong[i, 1], i))


def picture(number: int, shown: Sequence[Shown], answers: Sequence[Answers]) -> dict[str, Any]:
    """What the page says about picture `number`: source, truth, each arm's caption, and verdicts beside the truth."""
    this = shown[number]
    right = [_right(one, shown)[number] for one in answers]
    return {
        "number": number,
        "source": png_url(this.image),
        "truth": this.truth,
        "arms": [label(one.arm) for one in answers],
        "captions": [caption(one, number) for one in answers if one.captions],
        "questions": [
            {
                "action": action,
                "truth": label.value,
                "verdicts": [
                    {"said": said(one.judgments[number][j]), "right": bool(right[k][j])}
                    for k, one in enumerate(answers)
                ],
            }
            for j, (action, label) in enumerate(zip(this.actions, this.labels, strict=True))
        ],
        "wrong": sum(int((~row).sum()) for row in right),
        "asked": sum(row.size for row in right),
    }


def label(arm: Arm) -> str:
    """The arm's name, and what of it is privileged or trained on labels, as its line `about` says."""
    return _marked(arm.name, arm.about)


def _marked(name: str, about: str) -> str:
    warned = [word for word in WARNED if word in about]
    return f"{name} [{', '.join(warned)}]" if warned else name


def caption(answers: Answers, number: int) -> dict[str, Any]:
    """An arm's caption of picture `number`, or why there is none, and whether it is right (None: not compared)."""
    text = answers.captions[number]
    reason = answers.arm.reasons.get(number, "") if not text else ""
    return {
        "arm": label(answers.arm),
        "text": text,
        "reason": reason or _unreadable(answers.judgments[number]),
        "right": None if answers.exact is None else bool(answers.exact[number]),
    }


def said(judgment: Judgment) -> str:
    """A judgment in a few words: `good .82`; why, where the judge gave no readable answer or abstained."""
    if judgment.verdict is Verdict.UNREADABLE:
        return f"unreadable: {judgment.reason}" if judgment.reason else "unreadable"
    words = judgment.verdict.value
    if judgment.probabilities is not None:
        words += f" {judgment.confidence:.2f}"
    return f"{words} (abstained{f': {judgment.reason}' if judgment.reason else ''})" if judgment.abstained else words


def by_figure(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The table on its side, one row a figure and one column an arm; figures that no arm has are left out."""
    names = [name for name in column_names(rows) if name != "arm"]
    turned = [{"": name} | {str(row["arm"]): row.get(name) for row in rows} for name in names]
    return [row for row in turned if any(value not in (None, "") for name, value in row.items() if name)]


def arms_figure(rows: Sequence[Row]) -> bytes | None:
    """An image of what each arm got right, with 95 % intervals, as SVG; None where nothing was measured."""
    known = [row for row in rows if row.get("judgment_accuracy") is not None]
    if not known:
        return None
    series = (
        ("verdicts right", "judgment_accuracy", "accuracy_ci95"),
        ("AUC of verdicts", "auc", "auc_ci95"),
        ("captions right in every word", "caption_exact", ""),
    )
    dots = [
        Dots(name, [row.get(value) for row in known], [row.get(interval) for row in known], colour=i)
        for i, (name, value, interval) in enumerate(series)
    ]
    names = [_marked(str(row["arm"]), str(row.get("about", ""))) for row in known]
    lines = ["\n".join(textwrap.wrap(name, LETTERS, max_lines=LINES, placeholder=" ...")) for name in names]
    return dots_with_intervals(dots, lines, "share, or area")


def returns_figure(rows: Sequence[Row]) -> bytes | None:
    """An image of the trainings' returns with their intervals, as SVG; None where nothing was trained."""
    known = [row for row in rows if row.get("return_mean") is not None]
    if not known:
        return None
    bars = [
        Bar(str(row["arm"]), float(row["return_mean"]), row.get("return_ci95"), colour=i) for i, row in enumerate(known)
    ]
    return bars_with_intervals(bars, "mean return, without shifts")


def write_figures(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """The files of the page's figures, `arms.svg` and, if agents were trained, `returns.svg`, which it writes."""
    written = []
    for name, image in (("arms", arms_figure(rows)), ("returns", returns_figure(rows))):
        if image is not None:
            write_atomic(path := folder / f"{name}.svg", image)
            written.append(path)
    return written


def png_url(image: Image) -> str:
    """A picture [height, width, 3] as a PNG in a URL, shrunk so that its longer side has at most SIDE pixels."""
    from PIL import Image as Picture

    drawn = Picture.fromarray(np.ascontiguousarray(image))
    drawn.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    drawn.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _url(image: bytes | None) -> str:
    """An SVG image as a URL; "" for none."""
    return "" if image is None else "data:image/svg+xml;base64," + base64.b64encode(image).decode()


def _right(answers: Answers, shown: Sequence[Shown]) -> list[NDArray[np.bool_]]:
    """[picture][question] whether a readable answer is the true verdict."""
    ends = np.cumsum([len(s.actions) for s in shown])[:-1]
    return np.split(correct(answers.judgments, shown), ends) if shown else []


def _unreadable(judgments: Sequence[Judgment]) -> str:
    """Why nothing was judged, from the first judgment that says so."""
    return next((j.reason for j in judgments if j.verdict is Verdict.UNREADABLE), "")
