"""One judge under one strategy, audited: what tables and pages show of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lmgt_core.audit.audit import Audit, Probe
from lmgt_core.judging.judgment import Judgment


@dataclass(frozen=True)
class Audited:
    """One judge under one strategy: the audit, and some of its answers."""

    judge: str
    strategy: str
    audit: Audit
    heard: Sequence[tuple[Probe, Judgment]]

    def row(self) -> dict[str, Any]:
        """The line for tables; precision and coverage are of what the gate lets through, on the half it was not set on.

        `gated`: the gate holds the judge back altogether.
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
            "gated": a.silent,
            "judgments_per_second": 1 / max(a.seconds_per_judgment, 1e-9),
        }
