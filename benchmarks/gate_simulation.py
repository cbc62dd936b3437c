"""How often the audit's promise is broken, on synthetic judges: `python -m benchmarks.gate_simulation`.

The promise is broken if the true precision behind the chosen threshold is less than demanded. Beside the gate stand the
rule that it replaced (that of revision de9cdfe, kept here and nowhere else).
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is imported

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

import lmgt_core
from benchmarks.synthetic_judges import BAD, DEMAND, FAMILIES, GOOD, Family, Rng, Trial
from lmgt_core.audit.play_rates import demands_on_probes
from lmgt_core.audit.precision import clopper_pearson, group_weights
from lmgt_core.audit.thresholds import DELTA, MIN_PROBES, find_thresholds
from lmgt_core.files import write_atomic
from lmgt_core.training.provenance import command_line, git_revision, machine


def gate(trial: Trial, rng: Rng) -> float | None:
    """The threshold that the gate chooses."""
    demands, delta = demands_on_probes({GOOD: DEMAND}, trial.rates, {GOOD: 0.5, BAD: 0.5}, trial.heard, DELTA)
    return find_thresholds(trial.answers, demands, rng, delta)[GOOD]


def rule_before(trial: Trial, rng: Rng) -> float | None:
    """The threshold that the gate chose at revision de9cdfe: on half of the groups, twenty quantiles are tried.

    The lowest one with 20 answers and a lower 95 % bound of the demand is taken; the bound is the smaller of
    Clopper-Pearson's and a cluster bootstrap's, and is not corrected for the search.
    """
    every = trial.answers
    names = rng.permutation(np.unique(every.group))
    answers = every.where(np.isin(every.group, names[: (len(names) + 1) // 2]))
    if len(answers) < MIN_PROBES:
        return None
    candidates = np.unique(np.quantile(answers.confidence, np.linspace(0, 1, 20, endpoint=False), method="lower"))
    above = answers.confidence[:, None] >= candidates[None, :]
    right = above & answers.right[:, None]
    exact = np.array([clopper_pearson(int(r), int(n), 0.05) for r, n in zip(right.sum(0), above.sum(0), strict=True)])
    groups, group = np.unique(answers.group, return_inverse=True)
    sums = np.zeros((2, len(groups), len(candidates)))
    np.add.at(sums[0], group, right)
    np.add.at(sums[1], group, above)
    weights = group_weights(len(groups), rng)
    drawn = weights @ sums[1]
    shares = np.divide(weights @ sums[0], drawn, out=np.zeros_like(drawn), where=drawn > 0)
    lower = np.minimum(exact, np.quantile(shares, 0.05, axis=0, method="lower")) if len(groups) > 1 else 0 * exact
    trusted = candidates[(above.sum(0) >= MIN_PROBES) & (lower >= DEMAND)]
    return float(trusted[0]) if len(trusted) else None


RULES: Mapping[str, Callable[[Trial, Rng], float | None]] = {
    "before": rule_before,
    "now": gate,
}


@dataclass(frozen=True)
class Outcome:
    """How often a rule broke the promise in `trials`, and the mean coverage that it found."""

    broken: int
    trials: int
    coverage: float

    def __str__(self) -> str:
        n = self.trials
        low = clopper_pearson(self.broken, n, 0.025)
        high = 1 - clopper_pearson(n - self.broken, n, 0.025)
        return f"{100 * self.broken / n:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def simulate(family: Family, rule: str, trials: int, seed: int = 0) -> Outcome:
    """What the rule does on `trials` judges of the family; every rule sees the same judges."""
    broken, coverage = 0, 0.0
    for number in range(trials):
        trial = family.draw(np.random.default_rng([seed, number]))
        threshold = RULES[rule](trial, np.random.default_rng([seed, number, 1]))
        if threshold is not None:
            broken += trial.precision(threshold) < DEMAND
            coverage += trial.coverage(threshold)
    return Outcome(broken, trials, coverage / trials)


@dataclass(frozen=True)
class SimulationConfig:
    """Simulates the gate on synthetic judges and prints how often its promise is broken."""

    trials: int = 2000
    """Judges of each family."""
    out: Path | None = None
    """A page for the table (.md)."""


def table(trials: int) -> list[str]:
    """The lines of a Markdown table."""
    lines = [
        "| judges | broken before, % | broken now, % | coverage before | coverage now |",
        "| --- | --- | --- | --- | --- |",
    ]
    for family in FAMILIES:
        found = [simulate(family, rule, trials) for rule in RULES]
        errors = [str(outcome) if family.hard else "" for outcome in found]
        coverage = [f"{outcome.coverage:.2f}" for outcome in found]
        lines.append("| " + " | ".join([family.name, *errors, *coverage]) + " |")
        print(lines[-1], flush=True)
    return lines


def page(lines: list[str], trials: int, seconds: float) -> str:
    """The page for the table."""
    revision = git_revision(Path(lmgt_core.__path__[0]))
    return PAGE.format(
        table="\n".join(lines),
        trials=trials,
        seconds=seconds,
        command=command_line(),
        revision=revision,
        cpu=machine()["cpu"],
    )


PAGE = """# How often the gate breaks its promise

This page is for those who want to know what `--min-precision .75` is worth: how often the gate lets a verdict through
that is right less often than was demanded, and how much of a good judge it loses by being careful.

{trials} synthetic judges of each sort (`benchmarks/synthetic_judges.py`) are audited on 400 answers where the name does
not say otherwise; a precision of .75 is demanded, and may be missed in 10 % of audits (delta). *Broken*: the gate spoke
and its true precision was under .75, in percent of all audits, with the exact 95 % interval. *Coverage*: the mean share
of good answers that the gate let through, 0 where it stayed silent. *At the border* means a true precision of .7499, so
that whatever is let through breaks the promise. Rows without an error are of judges that are good enough everywhere.

- **before**: twenty thresholds, uncorrected bounds, half of the probes, at the probes' rates (revision de9cdfe)
- **now**: fixed-sequence tests on all probes, exact binomial tails or a careful t-test of groups, at the rate of play

{table}

Made by `{command}` at revision {revision}, in {seconds:.0f} CPU seconds on {cpu}, two cores that others used too.

## How the promise is kept

**One look, many thresholds.** Answers are sorted by falling confidence. Each threshold is tested in turn, and testing
stops at the first one that fails; the last that passed is the gate's. To let a threshold through that is too low, the
first that is too low has to pass, so the chance of that is the chance of one wrong test, however many are made
(fixed-sequence testing; Angelopoulos et al., arXiv 2110.01052; Jung et al., arXiv 2407.18370). The most confident
answer alone proves nothing, so tests begin at up to four fixed numbers of answers, which share delta.

Where all answers have one confidence there is one test, which by the exact binomial passes 9.0 % of judges at the
border (312 right answers of 400 at .7499).

**If confidence is not monotone**, so that surer answers are wrong more often, tests fail early and what lies below is
not found. Coverage is lost; the promise stays.

**Questions in groups.** Five questions about one topic are one piece of evidence if the judge errs about topics. Where
questions come in groups, the excess of right answers over what was demanded is taken for each group, and the mean of
these is tested by Student's t with one more group as uncertain as one can be, whatever happens within groups
(cluster-robust inference; Liang and Zeger 1986). That is an approximation, bold where errors are rare, so p-values are
doubled; without that, rows with groups at the border broke the promise in 12 to 14 %. Bets on groups (Waudby-Smith and
Ramdas, arXiv 2010.09686) would be exact, but could not prove what is plain: 513 right answers of 592 about 27 objects
(the judge `preference` on Housekeep's votes). No method gets more from g groups without an error than a precision of
delta to the power of 1 / g: nineteen, as many as Housekeep's built-in table has validation objects, cannot prove .89.

**The rate of play.** Half of the probes have the answer good. Where an agent that knows nothing meets good less often,
a false GOOD is met more often than on the probes, and more is demanded there: with a rate of .3, a GOOD has to be right
in .877 of balanced probes to be right in .75 of decisions. Domains say what they know of this (`play_rates`): Housekeep
from train objects' labels, one rate for picks and places together, tabular worlds from all their states and actions.
In CartPole one of two actions is good in every state, so random play has the probes' rates. Rates that were counted or
estimated take a fifth of delta.
"""


def main(config: SimulationConfig) -> None:
    """Prints the table, and writes the page."""
    start = time.process_time()
    lines = table(config.trials)
    seconds = time.process_time() - start
    print(f"{seconds:.0f} CPU seconds")
    if config.out is not None:
        write_atomic(config.out, page(lines, config.trials, seconds))


if __name__ == "__main__":
    main(tyro.cli(SimulationConfig))
