"""The recommendation worlds for `lmgt judge`."""

import re
from pathlib import Path
from typing import get_args

import numpy as np

from apps.slateq.config import Environment, JudgeConfig, WorldConfig
from apps.slateq.describe import ATTITUDES, EDGES, UNKNOWN
from apps.slateq.domain import load_words
from lmgt_core.audit.judging_task import JudgingTask
from lmgt_core.errors import UserError
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import PromptTemplate


def make_task(env: str, prompts: Path | None = None, documents: Path | None = None) -> JudgingTask:
    """The world called `env`, its documents judged one by one; UserError for an unknown one.

    --state is how the viewer likes the topic (`loves`, ..., or an interest from -1 to 1), --action the topic's number
    or name; other topics can be asked about too.
    """
    environments = get_args(Environment)
    if env not in environments:
        raise UserError(f"--env {env}: no such world; choose one of {', '.join(environments)}")
    judging = JudgeConfig(prompts=prompts, documents=documents)
    words = load_words(WorldConfig(environment=env), judging)  # type: ignore[arg-type]
    describer = words.describer()

    def describe(state: str, action: str) -> Description:
        topic = action.strip()
        if topic.isdecimal() and int(topic) < len(describer.names):
            topic = describer.names[int(topic)]
        if not topic:
            raise UserError(f"--action: name a topic, like {describer.names[0]!r}, or its number")
        return describer.of([topic], read_interest(state) if words.interests else UNKNOWN)

    def template(strategy: str) -> PromptTemplate:
        changed = JudgeConfig(prompts=prompts, documents=documents, strategy=strategy)
        return load_words(words.world, changed).template.template

    return JudgingTask(
        name=env,
        context=words.context(),
        describe=describe,
        template=template,
        probes=words.probes,
        questions=lambda render: [render(description) for description in describer.everything(words.interests)],
    )


def read_interest(text: str) -> int:
    """The step of interest, 0 to 4, that `text` names or falls into; UserError for anything else."""
    for step, attitude in sorted(enumerate(ATTITUDES), key=lambda pair: -len(pair[1])):
        if attitude in text:
            return step
    if re.fullmatch(r"\s*[-+]?(?:0?\.\d+|[01](?:\.0*)?)\s*", text):
        return int(np.digitize(float(text), EDGES))
    raise UserError(f"--state {text!r}: is one of {', '.join(ATTITUDES)}, or an interest from -1 to 1")
