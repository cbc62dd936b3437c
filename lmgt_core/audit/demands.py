"""What is demanded of a judge's precision: one number, or one for each verdict."""

from collections.abc import Mapping

from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import VERDICTS, Verdict

Demands = Mapping[Verdict, float]
AUTO = "auto"
MIN_PRECISION = 0.75  # of every verdict, unless something else is asked for
GOOD_IN_PLAY = 0.5  # of GOOD, where the rate of play is known


def parse_demands(asked: float | str | Mapping[Verdict, float], in_play: bool = False) -> dict[Verdict, float]:
    """The precision demanded of each verdict, from one number, from text like `good=.8,bad=.7`, or from a mapping.

    In text and in a mapping, a verdict that is not named never speaks. `auto` is .75 of each; where the demands hold
    `in_play`, at known rates of labels, a GOOD only has to be right as often as wrong: that is where it earns what it
    costs if a false one costs as much as a true one is worth. On probes mixed evenly .75 is the same where one decision
    in four is good. What both did in trainings: docs/results/gate-trainings.md. UserError for a number outside (0, 1).
    """
    if asked == AUTO:
        demands = dict.fromkeys(VERDICTS, MIN_PRECISION) | ({Verdict.GOOD: GOOD_IN_PLAY} if in_play else {})
    elif isinstance(asked, str):
        demands = _parse_text(asked)
    elif isinstance(asked, Mapping):
        demands = {Verdict(verdict): float(value) for verdict, value in asked.items()}
    else:
        demands = dict.fromkeys(VERDICTS, float(asked))
    for demand in demands.values():
        if not 0 < demand < 1:
            raise UserError(f"--min-precision {asked}: a precision to demand lies between 0 and 1, like 0.75")
    return demands


def _parse_text(text: str) -> dict[Verdict, float]:
    try:
        if "=" not in text:
            return dict.fromkeys(VERDICTS, float(text))
        pairs = [part.split("=") for part in text.split(",")]
        demands = {Verdict(name.strip()): float(value) for name, value in pairs}
    except ValueError:
        raise UserError(f"--min-precision {text}: write auto, one number, or like good=.75,bad=.75") from None
    if Verdict.UNREADABLE in demands or len(demands) < len(pairs):
        raise UserError(f"--min-precision {text}: name each of good, neutral and bad once at most")
    return demands
