"""What an app lends to `lmgt judge`: a task of its own, described, asked about and labelled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lmgt_core.audit.audit import Probe
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.judging.registry import JudgeContext

Render = Callable[[Description], Prompt]


@dataclass(frozen=True)
class JudgingTask:
    """One task of an app; made only when a command needs it."""

    name: str
    """CartPole-v1, ..."""
    context: JudgeContext
    """With the app's expert, if it has one."""
    describe: Callable[[str, str], Description]
    """What a user typed for --state and --action -> description; UserError for what is not understood."""
    template: Callable[[str], PromptTemplate]
    """Strategy -> template; UserError where there is none."""
    probes: Callable[[Render], Sequence[Probe]]
    """The labelled questions of an audit; the same states whatever renders them."""
    questions: Callable[[Render], Sequence[Prompt]]
    """Everything that a training may ask, as far as it can be listed: what a distilled judge learns from."""
