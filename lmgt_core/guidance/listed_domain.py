"""A domain whose questions can all be listed: give words, an expert and a folder of templates, and the rest follows."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lmgt_core.audit.audit import Probe, balance_probes
from lmgt_core.errors import UserError
from lmgt_core.guidance.domain import Render
from lmgt_core.guidance.shift_source import Describe, one_by_one
from lmgt_core.judging.description import Description
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.judging.registry import JudgeContext
from lmgt_core.judging.strategies import load_strategy


class ListedDomain(ABC):
    """A `Domain`; a description's facts name its state and action (`state`, `action`), which the expert reads."""

    name: str
    prompts: Path
    """A folder of templates, STRATEGY.txt each."""
    documents: Path | None = None
    """What the strategy retrieval reads."""

    @abstractmethod
    def questions(self) -> Sequence[Description]:
        """Everything that can be asked, each once."""

    @abstractmethod
    def describe(self, observation: Any, action: Any) -> Description | None:
        """The words and facts of `action` taken in the state that `observation` shows; None: nothing to judge."""

    @abstractmethod
    def expert(self, facts: Mapping[str, str]) -> Verdict:
        """The true answer to the question with these facts; LookupError where there is none."""

    def context(self) -> JudgeContext:
        """The expert, named by a digest of all its answers, so that a changed expert is another judge."""
        answers = "".join(self.expert(d.facts).value + d.state + d.action for d in self.questions())
        digest = hashlib.sha256(answers.encode()).hexdigest()[:12]
        return JudgeContext(self.name, lambda prompt: self.expert(prompt.facts), digest)

    def describer(self, silent: bool = False) -> Describe:
        """`describe` for batches."""
        return one_by_one(self.describe)

    def template(self, strategy: str) -> PromptTemplate:
        """The template of that name in `prompts`."""
        return load_strategy(self.prompts, strategy, self.documents)

    def probes(self, render: Render, rng: np.random.Generator) -> Sequence[Probe]:
        """As many good as neutral as bad questions of all, in groups of one state."""
        asked = [Probe(render(d), self.expert(d.facts), d.state) for d in self.questions()]
        return balance_probes(asked, rng)

    def read(self, state: str, action: str) -> Description:
        """The question with this state and action, in its words or as its facts name them; UserError for any other."""
        for found in self.questions():
            if state in (found.state, found.facts.get("state")) and action in (found.action, found.facts.get("action")):
                return found
        one = self.questions()[0]
        known = f"--state {one.state!r} --action {one.action!r}"
        raise UserError(f"--state {state!r} --action {action!r}: no such question; one is {known}")
