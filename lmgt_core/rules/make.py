"""Shift rules by name."""

import math
from collections.abc import Collection, Mapping

from lmgt_core.errors import UserError
from lmgt_core.rules.adops import Adops
from lmgt_core.rules.cards import CARDS, Seam
from lmgt_core.rules.lookahead import LookAhead
from lmgt_core.rules.pies import Pies
from lmgt_core.rules.potential import Potential
from lmgt_core.rules.shift import Annealed, Centered, Continuous, Raw, ShiftRule

RULES = ("raw", "continuous", "centered", "annealed:linear", "annealed:exponential")  # a number a decision
ADVISED = ("potential", "lookahead", "pies", "adops")  # need more than that
FINAL_WEIGHT: Mapping[str, float] = {"linear": 0.0, "exponential": 0.01}  # w at the horizon


def make_rule(
    name: str,
    scale: float,
    steps: int,
    *,
    horizon: int | None = None,
    final: float | None = None,
    seams: Collection[Seam] = (Seam.REWARD,),
) -> ShiftRule:
    """The rule called `name`, with shifts of `scale`, for a training of `steps` steps.

    Names: raw, continuous, centered, annealed[:linear|exponential[:raw|continuous|centered]], potential, lookahead,
    pies, adops. `horizon` (steps, default `steps`) is that of the rules that fade, `final` the annealed ones' weight
    there. `seams` are those that the caller serves. UserError for what is unknown, out of range or not served.
    """
    if not (math.isfinite(scale) and scale >= 0):
        raise UserError(f"--scale {scale}: the size of a shift is a finite number, 0 or more")
    kind, _, rest = name.partition(":")
    if name in ADVISED:
        return _advised(name, scale, horizon or steps, seams)
    if kind == "annealed":
        schedule, _, inner = rest.partition(":")
        return _annealed(name, schedule or "linear", _plain(name, inner or "raw", scale), horizon or steps, final)
    return _plain(name, name, scale)


def served_rules(seams: Collection[Seam]) -> list[str]:
    """The names of the rules that go with these seams."""
    advised = [name for name in ADVISED if CARDS[name].seam in seams]
    return [*(RULES if Seam.REWARD in seams else ()), *advised]


def _advised(name: str, scale: float, horizon: int, seams: Collection[Seam]) -> ShiftRule:
    if CARDS[name].seam not in seams:
        raise UserError(
            f"--rule {name}: works through the {CARDS[name].seam} seam (it needs {CARDS[name].needs}), which this "
            f"learner does not have; choose one of {', '.join(served_rules(seams))}"
        )
    if horizon < 1:
        raise UserError(f"--rule {name}: the judge's say falls over a number of steps, 1 or more, not {horizon}")
    rules: dict[str, ShiftRule] = {
        "potential": Potential(scale),
        "lookahead": LookAhead(scale),
        "pies": Pies(scale, horizon),
        "adops": Adops(scale, horizon),
    }
    return rules[name]


def _plain(asked: str, name: str, scale: float) -> ShiftRule:
    rules: dict[str, type[Raw] | type[Continuous] | type[Centered]] = {
        "raw": Raw,
        "continuous": Continuous,
        "centered": Centered,
    }
    if name not in rules:
        raise UserError(f"--rule {asked}: no such shift rule; choose one of {', '.join((*RULES, *ADVISED))}")
    return rules[name](scale)


def _annealed(asked: str, schedule: str, inner: ShiftRule, horizon: int, final: float | None) -> Annealed:
    if schedule not in FINAL_WEIGHT:
        raise UserError(f"--rule {asked}: no such shift rule; choose one of {', '.join((*RULES, *ADVISED))}")
    if horizon < 1:
        raise UserError(f"--rule {asked}: the weight falls over a number of steps, 1 or more, not {horizon}")
    final = FINAL_WEIGHT[schedule] if final is None else final
    if not (0 <= final <= 1) or (schedule == "exponential" and final == 0):
        raise UserError(f"--rule {asked}: the final weight lies in [0, 1] (above 0 if exponential), not at {final}")
    return Annealed(inner, "linear" if schedule == "linear" else "exponential", horizon, final)
