"""The control tasks for `lmgt judge`."""

from pathlib import Path

from apps.control.config import JudgeConfig
from apps.control.domain import load_template, make_context, prompt_folder
from apps.control.probes import probe_set
from apps.control.worlds import read_action, read_state, world
from lmgt_core.audit.judging_task import JudgingTask
from lmgt_core.errors import UserError
from lmgt_core.judging.description import Description


def make_task(env: str, prompts: Path | None = None, documents: Path | None = None) -> JudgingTask:
    """The task called `env`; UserError for an unknown one."""
    task = world(env)
    folder = prompt_folder(task, prompts)

    def describe(state: str, action: str) -> Description:
        description = task.describer(read_state(task, state), read_action(task, action))
        if description is None:
            raise UserError(f"--state {state!r}: there is nothing to judge here")
        return description

    return JudgingTask(
        name=task.name,
        context=make_context(task),
        describe=describe,
        template=lambda strategy: (
            load_template(task, JudgeConfig(strategy=strategy, prompts=prompts, documents=documents)).template
        ),
        probes=lambda render: probe_set(task, render, folder),
        questions=lambda render: [render(description) for description in task.describer.everything()],
    )
