"""`lmgt judge ask|audit|distill`: lends the apps' tasks to the commands, each imported only when it is asked for."""

import importlib
from typing import Any

from lmgt_core import judge_commands
from lmgt_core.errors import UserError
from lmgt_core.judge_commands import AskConfig, AuditConfig, DistillConfig, JudgeTaskConfig
from lmgt_core.judging_task import JudgingTask

TASKS = {"control": "apps.control.judging_task"}  # app -> module with make_task(env, prompts, documents)


def judging_task(config: JudgeTaskConfig) -> JudgingTask:
    """The task that `config` names; UserError for an app that lends none."""
    if config.app not in TASKS:
        raise UserError(f"--app {config.app}: no such app with judging tasks; choose one of {', '.join(TASKS)}")
    task: JudgingTask = importlib.import_module(TASKS[config.app]).make_task(
        config.env, config.prompts, config.documents
    )
    return task


def ask(config: AskConfig) -> dict[str, Any]:
    """`lmgt judge ask`."""
    return judge_commands.ask(config, judging_task(config))


def audit(config: AuditConfig) -> list[dict[str, Any]]:
    """`lmgt judge audit`."""
    return judge_commands.audit(config, judging_task(config))


def distill(config: DistillConfig) -> dict[str, Any]:
    """`lmgt judge distill`."""
    return judge_commands.distill(config, judging_task(config))
