"""Where learning with a shift rule ends, calculated: the greedy policy at the fixed point of the rule's updates.

No sampling, no step size, no exploration: if a policy here is not optimal, no amount of training mends it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from apps.tabular.labels import Labels, Table, judgments
from apps.tabular.mdp import PRECISION, FiniteMDP, Floats, greedy, value_iteration
from lmgt_core.rules.agent_rule import AgentRule, advice_shift
from lmgt_core.rules.potential import Potential
from lmgt_core.rules.shift import ShiftRule

LAST = 10**9  # a step at which every schedule has ended
SWEEPS = 100_000


def shift_table(rule: ShiftRule | AgentRule, said: Table) -> Floats:
    """[state, action] the deltas of a rule that keeps no state."""
    return np.stack([rule.delta(row) for row in said]).astype(np.float64)


def limit_policy(mdp: FiniteMDP, rule: ShiftRule | AgentRule, labels: Labels) -> NDArray[np.int64]:
    """[state] the policy that training for ever with `rule` and a judge of these labels ends at."""
    delta = shift_table(rule, judgments(labels))
    if isinstance(rule, Potential):
        phi = np.where(mdp.terminal, 0.0, delta.mean(axis=1))
        shaped = mdp.shifted(mdp.discount * phi[None, None, :] - phi[:, None, None])
        return greedy(value_iteration(shaped))
    if isinstance(rule, AgentRule):
        return greedy((_learned_advice if rule.learns_advice else _given_advice)(mdp, rule, delta))
    return greedy(value_iteration(mdp.shifted(rule.weight(LAST) * delta)))


def _given_advice(mdp: FiniteMDP, rule: AgentRule, phi: Floats) -> Floats:
    """[state, action] the preference at look-ahead advice's fixed point."""
    phi = np.where(mdp.terminal[:, None], 0.0, phi)
    rows = np.arange(mdp.states)

    def update(q: Floats) -> Floats:
        chosen = rule.preference(q, phi, LAST).argmax(axis=1)
        shaped = mdp.shifted(advice_shift(phi[:, :, None], phi[rows, chosen][None, None, :], np.array(mdp.discount)))
        return shaped.backup(q[rows, chosen])

    return np.asarray(rule.preference(_settled(update, np.zeros_like(phi)), phi, LAST))


def _learned_advice(mdp: FiniteMDP, rule: AgentRule, delta: Floats) -> Floats:
    """[state, action] the preference where both critics have settled: the task's at Q*, and that of the shifts."""
    q = value_iteration(mdp)
    rows = np.arange(mdp.states)
    unpaid = FiniteMDP(mdp.name, mdp.transitions, 0 * mdp.rewards, mdp.terminal, mdp.start, mdp.discount)
    shifts = unpaid.shifted(delta)

    def update(advice: Floats) -> Floats:
        chosen = rule.preference(q, advice, LAST).argmax(axis=1)
        return shifts.backup(advice[rows, chosen])

    return np.asarray(rule.preference(q, _settled(update, np.zeros_like(q)), LAST))


def _settled(update: Callable[[Floats], Floats], values: Floats) -> Floats:
    for _ in range(SWEEPS):
        before, values = values, update(values)
        if np.abs(values - before).max() <= PRECISION * max(1.0, float(np.abs(values).max())):
            return values
    raise ArithmeticError("the values have not settled: the updates have no fixed point")
