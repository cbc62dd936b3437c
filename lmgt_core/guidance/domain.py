"""What a world lends to guidance: everything that a judge needs to know of it, and nothing of how it is learned."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from lmgt_core.audit.audit import Probe
from lmgt_core.audit.play_rates import PlayRates
from lmgt_core.guidance.shift_source import Describe
from lmgt_core.guidance.watch import Truth
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.judging.registry import JudgeContext

Render = Callable[[Description], Prompt]


class Domain(Protocol):
    """One world (CartPole, one home's rooms, one recommendation world), whoever learns in it.

    Equal situations get equal words, so that each question is asked once. Words and facts never hold more than the
    agent may observe. Contract: lmgt_core/testing/domain.py.
    """

    @property
    def name(self) -> str:
        """`app/world`, as in control/cartpole; part of the ids of judges whose answers depend on the world."""
        ...

    def context(self) -> JudgeContext:
        """What judges are made from: the expert if there is one, and judges of the domain's own."""
        ...

    def describer(self, silent: bool = False) -> Describe:
        """A describer for one training, to be used in the thread that asked for it.

        `silent` says that nobody will read the descriptions, so that what is costly (captions) may be left out; there
        still is one wherever there is something to judge.
        """
        ...

    def template(self, strategy: str) -> PromptTemplate:
        """The prompt template of a strategy; UserError where there is none."""
        ...

    def probes(self, render: Render, rng: np.random.Generator) -> Sequence[Probe]:
        """The labelled questions of an audit, rendered; the same states whatever renders them; [] without labels.

        `rng` is the audit's own: what it draws here is followed by the audit's draws.
        """
        ...

    def questions(self) -> Iterable[Description] | None:
        """Everything that a training may ask, each once; None where that cannot be listed."""
        ...

    def read(self, state: str, action: str) -> Description:
        """The description of what a user typed for --state and --action; UserError for what is not understood."""
        ...


@runtime_checkable
class LendsPlayRates(Protocol):
    """A domain that knows how often labels occur in play; one without this method is judged at its probes' rates."""

    def play_rates(self) -> PlayRates | None:
        """The rates of labels among the decisions of a policy that knows nothing; None where they are not known.

        Never estimated from what an evaluation uses. The same at every call.
        """
        ...


@runtime_checkable
class LendsTruth(Protocol):
    """A domain without an expert that may know the truth about decisions taken; others are asked for their expert."""

    def known_truth(self) -> Truth | None:
        """What a watched judge is compared with; None where it is not known. Privileged: no learner has it."""
        ...
