"""What is demanded of a judge's precision: one number, or one for each verdict."""

from collections.abc import Mapping

from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import VERDICTS, Verdict

Demands = Mapping[Verdict, float]


def parse_demands(asked: float | str | Mapping[Verdict, float]) -> dict[Verdict, float]:
    """The precision demanded of each verdict, from one number, from text like `good=.8,bad=.7`, or from a mapping.

    In text and in a mapping, a verdict that is not named never speaks. UserError for a number outside of (0, 1).
    """
    if isinstance(asked, str):
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
        raise UserError(f"--min-precision {text}: write one number, or like good=.75,bad=.75") from None
    if Verdict.UNREADABLE in demands or len(demands) < len(pairs):
        raise UserError(f"--min-precision {text}: name each of good, neutral and bad once at most")
    return demands
