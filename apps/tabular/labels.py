"""Judges of finite problems: what each would say to every action in every state.

All of them are privileged: they are made from the best values Q*, which no learner has.
"""

import numpy as np
from numpy.typing import NDArray

from apps.tabular.mdp import EQUAL, FiniteMDP, value_iteration
from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Judgment, Verdict

Labels = NDArray[np.int64]  # [state, action] +1 good, 0 neutral or silent, -1 bad
Table = list[list[Judgment]]  # [state][action]
VERDICTS = {1: Verdict.GOOD, 0: Verdict.NEUTRAL, -1: Verdict.BAD}


def oracle_labels(mdp: FiniteMDP) -> Labels:
    """+1 for every best action, -1 for every other."""
    q = value_iteration(mdp)
    return np.where(q >= q.max(axis=1, keepdims=True) - EQUAL, 1, -1)


def make_labels(name: str, mdp: FiniteMDP, rng: np.random.Generator) -> Labels:
    """The labels of the judge `name`: oracle, noisy:P, adversarial, constant, random or none.

    noisy:P says the oracle's label with probability P and the opposite otherwise, drawn once for every state and
    action: asked again, it says the same again. UserError for another name.
    """
    kind, _, argument = name.partition(":")
    truth = oracle_labels(mdp)
    if kind == "noisy":
        try:
            accuracy = float(argument)
        except ValueError:
            accuracy = -1.0
        if not 0 <= accuracy <= 1:
            raise UserError(f"judge {name}: noisy:P is right with a probability P in [0, 1]")
        return np.where(rng.random(truth.shape) < accuracy, truth, -truth)
    simple = {
        "oracle": truth,
        "adversarial": -truth,
        "constant": np.ones_like(truth),
        "random": rng.integers(-1, 2, size=truth.shape),
        "none": np.zeros_like(truth),
    }
    if kind not in simple or argument:
        raise UserError(f"judge {name}: no such tabular judge; choose one of {', '.join(simple)}, noisy:P")
    return np.asarray(simple[kind], dtype=np.int64)


def judgments(labels: Labels) -> Table:
    """[state][action] the labels as judgments, for a shift rule."""
    return [[Judgment(VERDICTS[label]) for label in row] for row in labels.tolist()]
