"""The confidence from which on each verdict of a judge holds what is demanded of it.

The promise, for each verdict apart: with probability at least 1 - delta over the draw of probes, the precision behind
the gate is at least what was demanded, whichever threshold was chosen. For two verdicts together it is 1 - 2 delta.

Probes about one object or one topic share their errors, and are not taken for independent: of the answers of a group
with the same verdict one is drawn, and only the drawn ones are tested, with exact binomial tails. This assumes that
groups are drawn independently of each other, and nothing about what happens within one. What is promised is the
precision of an answer drawn so: a group at random, and then one of its answers behind the gate that is drawn as the
probes were. Where every probe is its own group, nothing is lost. Bets on the means of groups (Waudby-Smith and Ramdas
2024) use all answers; benchmarks/gate_simulation.py measures both. They find more where groups are large and their
answers hardly depend on each other, and less elsewhere, and their promise is not exact where precision does not rise
with confidence; so one answer a group it is.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from lmgt_core.audit.audit import Thresholds
from lmgt_core.audit.fixed_sequence import passed_ranks, start_ranks
from lmgt_core.audit.precision import Answers
from lmgt_core.judging.judgment import Verdict

LABELS: Mapping[Verdict, int] = {Verdict.GOOD: 1, Verdict.NEUTRAL: 0, Verdict.BAD: -1}
DELTA = 0.1  # how often a promise may fail
MIN_PROBES = 20  # independent answers in a region before it may be trusted
TOLERANCE = 1e-6  # of confidences: a model's last digits change with the batch


@dataclass(frozen=True)
class Evidence:
    """What was tested of one verdict: its threshold (None: there is none), and the tested answers.

    `independent`: answers that were tested, one a group; `admitted`: those of them at or above the threshold, of which
    `right` were right; with a threshold, so many right ones have at most a probability of `p_value` at the border.
    """

    threshold: float | None
    independent: int
    admitted: int = 0
    right: int = 0
    p_value: float | None = None

    def as_dict(self) -> dict[str, float | int | None]:
        """The fields by name, without the threshold."""
        return {name: value for name, value in asdict(self).items() if name != "threshold"}


def find_thresholds(
    answers: Answers,
    demands: Mapping[Verdict, float] | float,
    rng: np.random.Generator,
    delta: float = DELTA,
    min_probes: int = MIN_PROBES,
) -> Thresholds:
    """For each verdict the lowest confidence from which on its precision is surely as demanded, or None."""
    found = find_evidence(answers, demands, rng, delta, min_probes)
    return {verdict: evidence.threshold for verdict, evidence in found.items()}


def find_evidence(
    answers: Answers,
    demands: Mapping[Verdict, float] | float,
    rng: np.random.Generator,
    delta: float = DELTA,
    min_probes: int = MIN_PROBES,
) -> dict[Verdict, Evidence]:
    """For each verdict its threshold and what speaks for it; `rng` draws one answer a group, and sorts equal ones.

    A verdict without a demand, or with a demand of 1, which no sample can confirm, has no threshold.
    """
    wanted = dict.fromkeys(LABELS, demands) if isinstance(demands, int | float) else demands
    return {
        verdict: _evidence(answers.where(answers.said == label), wanted.get(verdict, 1.0), rng, delta, min_probes)
        for verdict, label in LABELS.items()
    }


def _evidence(answers: Answers, demand: float, rng: np.random.Generator, delta: float, min_probes: int) -> Evidence:
    from scipy.stats import binom

    drawn = one_of_each_group(answers, rng)
    n = len(drawn)
    if n < min_probes or demand >= 1.0:
        return Evidence(None, n)
    order = np.argsort(-drawn.confidence, kind="stable")  # `drawn` is in random order, and so are equal confidences
    confidence, right = drawn.confidence[order], np.cumsum(drawn.right[order])
    p_values = binom.sf(right - 1, np.arange(1, n + 1), demand)
    below = np.append(confidence[1:], -np.inf)
    passed = passed_ranks(p_values, confidence > below, start_ranks(n, min_probes), delta)
    # A gate admits what is TOLERANCE under its threshold: no tested answer may lie between the two.
    clear = [rank for rank in passed if below[rank - 1] < confidence[rank - 1] - TOLERANCE]
    if not clear:
        return Evidence(None, n)
    last = clear[-1] - 1
    return Evidence(float(confidence[last]), n, clear[-1], int(right[last]), float(p_values[last]))


def one_of_each_group(answers: Answers, rng: np.random.Generator) -> Answers:
    """One answer of each group, drawn by `rng`, all in random order."""
    shuffled = answers.at(rng.permutation(len(answers)))
    _, first = np.unique(shuffled.group, return_index=True)
    return shuffled.at(np.sort(first))
