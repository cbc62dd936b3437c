"""Judgments become shifts: the rules of section 5 of the design.

The learner's reward is r_t + w_t * delta_t (Deng, Qiu, Chen, Tan, arXiv 2409.04744). A shift of state and action makes
another decision problem: `raw`, `continuous` and `centered` can change the best policy, `annealed` gives it back in the
limit, as w_t -> 0. Those four are here; `potential`, `lookahead`, `pies` and `adops` keep the best policy, need more
than a number a decision (rule_cards.py says what), and have a file each. All names are known to `make_rule`.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.rules.cards import CARDS, Seam

RULES = ("raw", "continuous", "centered", "annealed:linear", "annealed:exponential")  # a number a decision
ADVISED = ("potential", "lookahead", "pies", "adops")  # need more than that
Schedule = Literal["linear", "exponential"]
FINAL_WEIGHT: Mapping[str, float] = {"linear": 0.0, "exponential": 0.01}  # w at the horizon


class ShiftRule(Protocol):
    """Turns judgments into shifts."""

    @property
    def name(self) -> str: ...

    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        """[batch] the shifts; 0 where there was nothing to judge (None), and for unreadable and abstained answers."""
        ...

    def weight(self, step: int) -> float:
        """The w_t of r_t + w_t * delta_t at step t of training, counted from 0; in [0, 1]."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep; plain JSON values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


def speaks(judgment: Judgment | None) -> bool:
    """Whether there is a judgment at all, readable and not abstained."""
    return judgment is not None and not judgment.abstained and judgment.verdict is not Verdict.UNREADABLE


def labels(judgments: Sequence[Judgment | None]) -> NDArray[np.float64]:
    """[batch] +1, 0, -1; 0 where nothing was said."""
    return np.array([0.0 if j is None else j.label for j in judgments], dtype=np.float64)


@dataclass(frozen=True)
class Raw:
    """delta = label * scale, the paper's rule."""

    scale: float = 1.0
    name = "raw"

    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        return (self.scale * labels(judgments)).astype(np.float32)

    def weight(self, step: int) -> float:
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass  # there is none


@dataclass(frozen=True)
class Continuous:
    """delta = (P(good) - P(bad)) * scale; the label where the judge gives no probabilities."""

    scale: float = 1.0
    name = "continuous"

    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        expected = np.array([0.0 if j is None else j.expected_label for j in judgments], dtype=np.float64)
        return (self.scale * expected).astype(np.float32)

    def weight(self, step: int) -> float:
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass  # there is none


@dataclass
class Centered:
    """delta = (label - mean label of the decisions judged before this one) * scale.

    A judge's mean alone moves the best policy in episodic tasks: it pays for longer or shorter episodes. The mean
    leaves the decision itself out, so that the action cannot influence it; it is 0 before the first one. Decisions on
    which nothing was said shift by 0 and do not count. A batch gives what its decisions would give one by one.
    """

    scale: float = 1.0
    count: int = field(default=0, init=False)
    total: float = field(default=0.0, init=False)  # of labels, so exact in floating point
    name = "centered"

    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        spoken = np.array([speaks(j) for j in judgments], dtype=bool)
        label = labels(judgments)
        count_before = self.count + np.cumsum(spoken) - spoken
        total_before = self.total + np.cumsum(label) - label  # silent ones have label 0
        mean = total_before / np.maximum(count_before, 1)
        self.count += int(spoken.sum())
        self.total += float(label.sum())
        return np.where(spoken, self.scale * (label - mean), 0.0).astype(np.float32)

    def weight(self, step: int) -> float:
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "total": self.total}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.count, self.total = int(state["count"]), float(state["total"])


@dataclass(frozen=True)
class Annealed:
    """The shifts of `inner`, with a weight that falls from 1.

    linear: straight down to `final` at `horizon` steps, and `final` from there on. exponential: final ** (step /
    horizon), so it passes `final` at the horizon and falls on towards 0.
    """

    inner: ShiftRule
    schedule: Schedule
    horizon: int  # steps
    final: float

    @property
    def name(self) -> str:
        inner = "" if self.inner.name == "raw" else f":{self.inner.name}"
        return f"annealed:{self.schedule}{inner}"

    def delta(self, judgments: Sequence[Judgment | None]) -> NDArray[np.float32]:
        return self.inner.delta(judgments)

    def weight(self, step: int) -> float:
        progress = step / self.horizon
        if self.schedule == "exponential":
            return float(self.final**progress) * self.inner.weight(step)
        return (1.0 - (1.0 - self.final) * min(progress, 1.0)) * self.inner.weight(step)

    def state_dict(self) -> dict[str, Any]:
        return {"inner": self.inner.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.inner.load_state_dict(state["inner"])


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
    from lmgt_core.rules.adops import Adops
    from lmgt_core.rules.lookahead import LookAhead
    from lmgt_core.rules.pies import Pies
    from lmgt_core.rules.potential import Potential

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
