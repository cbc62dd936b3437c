"""Two judges as one: the second, dear one is asked only where the first, cheap one is silent.

`cascade:A,B`, or A+B where commas part a list of judges. Where is the first one silent? Half of the labelled questions
of an audit say from which confidence on each of its verdicts holds what is demanded; below that, it hands on. The
promise is the pair's: with that fixed, the pair is one judge like any other, and its gate is set on the other half,
whose labels had no say in it. So nothing of the gate's error has to be parted between the two, and no correction is
needed for a first judge that was chosen where it did well. Half of the questions is what that costs. Without labelled
questions the first one hands on what it abstains from and what it leaves unreadable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from lmgt_core.audit.audit import Probe, Thresholds
from lmgt_core.audit.gate import SelectiveGate, audit_judge
from lmgt_core.audit.play_rates import PlayRates
from lmgt_core.errors import UserError
from lmgt_core.judges.ensemble import kind_of, member_names, total_cost
from lmgt_core.judges.nested_specs import make_inner, own_text
from lmgt_core.judging.judge import Judge, ask, seeded
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec
from lmgt_core.rules.shift import speaks

HANDED_ON = "handed on"  # begins the reason of a judgment that the second judge gave


class CascadeJudge:
    """Asks the first judge, and the second one where the first is silent.

    `speaks_from` are the confidences from which on the first one's verdicts count, None where they all do; `fitted_to`
    holds the digests of the questions whose labels chose them.
    """

    def __init__(
        self,
        first: Judge,
        second: Judge,
        speaks_from: Thresholds | None = None,
        fitted_to: frozenset[str] = frozenset(),
    ) -> None:
        self.members = first, second
        self.speaks_from, self.fitted_to = speaks_from, fitted_to
        self._first: Judge = first if speaks_from is None else SelectiveGate(first, speaks_from)
        self.id = f"cascade({self._first.id}; {second.id})"
        self.kind = kind_of(self.members)
        self.cacheable = any(member.cacheable for member in self.members)

    def seeded(self, seed: int) -> "CascadeJudge":
        """The same pair, those that draw lots with the lots of `seed`."""
        first, second = (seeded(member, seed) for member in self.members)
        return CascadeJudge(first, second, self.speaks_from, self.fitted_to)

    def speaking_from(self, thresholds: Mapping[Verdict, float | None]) -> "CascadeJudge":
        """The same pair, whose first judge hands on what lies under these confidences."""
        return CascadeJudge(*self.members, thresholds)

    def fitted(
        self,
        first: Judge,
        probes: Sequence[Probe],
        min_precision: float | str,
        rng: np.random.Generator,
        play_rates: PlayRates | None,
        progress: Callable[[int], object],
    ) -> "CascadeJudge":
        """The pair whose first judge speaks where these probes, which no gate may use, show the demanded precision.

        `first` is the first judge as it is to be asked, behind a cache or not.
        """
        audit = audit_judge(first, probes, min_precision, rng, play_rates=play_rates, progress=progress)
        return CascadeJudge(*self.members, audit.thresholds, frozenset(probe.prompt.digest for probe in probes))

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The first judge's answers where it speaks, the second one's where it does not."""
        answers = ask(self._first, prompts)
        silent = [i for i, answer in enumerate(answers) if not speaks(answer)]
        others = ask(self.members[1], [prompts[i] for i in silent]) if silent else []
        for i, other in zip(silent, others, strict=True):
            reason = f"{HANDED_ON}: {other.reason}" if other.reason else HANDED_ON
            answers[i] = replace(other, reason=reason, cost=total_cost([answers[i].cost, other.cost]))
        return answers


def handed_on(judgments: Sequence[Judgment]) -> float:
    """The share of judgments that the second judge gave."""
    return sum(judgment.reason.startswith(HANDED_ON) for judgment in judgments) / max(len(judgments), 1)


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `cascade:A,B`; UserError for anything but two judges."""
    names = member_names(own_text(spec))
    if len(names) != 2:
        raise UserError(f"--judge {spec}: cascade:A,B needs two judges, the cheap one first")
    first, second = (make_inner(spec, name, context) for name in names)
    return CascadeJudge(first, second)
