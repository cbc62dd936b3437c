"""Judgments become shifts: the rules of section 5 of the design.

The learner's reward is r_t + w_t * delta_t (Deng, Qiu, Chen, Tan, arXiv 2409.04744). A shift of state and action makes
another decision problem: `raw`, `continuous` and `centered` can change the best policy, `annealed` gives it back in the
limit, as w_t -> 0. Those four are here; `potential`, `lookahead`, `pies` and `adops` keep the best policy, need more
than a number a decision (rule_cards.py says what), and have a file each. All names are known to `make_rule`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lmgt_core.judging.judgment import Judgment, Verdict

Schedule = Literal["linear", "exponential"]


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
