"""A judge is watched while the agent learns: what it says in play is checked against the truth, here and there.

A share of the decisions at which the judge speaks is drawn by lot and compared with the truth, each verdict apart. The
precision that is demanded here is that of play, on the states that the agent really visits. Once the evidence that a
verdict no longer holds its demand reaches 1 / delta (`change_test`), the verdict falls silent: from the next decision
on it shifts by 0. The judge is still asked and checked, and the verdict comes back once the evidence, counted from the
moment of its silence, reaches 1 / delta for a precision above the demand; then it is watched anew.

So, for each verdict: one that holds its demand throughout is silenced in a run with probability delta at most, and one
that misses it throughout comes back after a silence with probability delta at most.

Lots depend on the seed and the number of the decision alone, and decisions count one by one: batches, threads and
resumed runs give the same numbers. The truth is what a learning agent does not have, so this is privileged, and every
record and every first line of such a run says so.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lmgt_core.audit.change_test import ChangeTest
from lmgt_core.audit.demands import Demands
from lmgt_core.audit.thresholds import DELTA
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.rules.shift import speaks

Truth = Callable[[Any, Any, Any, Prompt], Verdict | None]
"""The true answer about one decision (observation, action, outcome, question); None where it is not known."""


@dataclass
class WatchedVerdict:
    """What is known of one verdict in play.

    `checked`, of which `right`: decisions compared with the truth, silent ones included. `turns`: the decisions at
    which it fell silent or came back, with the counts of that moment.
    """

    demand: float
    silent: bool = False
    checked: int = 0
    right: int = 0
    turns: list[dict[str, Any]] = field(default_factory=list)


class Watch:
    """The checks of one training; `say` is told of every turn in one line."""

    def __init__(
        self,
        share: float,
        demands: Demands,
        truth: Truth,
        seed: int,
        delta: float = DELTA,
        say: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.share, self.truth, self.seed, self.delta = share, truth, seed, delta
        self.verdicts = {verdict: WatchedVerdict(demand) for verdict, demand in demands.items()}
        self._tests = {verdict: ChangeTest(demand) for verdict, demand in demands.items()}
        self._say = say

    def heard(self, judgments: Sequence[Judgment | None]) -> list[Judgment | None]:
        """The judgments, those of silent verdicts abstained; nothing is checked."""
        return [self._heard(judgment) for judgment in judgments]

    def check(
        self,
        first: int,
        judgments: Sequence[Judgment | None],
        prompts: Sequence[Prompt | None],
        decisions: Sequence[tuple[Any, Any, Any]],
    ) -> list[Judgment | None]:
        """The judgments of decisions number `first` and following, silent verdicts abstained, after checking some.

        `decisions` are (observation, action, outcome). A decision's own check counts from the next decision on.
        """
        heard: list[Judgment | None] = []
        for number, (judgment, prompt, decision) in enumerate(zip(judgments, prompts, decisions, strict=True), first):
            heard.append(self._heard(judgment))
            if judgment is None or prompt is None or not speaks(judgment) or judgment.verdict not in self.verdicts:
                continue
            if self._drawn(number) and (truth := self.truth(*decision, prompt)) is not None:
                self._count(number, judgment.verdict, judgment.verdict is truth)
        return heard

    def record(self) -> dict[str, Any]:
        """What a run keeps of it: the share, how sure it is, and every verdict's counts and turns."""
        verdicts = {verdict.value: asdict(known) for verdict, known in self.verdicts.items() if known.checked}
        return {"share": self.share, "delta": self.delta, "privileged": True, "verdicts": verdicts}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep, as plain JSON values."""
        return {
            verdict.value: asdict(known) | {"n": self._tests[verdict].n, "stakes": self._tests[verdict].stakes}
            for verdict, known in self.verdicts.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        for name, kept in state.items():
            verdict, known = Verdict(name), {n: v for n, v in kept.items() if n not in ("n", "stakes")}
            self.verdicts[verdict] = one = WatchedVerdict(**known | {"turns": [dict(turn) for turn in known["turns"]]})
            self._tests[verdict] = ChangeTest(one.demand, one.silent, int(kept["n"]), kept["stakes"])

    def _heard(self, judgment: Judgment | None) -> Judgment | None:
        if judgment is None or not speaks(judgment):
            return judgment
        watched = self.verdicts.get(judgment.verdict)
        if watched is None or not watched.silent:
            return judgment
        return judgment.abstain(f"{judgment.verdict.value} no longer holds its precision of {watched.demand:g}")

    def _drawn(self, number: int) -> bool:
        lot = hashlib.blake2b(f"watch:{self.seed}:{number}".encode(), digest_size=7).digest()
        return (int.from_bytes(lot) >> 3) / 2**53 < self.share

    def _count(self, number: int, verdict: Verdict, right: bool) -> None:
        watched = self.verdicts[verdict]
        watched.checked += 1
        watched.right += right
        if self._tests[verdict].add(right) < 1 / self.delta:
            return
        watched.silent = not watched.silent
        self._tests[verdict] = ChangeTest(watched.demand, better=watched.silent)
        turn = {"decision": number, "silent": watched.silent, "checked": watched.checked, "right": watched.right}
        watched.turns.append(turn)
        self._say(turn_line(verdict.value, watched.demand, turn, self.seed))


def turn_line(verdict: str, demand: float, turn: Mapping[str, Any], seed: int) -> str:
    """One line for people: which verdict turned, when, and on what evidence."""
    what = "falls silent" if turn["silent"] else "speaks again"
    counts = f"{turn['right']:,} of {turn['checked']:,} checked so far were right"
    return f"seed {seed}, decision {turn['decision']:,}: the judge's {verdict} {what}; {counts}, {demand:g} is demanded"
