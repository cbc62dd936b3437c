"""A judge that turns bad half-way, for tests of who watches it."""

from collections.abc import Sequence
from dataclasses import replace

from lmgt_core.judging.judge import Judge, ask
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt

OPPOSITE = {Verdict.GOOD: Verdict.BAD, Verdict.BAD: Verdict.GOOD}


class TurningJudge:
    """A judge around a judge that says the opposite from its question number `turns[0]` on, until `turns[1]`, ...

    It counts the questions that it is asked, from 0; neutral and unreadable answers stay.
    """

    def __init__(self, judge: Judge, *turns: int) -> None:
        self.judged, self.turns = judge, turns
        self.id, self.kind, self.cacheable = f"turning({judge.id})", judge.kind, False
        self.asked = 0

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The judge's answers, or their opposites."""
        answers = [self._turned(answer, self.asked + i) for i, answer in enumerate(ask(self.judged, prompts))]
        self.asked += len(prompts)
        return answers

    def _turned(self, answer: Judgment, number: int) -> Judgment:
        if sum(turn <= number for turn in self.turns) % 2 == 0 or answer.verdict not in OPPOSITE:
            return answer
        probabilities = answer.probabilities and answer.probabilities[::-1]
        return replace(answer, verdict=OPPOSITE[answer.verdict], probabilities=probabilities)
