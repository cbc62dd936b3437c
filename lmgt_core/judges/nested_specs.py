"""Judges' names inside a judge's name: ensembles and cascades."""

from lmgt_core.errors import UserError
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.registry import JudgeContext, JudgeSpec, make_judge


def own_text(spec: JudgeSpec) -> str:
    """What follows `provider:` as it was typed; options may belong to a judge named in it."""
    return str(spec).partition(":")[2]


def make_inner(spec: JudgeSpec, name: str, context: JudgeContext) -> Judge:
    """The judge called `name` inside of `spec`; UserError where that is none at all."""
    judge = make_judge(name, context)
    if judge is None:
        raise UserError(f"--judge {spec}: none is no judge to ask; leave it out")
    return judge
