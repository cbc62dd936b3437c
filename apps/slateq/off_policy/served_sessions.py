"""Policies that serve a fitted model of sessions, and whether that makes sessions like those that were held out.

The model is refitted to resampled sessions, the resamples of all other estimators (`sums.py`), so that intervals hold
its own error too. Served the slates of the log, it should give back the log: of each half, sessions are simulated from
what was fitted to the other, and the means that were seen should lie among those of the refits (a predictive check;
Gelman, Meng and Stern 1996, "Posterior Predictive Assessment of Model Fitness").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.slateq.logs.schema import Floats, Slates
from apps.slateq.off_policy.estimates import Estimate
from apps.slateq.off_policy.estimators import SESSION_MODEL
from apps.slateq.off_policy.policies import EvaluatedPolicy
from apps.slateq.off_policy.session_model import Outcomes, SessionModel, fit_sessions
from apps.slateq.off_policy.sums import poisson_weights
from apps.slateq.off_policy.user_model import NOTABLE, uniforms
from lmgt_core.terminal.progress import progress
from lmgt_core.training.statistics import percentile_interval

FEWEST = 40  # sessions: of fewer nobody can say when they end
TURNS = 2  # simulated sessions for each logged one and each refit
LATE = 0.1  # a share of sessions that outlast every logged one which is worth a word


@dataclass(frozen=True, eq=False)
class ServedSessions:
    """Of each policy its estimate; the sessions that were seen, and what each refit makes of the slates in them."""

    estimates: dict[str, list[Estimate]]
    logged: Outcomes
    simulated: list[Outcomes]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """{of, seen, simulated, range95}: means over sessions, and between which 95 % of the refits' means lie."""
        return compared(self.logged, self.simulated)

    @property
    def title(self) -> str:
        """What the rows compare."""
        count, refits = len(self.logged.slates), len(self.simulated) - 1
        return f"model of sessions: {count:,} sessions, each beside what was fitted to others; {refits} refits"


def served_sessions(rows: Slates, policies: Sequence[EvaluatedPolicy], refits: int, seed: int) -> ServedSessions:
    """What each policy earns in the model that is fitted to `rows`, whole sessions, with `refits` resamples."""
    times = poisson_weights(rows.key[rows.begins], refits, seed)  # [S, 1 + R]
    logged, simulated = Outcomes.logged(rows), []
    earned: dict[str, list[float]] = {policy.name: [] for policy in policies}
    late = dict.fromkeys(earned, 0.0)
    shown = {
        (policy.name, turn): policy.distribution(rows).draw(uniforms(rows, turn))
        for policy in policies
        for turn in range(TURNS)
    }
    model: SessionModel | None = None
    with progress("refits", 1 + refits) as bar:
        for number in range(1 + refits):
            refitted = fit_sessions(rows, times[:, number], model)
            model = model or refitted
            simulated.append(refitted.simulate(rows.slate, (seed, number, 0)))
            for policy in policies:
                turns = [refitted.simulate(shown[policy.name, turn], (seed, number, turn)) for turn in range(TURNS)]
                weights = times[:, number]
                earned[policy.name].append(float(sum(weights @ turn.reward for turn in turns) / weights.sum() / TURNS))
                if number == 0:
                    late[policy.name] = float(np.mean([turn.slates > logged.slates.max() for turn in turns]))
            bar.advance()
    assert model is not None
    doubts = doubts_of(model, logged, simulated)
    return ServedSessions(
        {name: [_estimate(values, len(times), doubts, late[name])] for name, values in earned.items()},
        logged,
        simulated,
    )


def compared(logged: Outcomes, simulated: Sequence[Outcomes]) -> list[dict[str, Any]]:
    """A row for each of the `measures` of sessions."""
    rows = []
    for name, seen in measures(logged).items():
        means = np.array([measures(sessions)[name].mean() for sessions in simulated])
        low, high = percentile_interval(means[1:])
        rows.append({"of": name, "seen": float(seen.mean()), "simulated": float(means[0]), "range95": [low, high]})
    return rows


def measures(sessions: Outcomes) -> dict[str, Floats]:
    """What is compared of sessions, [S] each."""
    return {
        "clicks for each slate": sessions.clicks / sessions.slates,
        "slates in a session": sessions.slates,
        "return of a session": sessions.reward,
    }


def doubts_of(model: SessionModel, logged: Outcomes, simulated: Sequence[Outcomes]) -> list[str]:
    """What held-out sessions say against the model."""
    doubts = [model.users.warning] if model.users.warning else []
    off, error = model.off
    if abs(off) > max(NOTABLE, 3 * error):
        doubts.append(f"in a tenth of the slates the model's ends of sessions are off by {off:+.2f}")
    for row in compared(logged, simulated):
        seen, (low, high) = row["seen"], row["range95"]
        if not low <= seen <= high and abs(row["simulated"] - seen) > NOTABLE * abs(seen):
            doubts.append(f"{row['of']}: {row['simulated']:.4g} in the model, {seen:.4g} in the log")
    return doubts


def _estimate(values: Sequence[float], sessions: int, doubts: Sequence[str], late: float) -> Estimate:
    beyond = [f"{late:.0%} of its sessions outlast every logged one"] if late > LATE else []
    return Estimate(SESSION_MODEL, "session", np.array(values), sessions, 1.0, "; ".join([*doubts, *beyond]))
