"""The judges of a command on a task: a model is loaded once, asked once, and calibrated where its name says so."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from lmgt_core.audit.audit import Probe
from lmgt_core.audit.judging_task import JudgingTask
from lmgt_core.audit.label_calibration import ACTION, calibrate, split_calibration, training_half
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.errors import UserError
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.judging.registry import make_judge

SEED = 20_409  # of audits: halves of the probes and bootstrap draws are the same for every judge


class TaskJudges:
    """Makes judges by name, all behind the cache file `path` (None: no cache); closes it at the end of a `with`."""

    def __init__(self, task: JudgingTask, path: Path | None) -> None:
        self.task = task
        self.path = path
        self._made: dict[str, Judge] = {}  # by name without calibration
        self._open = ExitStack()

    def plain(self, name: str) -> Judge:
        """The judge called `name`, as it is; UserError for `none`, which cannot be asked."""
        if name not in self._made:
            judge = make_judge(name, self.task.context)
            if judge is None:
                raise UserError(f"--judge {name}: there is nobody to ask; name a judge")
            cached = self.path is not None and judge.cacheable
            self._made[name] = self._open.enter_context(JudgeCache(judge, self.path)) if cached else judge  # type: ignore[arg-type]
        return self._made[name]

    def make(self, name: str, template: PromptTemplate, probes: Callable[[], Sequence[Probe]]) -> Judge:
        """The judge called `name`, calibrated for `template` if its name asks for it.

        Only the half of `probes` on which an audit sets its gate is learned from.
        """
        plain, method = split_calibration(name)
        judge = self.plain(plain)
        if method is None:
            return judge
        labelled = list(probes()) if method != "contextual" else []
        actions = dict.fromkeys(p.prompt.facts[ACTION] for p in labelled if ACTION in p.prompt.facts)
        half = training_half(labelled, np.random.default_rng(SEED)) if labelled else []
        return calibrate(judge, method, template, half, list(actions))

    def check(self, name: str) -> None:
        """UserError where `name` cannot be made, before anything is asked."""
        self.plain(split_calibration(name)[0])

    def __enter__(self) -> "TaskJudges":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()


def split_names(names: str, flag: str) -> list[str]:
    """The different names in a list divided by commas, or by semicolons if there are any."""
    found = list(dict.fromkeys(n.strip() for n in names.split(";" if ";" in names else ",") if n.strip()))
    if not found:
        raise UserError(f"--{flag}: name at least one")
    return found
