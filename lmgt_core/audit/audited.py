"""One judge under one strategy, audited: what tables and pages show of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lmgt_core.audit.audit import Audit, Probe
from lmgt_core.audit.fragility import Flips
from lmgt_core.audit.play_rates import PlayRates
from lmgt_core.judging.judgment import Judgment

FLIPS = ("change", "asked", "answered", "flipped", "share", "ci95")
DOES_NOT_READ = "none: it does not read"


@dataclass(frozen=True)
class Audited:
    """One judge under one strategy: the audit, and some of its answers."""

    judge: str
    strategy: str
    audit: Audit
    heard: Sequence[tuple[Probe, Judgment]]
    flips: Sequence[Flips] = ()
    play_rates: PlayRates | None = None

    def row(self) -> dict[str, Any]:
        """The line for tables; precision and coverage are of what the gate lets through, on the half it was not set on.

        `silent`: the gate holds the judge back altogether.
        """
        a = self.audit
        return {
            "judge": self.judge,
            "strategy": self.strategy,
            "n": a.n,
            "accuracy": a.accuracy,
            "auc": a.auc,
            "auc_ci95": a.auc_ci95,
            "precision": a.held_out.precision,
            "coverage": a.held_out.coverage,
            "silent": a.silent,
            "judgments_per_second": 1 / max(a.seconds_per_judgment, 1e-9),
        }

    def reliability_rows(self) -> list[dict[str, Any]]:
        """The lines about flips for tables, one for each change, beside what else tells how far the judge is to be
        trusted; one line without a change for a judge that does not read."""
        a = self.audit
        about = {
            "judge": self.judge,
            "strategy": self.strategy,
            "brier": a.brier,
            "true_positive_rate": a.true_positive_rate,
            "true_negative_rate": a.true_negative_rate,
        }
        flips = [flip.as_dict() for flip in self.flips]
        return [about | flip for flip in flips or [dict.fromkeys(FLIPS) | {"change": DOES_NOT_READ}]]
