"""Judges of finite problems that know how sure they are: graded opinions, and confidence behind the real gate.

All are made from the best values Q* plus noise, and so are privileged.
"""

from dataclasses import dataclass

import numpy as np

from apps.tabular.domain import TabularDomain
from apps.tabular.env import TEMPLATE, LabelJudge, described
from apps.tabular.labels import Table, oracle_labels
from apps.tabular.mdp import FiniteMDP, Floats, value_iteration
from lmgt_core.audit.gate import SelectiveGate, audit_judge
from lmgt_core.judging.graded import graded
from lmgt_core.judging.judgment import Judgment, Verdict


def graded_opinions(mdp: FiniteMDP, noise: float, rng: np.random.Generator) -> Floats:
    """[state, action] opinions in [-1, 1]: how much better an action is than its state's average, with noise.

    The largest difference in a state counts 1; `noise` is a normal distribution's standard deviation, drawn once for
    every state and action.
    """
    q = value_iteration(mdp)
    gain = q - q.mean(axis=1, keepdims=True)
    size = np.abs(gain).max(axis=1, keepdims=True)
    return np.asarray(np.clip(gain / np.where(size == 0, 1, size) + rng.normal(0, noise, q.shape), -1, 1))


def graded_table(opinions: Floats, granularity: str) -> Table:
    """The opinions as judgments: their sign (binary), with a neutral zone (ternary), or as P(good) - P(bad)."""
    return [[graded(float(opinion), granularity) for opinion in row] for row in opinions]


def confident_table(mdp: FiniteMDP, least: float, rng: np.random.Generator) -> Table:
    """A judge that is right as often as it says: each answer has a confidence drawn evenly from `least` to 1."""
    truth = oracle_labels(mdp)
    confidence = rng.uniform(least, 1, truth.shape)
    right = rng.random(truth.shape) < confidence
    said = np.where(right, truth, -truth)
    return [
        [_confident(bool(label > 0), float(c)) for label, c in zip(row, sure, strict=True)]
        for row, sure in zip(said, confidence, strict=True)
    ]


def _confident(good: bool, confidence: float) -> Judgment:
    rest = 1 - confidence
    if good:
        return Judgment(Verdict.GOOD, (confidence, 0.0, rest))
    return Judgment(Verdict.BAD, (rest, 0.0, confidence))


@dataclass(frozen=True)
class Gated:
    """A table behind the audit's gate, and what the gate let through: share, and share of it that is right."""

    table: Table
    coverage: float
    precision: float | None


def gate(mdp: FiniteMDP, table: Table, min_precision: float | None, rng: np.random.Generator) -> Gated:
    """The judge behind its gate, audited on as many good as bad actions; ungated if `min_precision` is None.

    Precision and coverage are those on all actions of all states that are no ends, where most actions are bad; what is
    demanded holds at that rate.
    """
    domain, judge = TabularDomain(mdp), LabelJudge(table)
    truth = domain.truth
    states = np.flatnonzero(~mdp.terminal)
    gated = [list(row) for row in table]
    if min_precision is not None:
        probes = domain.probes(TEMPLATE.render, rng)
        audit = audit_judge(judge, probes, min_precision, rng, gated=True, play_rates=domain.play_rates())
        selective = SelectiveGate(judge, audit.thresholds)
        for s in states:
            gated[s] = selective.judge([TEMPLATE.render(described(int(s), a)) for a in range(mdp.actions)])
    spoken = [(gated[s][a].label, truth[s, a]) for s in states for a in range(mdp.actions) if gated[s][a].label]
    coverage = len(spoken) / (len(states) * mdp.actions)
    return Gated(gated, coverage, float(np.mean([said == true for said, true in spoken])) if spoken else None)
