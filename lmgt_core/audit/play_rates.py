"""What has to be demanded on the probes so that a precision holds in play, where labels occur at other rates.

On balanced probes one question in two has the answer good; where an agent places objects at random, it is one in ten,
and a GOOD that is right three times in four on the probes is right one time in four in play. What carries over, if the
questions with one label are the same in play as among the probes (label shift), is how often a verdict is given to
each label. Then, with w_l the rate of label l in play divided by its share of the probes,

    precision in play of verdict v  =  w_v right / (w_v right + sum over wrong labels of w_l wrong_l)

which is at least d if the precision on the probes is at least o / (1 + o), o = d / (1 - d) * max of wrong w_l / w_v.
So the exact tests on the probes stay as they are, at another demand. With two labels this loses nothing; with three it
is on the safe side. The demand is never lowered: what always gives the label that is common in play would pass there,
and has nothing to say.

Rates that were counted are uncertain. They get a fifth of delta: w_v is computed from a lower bound and the other
weights from upper bounds, all of which hold with that probability (exact binomial bounds, Clopper and Pearson 1934).
Where play has no labels, the rate of v follows from how often the judge says v there and how often it says v to probes
with and without this label (Rogan and Gladen 1978), with a third of the fifth for each of the three. Prediction-powered
inference (Angelopoulos et al. 2023, arXiv 2301.09633) is no substitute: it asks for labels drawn from play itself.
Decisions of one episode depend on each other; count one of each episode, or the bounds are too narrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lmgt_core.audit.demands import Demands
from lmgt_core.audit.precision import clopper_pearson
from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import VERDICTS, Verdict

RATES_SHARE = 0.2  # of delta, for the rates of play where they were counted


@dataclass(frozen=True)
class PlayRates:
    """How often labels occur among the decisions of an agent; make one with `known`, `counted` or `unlabelled`.

    `numbers` are shares of the labels, counts of the labels, or counts of what the judge said in play, out of `n`
    decisions (those on which it said nothing included).
    """

    kind: Literal["known", "counted", "unlabelled"]
    numbers: Mapping[Verdict, float]
    n: int = 0

    @classmethod
    def known(cls, shares: Mapping[Verdict, float]) -> "PlayRates":
        """Shares of the labels that are known without doubt; they sum to 1."""
        if any(share < 0 for share in shares.values()) or not np.isclose(sum(shares.values()), 1.0):
            raise UserError(f"rates of play {dict(shares)}: shares are not negative, and sum to 1")
        return cls("known", dict(shares))

    @classmethod
    def counted(cls, labels: Mapping[Verdict, int]) -> "PlayRates":
        """Counts of true labels among decisions of play that were drawn independently of each other."""
        if sum(labels.values()) < 1:
            raise UserError("rates of play: no decisions were counted")
        return cls("counted", dict(labels), sum(labels.values()))

    @classmethod
    def unlabelled(cls, said: Mapping[Verdict, int], n: int) -> "PlayRates":
        """Counts of what the judge said on `n` independent decisions of play whose labels are not known."""
        if n < 1 or sum(said.values()) > n:
            raise UserError(f"rates of play: {sum(said.values())} verdicts do not go with {n} decisions")
        return cls("unlabelled", dict(said), n)

    @property
    def uncertain(self) -> bool:
        """Whether the rates come from a sample."""
        return self.kind != "known"


@dataclass(frozen=True, eq=False)
class Confusion:
    """What a judge said to labelled probes: `counts[said][label]`, out of `totals[label]` independent probes."""

    counts: Mapping[Verdict, Mapping[Verdict, int]]
    totals: Mapping[Verdict, int]


def confusion(said: NDArray[np.str_], label: NDArray[np.str_]) -> Confusion:
    """Counts of verdicts (empty where nothing was said) and labels of probes that are independent of each other."""
    return Confusion(
        {v: {t: int(((said == v.value) & (label == t.value)).sum()) for t in VERDICTS} for v in VERDICTS},
        {t: int((label == t.value).sum()) for t in VERDICTS},
    )


def demands_on_probes(
    demands: Demands, rates: PlayRates | None, shares: Mapping[Verdict, float], heard: Confusion, delta: float
) -> tuple[dict[Verdict, float], float]:
    """What to demand of each verdict on probes with these `shares` of labels, and what is left of delta for the tests.

    1.0 where no sample of probes can show that the demand holds in play.
    """
    if rates is None:
        return dict(demands), delta
    spent = RATES_SHARE * delta if rates.uncertain else 0.0
    raised = {v: _demand(v, demand, rates, shares, heard, spent) for v, demand in demands.items()}
    return raised, delta - spent


def _demand(
    verdict: Verdict, demand: float, rates: PlayRates, shares: Mapping[Verdict, float], heard: Confusion, alpha: float
) -> float:
    low, high = rate_bounds(verdict, rates, heard, alpha)
    missing = [label.value for label in VERDICTS if not shares.get(label) and rates.numbers.get(label)]
    if missing and rates.kind != "unlabelled":
        raise UserError(f"rates of play: decisions are {', '.join(missing)} there, and no probe is")
    if low <= 0 or not shares.get(verdict):
        return 1.0
    wrong = max((high[label] / shares[label] for label in high if shares.get(label)), default=0.0)
    odds = demand / (1 - demand) * wrong / (low / shares[verdict])
    return max(demand, odds / (1 + odds))


def rate_bounds(
    verdict: Verdict, rates: PlayRates, heard: Confusion, alpha: float
) -> tuple[float, dict[Verdict, float]]:
    """A lower bound of the rate of `verdict` as a label in play, and upper bounds of the rates of the other labels.

    All hold together with probability 1 - alpha; where two labels are possible, the one bound gives the other.
    """
    others = [label for label in VERDICTS if label is not verdict and heard.totals.get(label)]
    if rates.kind == "known":
        return rates.numbers.get(verdict, 0.0), {label: rates.numbers.get(label, 0.0) for label in others}
    if rates.kind == "unlabelled":
        low = _rogan_gladen(verdict, rates, heard, others, alpha)
        return low, dict.fromkeys(others, 1.0 - low)
    each = alpha if len(others) == 1 else alpha / (1 + len(others))
    low = clopper_pearson(int(rates.numbers.get(verdict, 0)), rates.n, each)
    return low, {
        label: 1.0 - clopper_pearson(rates.n - int(rates.numbers.get(label, 0)), rates.n, each) for label in others
    }


def _rogan_gladen(verdict: Verdict, rates: PlayRates, heard: Confusion, others: list[Verdict], alpha: float) -> float:
    """A lower bound of the rate of a label: (share said - false rate) / (true rate - false rate), each at its worst."""
    if not heard.totals.get(verdict) or not others:
        return 0.0
    each = alpha / (2 + len(others))
    said = clopper_pearson(int(rates.numbers.get(verdict, 0)), rates.n, each)
    counts = heard.counts[verdict]
    false = max(_upper(counts[label], heard.totals[label], each) for label in others)
    true = _upper(counts[verdict], heard.totals[verdict], each)
    return min(1.0, max(0.0, (said - false) / (true - false))) if true > false else 0.0


def _upper(count: int, n: int, alpha: float) -> float:
    return 1.0 - clopper_pearson(n - count, n, alpha)
