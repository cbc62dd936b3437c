"""What a finite problem lends to guidance: numbers as words, and the best actions as labels."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from apps.tabular.env import described
from apps.tabular.labels import VERDICTS, Labels, oracle_labels
from apps.tabular.mdp import FiniteMDP
from apps.tabular.worlds import WORLDS, make_world
from lmgt_core.audit.audit import Probe, balance_probes
from lmgt_core.audit.play_rates import PlayRates
from lmgt_core.errors import UserError
from lmgt_core.guidance.domain import Render
from lmgt_core.guidance.shift_source import Describe, one_by_one
from lmgt_core.judging.description import Description
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.judging.registry import JudgeContext
from lmgt_core.judging.strategies import load_strategy

PROMPTS = Path(__file__).parent / "prompts"


class TabularDomain:
    """One finite problem; observations are states by number."""

    def __init__(self, mdp: FiniteMDP, prompts: Path | None = None, documents: Path | None = None) -> None:
        self.mdp = mdp
        self.name = f"tabular/{mdp.name}"
        self.prompts, self.documents = prompts or PROMPTS, documents

    @cached_property
    def truth(self) -> Labels:
        """[state, action] +1 for every best action, -1 for every other."""
        return oracle_labels(self.mdp)

    def context(self) -> JudgeContext:
        """The expert, which knows the best actions by value iteration."""
        digest = hashlib.sha256(str(self.truth.tolist()).encode()).hexdigest()[:12]
        return JudgeContext(self.name, oracle=self._expert, oracle_id=digest)

    def describer(self, silent: bool = False) -> Describe:
        """State and action by number; nothing is to be judged where an episode has ended."""
        return one_by_one(lambda state, action: None if self.mdp.terminal[state] else described(state, action))

    def template(self, strategy: str) -> PromptTemplate:
        """The strategy's template; the app has zero-shot only."""
        return load_strategy(self.prompts, strategy, self.documents)

    def probes(self, render: Render, rng: np.random.Generator) -> Sequence[Probe]:
        """Pairs of state and action, as many best actions as others, drawn by `rng`."""
        probes = [
            Probe(render(described(state, action)), VERDICTS[int(self.truth[state, action])], str(state))
            for state, action in self._pairs()
        ]
        return balance_probes(probes, rng)

    def play_rates(self) -> PlayRates:
        """How often the best and the other actions are chosen by who knows nothing: any action in any state alike."""
        good = float(np.mean([self.truth[pair] > 0 for pair in self._pairs()]))
        return PlayRates.known({Verdict.GOOD: good, Verdict.BAD: 1.0 - good})

    def questions(self) -> Iterator[Description]:
        """Every action in every state that is no end."""
        return (described(state, action) for state, action in self._pairs())

    def read(self, state: str, action: str) -> Description:
        """The description of a state and an action, both given by number."""
        numbers = [
            _number(flag, text, count)
            for flag, text, count in (("state", state, self.mdp.states), ("action", action, self.mdp.actions))
        ]
        return described(*numbers)

    def _pairs(self) -> Iterator[tuple[int, int]]:
        return ((int(s), a) for s in np.flatnonzero(~self.mdp.terminal) for a in range(self.mdp.actions))

    def _expert(self, prompt: Prompt) -> Verdict:
        return self._verdicts[prompt.facts["state"], prompt.facts["action"]]

    @cached_property
    def _verdicts(self) -> dict[tuple[str, str], Verdict]:
        return {(str(s), str(a)): VERDICTS[int(self.truth[s, a])] for s, a in self._pairs()}


def make_domain(env: str, prompts: Path | None = None, documents: Path | None = None) -> TabularDomain:
    """The domain of the world called `env`; UserError for an unknown one."""
    if env not in WORLDS:
        raise UserError(f"--env {env}: no such tabular world; choose one of {', '.join(WORLDS)}")
    return TabularDomain(make_world(env), prompts, documents)


def _number(flag: str, text: str, count: int) -> int:
    match = re.fullmatch(rf"(?:{flag} )?(\d+)", text.strip())
    if match is None or int(match[1]) >= count:
        raise UserError(f"--{flag} {text!r}: give a number from 0 to {count - 1}")
    return int(match[1])
