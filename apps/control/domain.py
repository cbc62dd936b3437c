"""What a control task lends to guidance: words, templates, labelled questions and the expert."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from apps.control.probes import probe_set
from apps.control.worlds import WORLDS, World, read_action, read_state, world
from lmgt_core.audit.audit import Probe
from lmgt_core.errors import UserError
from lmgt_core.guidance.domain import Render
from lmgt_core.guidance.shift_source import Describe, one_by_one
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.judging.registry import JudgeContext
from lmgt_core.judging.strategies import load_strategy

PROMPTS = Path(__file__).parent / "prompts"
MANUALS = Path(__file__).parent / "manuals"


class ControlDomain:
    """One control task; `prompts` and `documents` are folders of the user's, instead of the app's own."""

    def __init__(self, task: World, prompts: Path | None = None, documents: Path | None = None) -> None:
        self.task = task
        self.name = f"control/{task.folder}"
        self.prompts = prompts or PROMPTS / task.folder
        self.documents = documents or MANUALS / task.folder

    def context(self) -> JudgeContext:
        """The task's expert, named by a digest of all its verdicts, so that a changed expert is another judge."""
        return JudgeContext(self.name, oracle=self.task.judge, oracle_id=_digest_of_verdicts(self.task.folder))

    def describer(self, silent: bool = False) -> Describe:
        """The task's describer; it costs nothing, so it is the same for a silent judge."""
        return one_by_one(self.task.describer)

    def template(self, strategy: str) -> PromptTemplate:
        """The strategy's template; retrieval reads the task's manual or the user's documents."""
        if not self.prompts.is_dir():
            raise UserError(f"--prompts {self.prompts}: no such folder")
        return load_strategy(self.prompts, strategy, self.documents)

    def probes(self, render: Render, rng: np.random.Generator) -> Sequence[Probe]:
        """The task's labelled questions, which a generator of their own draws: `rng` is not used."""
        return probe_set(self.task, render, self.prompts)

    def questions(self) -> Iterator[Description]:
        """Everything that the task's words can say."""
        return self.task.describer.everything()

    def read(self, state: str, action: str) -> Description:
        """The description of `field value, field value` and an action's number or words."""
        description = self.task.describer(read_state(self.task, state), read_action(self.task, action))
        if description is None:
            raise UserError(f"--state {state!r}: there is nothing to judge here")
        return description


def make_domain(env: str, prompts: Path | None = None, documents: Path | None = None) -> ControlDomain:
    """The domain of the task called `env`; UserError for an unknown one."""
    return ControlDomain(world(env), prompts, documents)


@cache
def _digest_of_verdicts(folder: str) -> str:
    task = next(w for w in WORLDS.values() if w.folder == folder)
    verdicts = "".join(task.expert(d.facts).value[0] + d.state + d.action for d in task.describer.everything())
    return hashlib.sha256(verdicts.encode()).hexdigest()[:12]
