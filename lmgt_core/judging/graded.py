"""Judgments made from a number: what a judge with a graded opinion says, as coarsely as it is asked."""

from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Judgment, Verdict

GRANULARITIES = ("binary", "ternary", "continuous")
NEUTRAL_ZONE = 1 / 3  # of an opinion in [-1, 1]: a third of its range is neutral


def graded(opinion: float, granularity: str) -> Judgment:
    """An opinion in [-1, 1] as a judgment: its sign (binary), with a neutral zone (ternary), or P(good) - P(bad).

    UserError for another granularity.
    """
    if granularity not in GRANULARITIES:
        raise UserError(f"granularity {granularity}: no such granularity; choose one of {', '.join(GRANULARITIES)}")
    if granularity == "ternary" and abs(opinion) < NEUTRAL_ZONE:
        return Judgment(Verdict.NEUTRAL)
    verdict = Verdict.GOOD if opinion >= 0 else Verdict.BAD
    if granularity != "continuous":
        return Judgment(verdict)
    return Judgment(verdict, ((1 + opinion) / 2, 0.0, (1 - opinion) / 2))
