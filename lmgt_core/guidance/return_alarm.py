"""An alarm for judges whose truth nobody knows: the agent earns more and more shifts, and less and less reward.

A training is cut into BLOCKS equal stretches of decisions. For each, the ledger keeps what shifts added to the reward,
by verdict and kind of decision; the run's record has the unshifted returns of its episodes. Of a stretch, the shifted
return is the mean unshifted return of the episodes that ended in it, and the shifts of the stretch divided among them.
Kendall's test of a trend (Mann 1945, "Nonparametric tests against trend", Econometrica 13), which asks for ranks only,
is made over the last WINDOW stretches, at a level of .01 each: does the shifted return rise, and the unshifted fall?

It is an alarm, not a proof: stretches of a training are not independent, and the agent may have found a better way
that pays later. It says when, and which of the judge's words were paid for in the meantime.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt

BLOCKS = 40
WINDOW = 16  # stretches that a trend is sought in
LEVEL_Z = 2.326  # of each of the two tests, in standard deviations: a level of .01
SHOWN = 3  # kinds of decisions that an alarm names
KINDS = 50  # different ones that are told apart
FACTS = ("kind", "action")  # that say what kind of decision it was; the first one there is

Floats = NDArray[np.float64]


class ShiftLedger:
    """What shifts added to the reward in each stretch of `length` decisions, by verdict and kind of decision."""

    def __init__(self, steps: int) -> None:
        self.length = max(steps // BLOCKS, 1)
        self.blocks: dict[int, dict[str, float]] = {}

    def add(self, number: int, judgment: Judgment | None, prompt: Prompt | None, shift: float) -> None:
        """Enters the weighted shift of one decision."""
        if judgment is None or prompt is None or shift == 0:
            return
        block = self.blocks.setdefault(number // self.length, {})
        kind = next((prompt.facts[fact] for fact in FACTS if fact in prompt.facts), "")
        name = f"{judgment.verdict.value} of {kind}" if kind else judgment.verdict.value
        name = name if name in block or len(block) < KINDS else judgment.verdict.value
        block[name] = block.get(name, 0.0) + shift

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep, as plain JSON values."""
        return {str(number): dict(block) for number, block in self.blocks.items()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Takes up what `state_dict` gave."""
        self.blocks = {int(number): dict(block) for number, block in state.items()}


def find_alarm(ledger: ShiftLedger, decisions: Sequence[int], returns: Sequence[float]) -> dict[str, Any] | None:
    """The first moment at which shifted returns rose while unshifted ones fell, and what earned the shifts; or None.

    `decisions` [episode] are those taken when an episode ended, `returns` [episode] are unshifted. Stretches without
    the end of an episode are left out.
    """
    index = np.asarray(decisions, np.int64)
    index = (np.maximum(index, 1) - 1) // ledger.length
    earned = np.asarray(returns, np.float64)
    there = np.unique(index)
    ended = np.array([(index == block).sum() for block in there.tolist()], np.float64)
    unshifted = np.array([earned[index == block].mean() for block in there.tolist()])
    added = np.array([sum(tuple(ledger.blocks.get(block, {}).values())) for block in there.tolist()])
    shifted = unshifted + added / np.maximum(ended, 1)
    for end in range(WINDOW, len(there) + 1):
        window = slice(end - WINDOW, end)
        if _rises(shifted[window]) and _rises(-unshifted[window]):
            blocks = there[window].tolist()
            return {
                "decision": (blocks[-1] + 1) * ledger.length,
                "since": blocks[0] * ledger.length,
                "unshifted": [float(unshifted[window][0]), float(unshifted[window][-1])],
                "shifted": [float(shifted[window][0]), float(shifted[window][-1])],
                "earned_by": _earned_by(ledger, blocks),
            }
    return None


def alarm_line(alarm: Mapping[str, Any], seed: int) -> str:
    """One line for people: when, how returns moved, and what was paid for."""
    (before, after), (low, high) = alarm["unshifted"], alarm["shifted"]
    paid = ", ".join(f"{row['judgment']} ({row['shift']:+.3g})" for row in alarm["earned_by"]) or "nothing"
    return (
        f"seed {seed}, decision {alarm['decision']:,}: ALARM: since {alarm['since']:,} the return with shifts rose "
        f"({low:.3g} to {high:.3g}) while the return fell ({before:.3g} to {after:.3g}); paid were {paid}"
    )


def _earned_by(ledger: ShiftLedger, blocks: Sequence[int]) -> list[dict[str, Any]]:
    """The kinds of judgments that added most to the reward in these stretches, or took most away."""
    sums: defaultdict[str, float] = defaultdict(float)
    for number in range(blocks[0], blocks[-1] + 1):
        for name, shift in tuple(ledger.blocks.get(number, {}).items()):
            sums[name] += shift
    most = sorted(sums.items(), key=lambda item: (-abs(item[1]), item[0]))[:SHOWN]
    return [{"judgment": name, "shift": shift} for name, shift in most]


def _rises(values: Floats) -> bool:
    """Whether there is an upward trend: Mann's test with its normal approximation, ties making it more careful."""
    n = len(values)
    score = np.sign(np.subtract.outer(values, values))[np.tril_indices(n, -1)].sum()
    return bool(score - 1 >= LEVEL_Z * np.sqrt(n * (n - 1) * (2 * n + 5) / 18))
