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


def break_even_precision(cost_of_false: float, worth_of_true: float) -> float:
    """The precision p at which a verdict does as much good as harm: p * worth_of_true = (1 - p) * cost_of_false.

    Huang et al. (arXiv 2409.15922) find that rewards for what should not be rewarded cost an agent more than rewards
    withheld. Under a rule that keeps every shift in the reward for ever (raw), a false GOOD pays for a wrong action
    each time it is repeated, and an action that is paid is repeated, while a false BAD is paid once or a few times and
    then avoided; where an action can be repeated k times before an episode ends, its cost is up to k times as large,
    and GOOD needs a precision of k / (k + 1). Under rules that keep optimal policies (potential, lookahead, adops) both
    errors cost time only, and nothing says that one costs more. The gate's default does not use this function: what a
    false GOOD costs has to be measured for a world and a rule, and this project has not measured it yet.
    """
    if cost_of_false <= 0 or worth_of_true <= 0:
        raise ValueError("costs and worths are positive numbers")
    return cost_of_false / (cost_of_false + worth_of_true)
