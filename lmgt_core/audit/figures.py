"""The figures of an audit's page, as SVG bytes: reliability, precision against coverage, flips."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmgt_core.audit.audit import Audit, Probe
from lmgt_core.audit.audited import Audited
from lmgt_core.audit.fragility import Flips
from lmgt_core.judging.judgment import VERDICTS, Judgment
from lmgt_core.report.figures import BASELINES, COLOURS, MARKERS, Bar, bars_with_intervals, figure_of, finish, rendered
from lmgt_core.rules.shift import speaks

HEIGHT = 3.2  # inches
LARGEST = 160  # points squared, the mark of the bin with most answers


@dataclass(frozen=True)
class AuditFigure:
    """An image, a word for it, and what it shows in a sentence."""

    name: str
    image: bytes
    caption: str


def figures(audited: Audited) -> list[AuditFigure]:
    """What can be drawn of an audit: reliability, precision against coverage, flips."""
    audit = audited.audit
    drawn = (reliability_diagram(audit), precision_and_coverage(audit, audited.heard), flip_bars(audited.flips))
    return [figure for figure in drawn if figure is not None]


def reliability_diagram(audit: Audit) -> AuditFigure | None:
    """Share of right answers against confidence, bin by bin; on the diagonal a confidence means what it says."""
    if not audit.calibration_curve:
        return None
    n, confidence, right = (
        np.array([row[name] for row in audit.calibration_curve]) for name in ("n", "confidence", "right")
    )
    with figure_of(HEIGHT) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=BASELINES[1], linestyle="--", label="calibrated")
        axes.scatter(confidence, right, s=LARGEST * n / n.max(), color=COLOURS[0], label="answers (area: how many)")
        axes.set(xlabel="confidence", ylabel="share that was right", xlim=(0, 1.02), ylim=(-0.02, 1.02))
        finish(figure, axes, "", legend=True)
        return AuditFigure(
            "reliability", rendered(figure, "svg"), "Reliability: the share of right answers at each confidence"
        )


def precision_and_coverage(audit: Audit, heard: Sequence[tuple[Probe, Judgment]]) -> AuditFigure | None:
    """Precision of each verdict's most confident answers against their share of all questions.

    A mark stands at the gate's threshold: with probability 1 - delta the precision there is at least the dashed line,
    which is what was demanded on probes mixed as these are.
    """
    with figure_of(HEIGHT) as (figure, axes):
        drawn = 0
        for colour, marker, verdict in zip(COLOURS, MARKERS, VERDICTS, strict=False):
            given = [(j.confidence, p.label is verdict) for p, j in heard if speaks(j) and j.verdict is verdict]
            if not given:
                continue
            confidence, right = (np.array(values) for values in zip(*sorted(given, key=lambda g: -g[0]), strict=True))
            ends = np.flatnonzero(np.append(confidence[1:] < confidence[:-1], True))  # thresholds that can be chosen
            coverage, precision = (ends + 1) / audit.n, np.cumsum(right)[ends] / (ends + 1)
            axes.plot(coverage, precision, color=colour, label=verdict.value, marker="." if len(ends) < 40 else None)
            drawn += 1
            threshold = audit.thresholds[verdict]
            if threshold is None:
                continue
            at = int(np.flatnonzero(confidence[ends] >= threshold - 1e-9)[-1])
            axes.plot(coverage[at], precision[at], marker, color=colour, markersize=10, label=f"from {threshold:.3f}")
            least = audit.promises[verdict.value]["demanded_on_probes"]
            if least is not None:
                axes.plot([0, coverage[at]], [least, least], color=colour, linestyle="--", linewidth=1)
        axes.set(xlabel="share of all questions", ylabel="precision", ylim=(-0.02, 1.02))
        finish(figure, axes, "", legend=bool(drawn))
        caption = (
            "Precision against coverage, from the most confident answers on; a large mark is the gate's threshold: "
            f"there the precision is at least the dashed line with probability {1 - audit.delta:g}"
        )
        return AuditFigure("precision", rendered(figure, "svg"), caption) if drawn else None


def flip_bars(flips: Sequence[Flips]) -> AuditFigure | None:
    """The share of verdicts that flipped under each change, with exact 95 % intervals."""
    bars = [Bar(flip.change, flip.share, flip.ci95) for flip in flips if flip.share is not None]
    if not bars:
        return None
    image = bars_with_intervals(bars, "share of verdicts that flipped")
    return AuditFigure("flips", image, "Flips: the same questions asked in another form, with 95 % intervals")
