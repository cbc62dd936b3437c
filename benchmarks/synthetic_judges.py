"""Synthetic judges of which everything is known, for the simulation of the audit's gate.

Each says good with a confidence, and how often that is right is known, so that a chosen threshold can be checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lmgt_core.audit.play_rates import Confusion, PlayRates
from lmgt_core.audit.precision import Answers
from lmgt_core.judging.judgment import Verdict

GOOD, NEUTRAL, BAD = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD
DEMAND = 0.75
UNDER = 0.7499  # as near under the demand as makes the promise broken
PROBES = 400  # of one verdict; of both labels under label shift
Floats = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Trial:
    """One synthetic judge's answers, and what is true of them: precision and coverage from a confidence on.

    All answers are good, but for those of `two_actions`.
    """

    answers: Answers
    precision: Callable[[float], float]
    coverage: Callable[[float], float]
    rates: PlayRates | None = None
    heard: Confusion = field(default_factory=lambda: Confusion({}, {}))


@dataclass(frozen=True)
class Family:
    """Judges of one sort; `hard` ones can break the promise, the others are there for their coverage."""

    name: str
    draw: Callable[[Rng], Trial]
    hard: bool = True


def said_good(confidence: Floats, chance: Floats, rng: Rng, group: NDArray[np.int64] | None = None) -> Answers:
    """Answers that say good and are right with these chances; without groups each is one of its own."""
    n = len(confidence)
    truth = np.where(rng.random(n) < chance, 1, -1)
    return Answers(np.ones(n, np.int64), truth, confidence, np.ones(n), np.arange(n) if group is None else group)


def curve(chance: Callable[[Floats], Floats], n: int = PROBES) -> Callable[[Rng], Trial]:
    """Judges with confidences spread evenly over (0, 1), each with its chance to be right."""
    points = (np.arange(4000) + 0.5) / 4000
    right = chance(points)
    above = np.append(np.cumsum(right[::-1])[::-1], 0.0)

    def precision(t: float) -> float:
        first = min(round(t * 4000), 3999)
        return float(above[first] / (4000 - first))

    def draw(rng: Rng) -> Trial:
        confidence = rng.random(n)
        return Trial(said_good(confidence, chance(confidence), rng), precision, lambda t: 1.0 - t)

    return draw


def levels(chances: Mapping[float, float], shares: list[float], n: int = PROBES) -> Callable[[Rng], Trial]:
    """Judges with a few confidences."""
    confidences, right, share = np.array(list(chances)), np.array(list(chances.values())), np.array(shares)

    def precision(t: float) -> float:
        behind = confidences >= t - 1e-9
        return float((right * share)[behind].sum() / share[behind].sum())

    def draw(rng: Rng) -> Trial:
        level = rng.choice(len(share), n, p=share)
        answers = said_good(confidences[level], right[level], rng)
        return Trial(answers, precision, lambda t: float(share[confidences >= t - 1e-9].sum()))

    return draw


def objects(precision: float, correlation: float, count: int, each: int) -> Callable[[Rng], Trial]:
    """Judges whose answers about one object succeed together: beta-binomial, or all or none at correlation 1."""

    def draw(rng: Rng) -> Trial:
        if correlation == 1:
            known = (rng.random(count) < precision).astype(float)
        else:
            rest = (1 - correlation) / correlation
            known = rng.beta(precision * rest, (1 - precision) * rest, count)
        group = np.repeat(np.arange(count), each)
        return Trial(
            said_good(rng.random(count * each), known[group], rng, group), lambda t: precision, lambda t: 1.0 - t
        )

    return draw


def two_actions(accuracy: float, states: int) -> Callable[[Rng], Trial]:
    """Judges of states with one good and one bad action: good is said of both, of one or of none of a state's two."""

    def draw(rng: Rng) -> Trial:
        truth = np.tile([1, -1], states)
        said = np.where(rng.random(2 * states) < accuracy, truth, -truth)
        group = np.repeat(np.arange(states), 2)
        answers = Answers(said, truth, rng.random(2 * states), np.ones(2 * states), group)
        return Trial(answers, lambda t: accuracy, lambda t: 1.0 - t)

    return draw


def sure_of_objects(
    chance: Callable[[Floats], Floats], correlation: float, count: int, each: int
) -> Callable[[Rng], Trial]:
    """Judges with one confidence for all answers about an object, which succeed together as in `objects`."""
    known = curve(chance, 1)

    def draw(rng: Rng) -> Trial:
        confidence, rest = rng.random(count), (1 - correlation) / correlation
        right = chance(confidence)
        group = np.repeat(np.arange(count), each)
        answers = said_good(confidence[group], rng.beta(right * rest, (1 - right) * rest)[group], rng, group)
        true = known(rng)
        return Trial(answers, true.precision, true.coverage)

    return draw


def over_and_under(c: Floats) -> Floats:
    """Precision behind a threshold crosses the demand again and again as it is lowered."""
    return 0.747 + 0.15 * np.sin(8 * np.pi * (1 - c))


def balanced(true: float, false: float) -> Callable[[Rng], Trial]:
    """Probes with as many good as bad ones by design; good is said to shares `true` and `false` of them."""

    def draw(rng: Rng) -> Trial:
        return _two_labels(true, false, 0.5, rng)[0]

    return draw


def shifted(true: float, false: float, rate: float, knows: str) -> Callable[[Rng], Trial]:
    """The same where good is the label of only `rate` of the decisions in play, which are known, counted or not."""

    def draw(rng: Rng) -> Trial:
        trial, heard = _two_labels(true, false, rate, rng)
        if knows == "known":
            rates = PlayRates.known({GOOD: rate, BAD: 1 - rate})
        elif knows == "counted":
            good = int(rng.binomial(300, rate))
            rates = PlayRates.counted({GOOD: good, BAD: 300 - good})
        else:
            said = int(rng.binomial(2000, rate * true + (1 - rate) * false))
            rates = PlayRates.unlabelled({GOOD: said}, 2000)
        return Trial(trial.answers, trial.precision, trial.coverage, rates, heard)

    return draw


def _two_labels(true: float, false: float, rate: float, rng: Rng) -> tuple[Trial, Confusion]:
    half = PROBES // 2
    right, wrong = int(rng.binomial(half, true)), int(rng.binomial(half, false))
    n = right + wrong
    truth = np.append(np.ones(right, np.int64), -np.ones(wrong, np.int64))
    answers = Answers(np.ones(n, np.int64), truth, rng.random(n), np.ones(n), np.arange(n))
    precision = rate * true / (rate * true + (1 - rate) * false)
    counts = {GOOD: {GOOD: right, NEUTRAL: 0, BAD: wrong}}
    heard = Confusion(counts, {GOOD: half, NEUTRAL: 0, BAD: half})
    return Trial(answers, lambda t: precision, lambda t: 1.0 - t), heard


def anyone(rng: Rng) -> Trial:
    """A judge of which nothing is known: precision jumps up and down at random; 60 to 600 answers."""
    steps = int(rng.integers(1, 8))
    chances = rng.uniform(0.6, 0.9, steps)
    return curve(lambda c: chances[np.minimum((c * steps).astype(int), steps - 1)], int(rng.integers(60, 600)))(rng)


FALSE_AT_BORDER = 0.9 * 0.2 / 0.8 / 3  # false rate at which good is right in .75 of play, with .9 true and rate .2
FAMILIES = (
    Family("at the border, any confidence", curve(lambda c: np.full_like(c, UNDER))),
    Family("at the border, 60 answers", curve(lambda c: np.full_like(c, UNDER), 60)),
    Family("at the border, one confidence", levels({0.9: UNDER}, [1.0])),
    Family("three confidences", levels({0.9: 0.9, 0.8: 0.74, 0.7: 0.6}, [1 / 3, 1 / 3, 1 / 3])),
    Family(
        "six confidences, all at the border",
        levels(dict.fromkeys([0.95, 0.9, 0.85, 0.8, 0.7, 0.6], UNDER), [1 / 6] * 6),
    ),
    Family("more confident, more wrong", curve(lambda c: 0.9 - 0.302 * c)),
    Family("up and down", curve(lambda c: np.where(c > 0.9, 0.45, np.where(c > 0.5, 0.82, 0.7)))),
    Family("waves around the border", curve(lambda c: UNDER - 0.1 * np.sin(8 * np.pi * (1 - c)))),
    Family("crossing the border again and again", curve(over_and_under)),
    Family("anyone", anyone),
    Family("balanced by design, at the border", balanced(0.9, 0.9 / 3 + 0.0005)),
    Family("200 states of two actions, at the border", two_actions(UNDER, 200)),
    Family("40 objects of 10, known or not", objects(UNDER, 1, 40, 10)),
    Family("40 objects of 10, correlation .3", objects(UNDER, 0.3, 40, 10)),
    Family("100 objects of 4, correlation .1", objects(UNDER, 0.1, 100, 4)),
    Family("40 objects of 10, crossing again and again", sure_of_objects(over_and_under, 0.3, 40, 10)),
    Family("one in five in play, known", shifted(0.9, FALSE_AT_BORDER + 0.0002, 0.2, "known")),
    Family("one in five in play, 300 counted", shifted(0.9, FALSE_AT_BORDER + 0.0002, 0.2, "counted")),
    Family("one in five in play, 2000 unlabelled", shifted(0.9, FALSE_AT_BORDER + 0.0002, 0.2, "unlabelled")),
    Family("right as often as it says", curve(lambda c: 0.5 + c / 2), hard=False),
    Family("right as often as it says, 100 answers", curve(lambda c: 0.5 + c / 2, 100), hard=False),
    Family("sure in a fifth, else half right", curve(lambda c: np.where(c > 0.8, 0.97, 0.5)), hard=False),
    Family("always .85", curve(lambda c: np.full_like(c, 0.85)), hard=False),
    Family("always .80", curve(lambda c: np.full_like(c, 0.80)), hard=False),
    Family("always .85, 100 answers", curve(lambda c: np.full_like(c, 0.85), 100), hard=False),
    Family("always .85, one confidence", levels({0.85: 0.85}, [1.0]), hard=False),
    Family("200 states of two actions, .85", two_actions(0.85, 200), hard=False),
    Family("20 topics of 5, .95, correlation .1", objects(0.95, 0.1, 20, 5), hard=False),
    Family("40 objects of 10, .85, correlation .3", objects(0.85, 0.3, 40, 10), hard=False),
    Family("40 objects of 10, .85, correlation .05", objects(0.85, 0.05, 40, 10), hard=False),
    Family("100 objects of 4, .85, correlation .1", objects(0.85, 0.1, 100, 4), hard=False),
    Family("one in five in play, .9 right, known", shifted(0.9, 0.025, 0.2, "known"), hard=False),
    Family("one in five in play, .9 right, 300 counted", shifted(0.9, 0.025, 0.2, "counted"), hard=False),
    Family("one in five in play, .9 right, 2000 unlabelled", shifted(0.9, 0.025, 0.2, "unlabelled"), hard=False),
)
