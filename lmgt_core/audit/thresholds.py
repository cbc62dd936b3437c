"""The confidence from which on each verdict of a judge holds what is demanded of it.

The promise, for each verdict apart: with probability at least 1 - delta over the draw of probes, the precision behind
the gate is at least what was demanded, whichever threshold was chosen. For two verdicts together it is 1 - 2 delta.

Probes about one object or one topic share their errors, and are not taken for independent. Groups are assumed to be
drawn independently of each other; nothing is assumed about what happens within one. What is promised is the share of
right ones among all answers behind the gate, given how many of these each group has.

- Where every question is a group of its own, the tests are exact binomial tails (`fixed_sequence`), and the promise is
  exact, whatever the confidence.
- Else they are tests of the mean of groups (`group_tests`), and the promise is approximate: Student's t for few groups,
  and starts of the tests, which are ranks, where precision crosses the demand several times. Of simulated judges none
  broke it more often than promised.

Few groups prove little: if all answers of a group may fail together, g groups without an error cannot show a precision
above delta to the power of 1 / g, which is .89 for nineteen.
benchmarks/gate_simulation.py measures error and coverage.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from lmgt_core.audit.audit import Thresholds
from lmgt_core.audit.fixed_sequence import passed_ranks, start_ranks
from lmgt_core.audit.group_tests import counts_by_rank, p_values_of_groups
from lmgt_core.audit.precision import Answers
from lmgt_core.judging.judgment import Verdict

LABELS: Mapping[Verdict, int] = {Verdict.GOOD: 1, Verdict.NEUTRAL: 0, Verdict.BAD: -1}
DELTA = 0.1  # how often a promise may fail
MIN_PROBES = 20  # answers of a verdict before anything is tested
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
    """For each verdict its threshold and what speaks for it; `answers` are of all verdicts, `rng` draws orders.

    A verdict without a demand, or with a demand of 1, which no sample can confirm, has no threshold.
    """
    wanted = dict.fromkeys(LABELS, demands) if isinstance(demands, int | float) else demands
    _, index, sizes = np.unique(answers.group, return_inverse=True, return_counts=True)
    size = sizes[index]  # [answer], of its group
    found = {}
    for verdict, label in LABELS.items():
        said = np.flatnonzero(answers.said == label)
        found[verdict] = _evidence(answers.at(said), size[said], wanted.get(verdict, 1.0), rng, delta, min_probes)
    return found


def _evidence(
    answers: Answers, size: NDArray[np.int64], demand: float, rng: np.random.Generator, delta: float, min_probes: int
) -> Evidence:
    groups = len(np.unique(answers.group))
    if len(answers) < min_probes or demand >= 1.0:
        return Evidence(None, groups)
    order = rng.permutation(len(answers))
    order = order[np.argsort(-answers.confidence[order], kind="stable")]  # equal confidences in random order
    tested = answers.at(order)
    one_confidence = tested.confidence[0] == tested.confidence[-1]  # then there is one threshold, and one test
    if size.max() > 1:
        counts, right = counts_by_rank(tested.group, tested.right)
        p_values = p_values_of_groups(counts, right, demand)
        met = (counts > 0).sum(axis=0)
    else:
        met = np.arange(1, len(tested) + 1)
        p_values = _binomial_tails(tested.right, demand)
    starts = [len(tested)] if one_confidence else start_ranks(met, demand, delta)
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
