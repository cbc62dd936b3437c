"""A judge's answer to one question."""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class Verdict(StrEnum):
    """What a judge may say; UNREADABLE is an answer that could not be understood, never a neutral one."""

    GOOD = "good"
    NEUTRAL = "neutral"
    BAD = "bad"
    UNREADABLE = "unreadable"


VERDICTS = (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD)  # that a judge can be understood to say, in order


@dataclass(frozen=True)
class Cost:
    """What one judgment cost: wall-clock seconds, tokens read and written, money in US dollars."""

    seconds: float = 0.0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    dollars: float = 0.0


@dataclass(frozen=True)
class Judgment:
    """A verdict with its evidence.

    `probabilities` is (good, neutral, bad), each in [0, 1] and summing to 1, or None when the judge gives none.
    `reply` is the transcript for language models, else empty. `reason` says why an answer is unreadable or why the
    judge abstained. An abstained judgment keeps its verdict and probabilities for the log, but shifts by 0. `cached`
    says that it was looked up, not asked; its cost is then what it cost when it was asked.
    """

    verdict: Verdict
    probabilities: tuple[float, float, float] | None = None
    reply: str = ""
    reason: str = ""
    abstained: bool = False
    cost: Cost = Cost()
    cached: bool = field(default=False, compare=False)

    @property
    def confidence(self) -> float:
        """The probability of the verdict itself, in [0, 1]; 1 if the judge gives no probabilities, 0 if unreadable."""
        if self.verdict is Verdict.UNREADABLE:
            return 0.0
        if self.probabilities is None:
            return 1.0
        return self.probabilities[VERDICTS.index(self.verdict)]

    @property
    def label(self) -> float:
        """+1 for good, -1 for bad, 0 for neutral, unreadable or abstained."""
        if self.abstained:
            return 0.0
        return {Verdict.GOOD: 1.0, Verdict.BAD: -1.0}.get(self.verdict, 0.0)

    @property
    def expected_label(self) -> float:
        """P(good) - P(bad) in [-1, 1]; the label if there are no probabilities; 0 if unreadable or abstained."""
        if self.abstained or self.verdict is Verdict.UNREADABLE:
            return 0.0
        if self.probabilities is None:
            return self.label
        return self.probabilities[0] - self.probabilities[2]

    def abstain(self, reason: str) -> "Judgment":
        """This judgment, silenced."""
        return replace(self, abstained=True, reason=reason)
