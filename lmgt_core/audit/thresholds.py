"""The confidence from which on each verdict of a judge holds what is demanded of it.

The promise, for each verdict apart: with probability at least 1 - delta over the draw of probes, the precision behind
the gate is at least what was demanded, whichever threshold was chosen. For two verdicts together it is 1 - 2 delta.

Probes about one object or one topic share their errors, and are not taken for independent. Groups are assumed to be
drawn independently of each other; nothing is assumed about what happens within one. What is promised is the precision
of an answer drawn so: a group at random among those with an answer behind the gate, and then one of these answers.

- Where groups have fewer than three answers of a verdict on average, one of each group's is drawn, and the drawn ones
  are tested with exact binomial tails. The promise is then exact, whatever the confidence (`fixed_sequence`).
- Where they have more, all answers are used, by bets on the means of groups (`group_bets`). The promise is exact for a
  precision that falls below the demand once as the threshold is lowered. If it crosses the demand several times, a
  start of the tests may fall between two crossings, and then the argument holds only nearly; no simulated judge broke
  the promise more often for it.

Which of the two is taken depends on how many answers there are, not on whether they are right.
benchmarks/gate_simulation.py measures both on groups: bets find up to twice as much where answers of a group hardly
depend on each other, and less where a group is all right or all wrong.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from lmgt_core.audit.audit import Thresholds
from lmgt_core.audit.fixed_sequence import passed_ranks, start_ranks
from lmgt_core.audit.group_bets import counts_by_rank, p_values_of_groups, ranks_of_groups
from lmgt_core.audit.precision import Answers
from lmgt_core.judging.judgment import Verdict

LABELS: Mapping[Verdict, int] = {Verdict.GOOD: 1, Verdict.NEUTRAL: 0, Verdict.BAD: -1}
DELTA = 0.1  # how often a promise may fail
MIN_PROBES = 20  # answers of a verdict before anything is tested
BETS_FROM = 3.0  # answers a group on average; with fewer, one of each group finds more
TOLERANCE = 1e-6  # of confidences: a model's last digits change with the batch


@dataclass(frozen=True)
class Evidence:
    """What was tested of one verdict: its threshold (None: there is none), and the tested answers.

    `independent`: groups that had an answer; `admitted`: tested answers at or above the threshold, of which `right`
    were right; so much evidence has at most a probability of `p_value` where the precision is less than demanded.
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
    bets_from: float = BETS_FROM,
) -> Thresholds:
    """For each verdict the lowest confidence from which on its precision is surely as demanded, or None."""
    found = find_evidence(answers, demands, rng, delta, min_probes, bets_from)
    return {verdict: evidence.threshold for verdict, evidence in found.items()}


def find_evidence(
    answers: Answers,
    demands: Mapping[Verdict, float] | float,
    rng: np.random.Generator,
    delta: float = DELTA,
    min_probes: int = MIN_PROBES,
    bets_from: float = BETS_FROM,
) -> dict[Verdict, Evidence]:
    """For each verdict its threshold and what speaks for it; `rng` draws answers and orders.

    `bets_from`: answers of a verdict a group from which on groups are tested by bets. A verdict without a demand, or
    with a demand of 1, which no sample can confirm, has no threshold.
    """
    wanted = dict.fromkeys(LABELS, demands) if isinstance(demands, int | float) else demands
    return {
        verdict: _evidence(
            answers.where(answers.said == label), wanted.get(verdict, 1.0), rng, delta, min_probes, bets_from
        )
        for verdict, label in LABELS.items()
    }


def _evidence(
    answers: Answers, demand: float, rng: np.random.Generator, delta: float, min_probes: int, bets_from: float
) -> Evidence:
    groups = len(np.unique(answers.group))
    if len(answers) < min_probes or demand >= 1.0:
        return Evidence(None, groups)
    together = len(answers) >= bets_from * groups
    tested = answers.at(rng.permutation(len(answers))) if together else one_of_each_group(answers, rng)
    # Both are in random order, and so equal confidences are in the end.
    tested = tested.at(np.argsort(-tested.confidence, kind="stable"))
    starts = start_ranks(groups, demand, delta)
    if together:
        admitted, right = counts_by_rank(tested.group, tested.right)
        p_values = p_values_of_groups(admitted, right, demand, delta / 2, rng)
        starts = sorted({*ranks_of_groups(admitted, starts[:-1]), len(tested)})
    else:
        p_values = _binomial_tails(tested.right, demand)
    below = np.append(tested.confidence[1:], -np.inf)
    passed = passed_ranks(p_values, tested.confidence > below, starts, delta)
    # A gate admits what is TOLERANCE under its threshold: no tested answer may lie between the two.
    clear = [rank for rank in passed if below[rank - 1] < tested.confidence[rank - 1] - TOLERANCE]
    if not clear:
        return Evidence(None, groups)
    last = clear[-1]
    found, hits = float(tested.confidence[last - 1]), int(tested.right[:last].sum())
    return Evidence(found, groups, last, hits, min(1.0, float(p_values[last - 1])))


def _binomial_tails(right: NDArray[np.bool_], demand: float) -> NDArray[np.float64]:
    """[rank] the chance of as many right ones among the first answers, or more, where each is right with `demand`."""
    from scipy.stats import binom

    return np.asarray(binom.sf(np.cumsum(right) - 1, np.arange(1, len(right) + 1), demand))


def one_of_each_group(answers: Answers, rng: np.random.Generator) -> Answers:
    """One answer of each group, drawn by `rng`, all in random order."""
    shuffled = answers.at(rng.permutation(len(answers)))
    _, first = np.unique(shuffled.group, return_index=True)
    return shuffled.at(np.sort(first))
