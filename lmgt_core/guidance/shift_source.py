"""Where shifts come from: decisions are handed in, and their shifts are asked for when a learner needs them.

A learner submits each decision with the state before the action, and resolves the tickets it got after the world has
stepped. `RewardShifter` judges at once, in step; `BackgroundShifts` (background.py) judges in a thread while the world
steps. Both give the same shifts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lmgt_core.guidance.return_alarm import ShiftLedger
from lmgt_core.guidance.watch import Watch
from lmgt_core.judging.description import Describer, Description
from lmgt_core.judging.judge import Judge, ask
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate, RememberedTemplate
from lmgt_core.rules.shift import ShiftRule

REASONS = 20  # different reasons that statistics keep
Tickets = NDArray[np.int64]  # [decision]
Describe = Callable[[Sequence[Any], Sequence[Any], Sequence[Any]], Sequence[Description | None]]
"""Descriptions of a batch of decisions: observations before the actions, actions, outcomes (None where a domain has
none) -> descriptions in the same order, None where there is nothing to judge."""


@dataclass
class JudgeStats:
    """How often a judge was heard, and what that took.

    `judgments`: decisions judged; `cache_hits`: those answered by a cache; `unreadable`, `abstained`: those that
    shifted by 0 for that reason; `seconds`: wall clock spent waiting for the judge. Hits and seconds are facts of one
    machine: a resumed run may count others.
    """

    judgments: int = 0
    cache_hits: int = 0
    unreadable: int = 0
    abstained: int = 0
    seconds: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)
    """Why answers were unreadable, and how often; at most REASONS different ones."""

    def count(self, judgment: Judgment) -> None:
        """Adds one decision."""
        self.judgments += 1
        self.cache_hits += judgment.cached
        self.unreadable += judgment.verdict is Verdict.UNREADABLE
        self.abstained += judgment.abstained and judgment.verdict is not Verdict.UNREADABLE
        if judgment.verdict is Verdict.UNREADABLE and (judgment.reason in self.reasons or len(self.reasons) < REASONS):
            self.reasons[judgment.reason] = self.reasons.get(judgment.reason, 0) + 1

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, for summary.json."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Shifts:
    """What one batch of decisions got; `judgments` and `prompts` are None where there was nothing to judge."""

    delta: NDArray[np.float32]  # [batch]
    judgments: list[Judgment | None]
    prompts: list[Prompt | None]


class ShiftSource(Protocol):
    """Gives the shift of every decision that a learner takes; belongs to one training and the thread that made it."""

    @property
    def rule(self) -> ShiftRule: ...

    @property
    def stats(self) -> JudgeStats:
        """How often the judge was heard so far."""
        ...

    @property
    def watched(self) -> dict[str, Any] | None:
        """What was found while watching the judge (watch.py), as plain JSON values; None where nobody does."""
        ...

    @property
    def ledger(self) -> ShiftLedger | None:
        """What shifts have added to the reward so far (return_alarm.py); None where nobody keeps it."""
        ...

    def submit(self, observations: Sequence[Any], actions: Sequence[Any], outcomes: Sequence[Any] = ()) -> Tickets:
        """[decision] tickets of decisions taken now, each observation being the one before its action.

        `outcomes` are for domains whose judgments need what happened (SlateQ: the click); () for all others. Every
        decision is counted, whether there is something to judge in it or not.
        """
        ...

    def resolve(self, tickets: Tickets) -> NDArray[np.float32]:
        """[ticket] the shifts delta_t, not weighted; each ticket is resolved once."""
        ...

    @property
    def weight(self) -> float:
        """w_t of the decisions submitted last; t is the number of decisions before them, from 0."""
        ...

    @property
    def step(self) -> int:
        """That t; 0 before anything was submitted."""
        ...

    def close(self) -> None:
        """Waits for what is being judged, and lets go of files."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep, as plain JSON values; every ticket has to be resolved."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        ...


def one_by_one(describer: Describer) -> Describe:
    """The batch form of a describer of single decisions, which needs no outcomes."""

    def describe(
        observations: Sequence[Any], actions: Sequence[Any], outcomes: Sequence[Any]
    ) -> list[Description | None]:
        return [describer(o, a) for o, a in zip(observations, actions, strict=True)]

    return describe


class RewardShifter:
    """The source in step: describes, asks and applies the rule as decisions are submitted.

    It draws no random numbers, so that a run with `neutral` equals one with `none`. Called with observations and
    actions it gives their shifts without counting them as decisions, for agents that ask about actions not taken.
    """

    def __init__(
        self,
        describer: Describer | None,
        template: PromptTemplate | RememberedTemplate,
        judge: Judge,
        rule: ShiftRule,
        *,
        describe: Describe | None = None,
        watch: Watch | None = None,
        ledger: ShiftLedger | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        if (describer is None) == (describe is None):
            raise ValueError("give a describer of single decisions, or `describe` for batches")
        self.describe: Describe = describe if describe is not None else one_by_one(describer)  # type: ignore[arg-type]
        self.template = template if isinstance(template, RememberedTemplate) else RememberedTemplate(template)
        self.judge = judge
        self.rule = rule
        self.stats = JudgeStats()
        self.decisions = self.step = 0
        self._shifts: dict[int, np.float32] = {}  # by ticket, until it is resolved
        self._watch = watch
        self.ledger = ledger
        self._close = close

    def __call__(
        self,
        observations: Sequence[Any],
        actions: Sequence[Any],
        outcomes: Sequence[Any] = (),
        first: int | None = None,
    ) -> Shifts:
        """The shifts of these decisions, in their order; equal questions are asked once, all questions in one batch.

        `first` is the number of the first one where they are decisions that were taken, which alone are watched.
        """
        if len(observations) != len(actions):
            raise ValueError(f"{len(observations)} observations for {len(actions)} actions")
        outcomes = outcomes if len(outcomes) else [None] * len(actions)
        described = self.describe(observations, actions, outcomes)
        prompts = [None if d is None else self.template.render(d) for d in described]
        judgments = self._judge(prompts)
        if self._watch is not None and first is None:
            judgments = self._watch.heard(judgments)
        elif self._watch is not None and first is not None:
            decisions = list(zip(observations, actions, outcomes, strict=True))
            judgments = self._watch.check(first, judgments, prompts, decisions)
        for judgment in judgments:
            if judgment is not None:
                self.stats.count(judgment)
        delta = self.rule.delta(judgments)
        if self.ledger is not None and first is not None:
            for number, (judgment, prompt, shift) in enumerate(zip(judgments, prompts, delta, strict=True), first):
                self.ledger.add(number, judgment, prompt, self.rule.weight(number) * float(shift))
        return Shifts(delta, judgments, prompts)

    def submit(self, observations: Sequence[Any], actions: Sequence[Any], outcomes: Sequence[Any] = ()) -> Tickets:
        """[decision] tickets; the judge has answered when it returns."""
        tickets = np.arange(self.decisions, self.decisions + len(actions))
        if len(actions):
            self.step = self.decisions
            self.decisions += len(actions)
            delta = self(observations, actions, outcomes, self.step).delta
            self._shifts.update(zip(tickets.tolist(), delta, strict=True))
        return tickets

    def resolve(self, tickets: Tickets) -> NDArray[np.float32]:
        """[ticket] the shifts."""
        return np.array([self._shifts.pop(ticket) for ticket in tickets.tolist()], dtype=np.float32)

    @property
    def weight(self) -> float:
        """w_t of the decisions submitted last."""
        return self.rule.weight(self.step)

    @property
    def watched(self) -> dict[str, Any] | None:
        """What was found while watching the judge; None where nobody does."""
        return None if self._watch is None else self._watch.record()

    def close(self) -> None:
        """Lets go of the judge's cache."""
        self._close()

    def state_dict(self) -> dict[str, Any]:
        """The rule's state, the statistics, the count of decisions, and what was found while watching."""
        steps = {"decisions": self.decisions, "step": self.step}
        kept = {} if self._watch is None else {"watch": self._watch.state_dict()}
        kept |= {} if self.ledger is None else {"ledger": self.ledger.state_dict()}
        return {"rule": self.rule.state_dict(), "stats": self.stats.as_dict(), **steps, **kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave; checkpoints of before 0.2 counted judgments only."""
        self.rule.load_state_dict(state["rule"])
        known = {f.name for f in fields(JudgeStats)}
        self.stats = JudgeStats(**{name: value for name, value in state["stats"].items() if name in known})
        self.decisions = int(state.get("decisions", self.stats.judgments))
        self.step = int(state.get("step", max(self.decisions - 1, 0)))
        if self._watch is not None:
            self._watch.load_state_dict(state["watch"])
        if self.ledger is not None and "ledger" in state:
            self.ledger.load_state_dict(state["ledger"])
        else:  # a checkpoint of before: what was added until then is not known
            self.ledger = None
        self._shifts.clear()

    def _judge(self, prompts: Sequence[Prompt | None]) -> list[Judgment | None]:
        questions = {prompt.digest: prompt for prompt in prompts if prompt is not None}
        if not questions:
            return [None] * len(prompts)
        start = time.perf_counter()
        answers = ask(self.judge, list(questions.values()))
        self.stats.seconds += time.perf_counter() - start
        by_digest = dict(zip(questions, answers, strict=True))
        return [None if p is None else by_digest[p.digest] for p in prompts]
