"""What a recommendation world gives to judges: topics with names, what they are worth, and the questions about them."""

import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from apps.slateq.config import Environment, JudgeUnit, WorldConfig
from apps.slateq.describe import ATTITUDES, EDGES, UNKNOWN, SlateDescriber
from apps.slateq.minilm_topics import make_minilm
from apps.slateq.oracle import TopicTruth, topic_values
from apps.slateq.probes import probe_set
from apps.slateq.vocabulary import load_vocabulary
from lmgt_core.audit.audit import Probe
from lmgt_core.errors import UserError
from lmgt_core.guidance.domain import Render
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.judging.registry import JudgeContext
from lmgt_core.judging.strategies import load_strategy

PROMPTS = Path(__file__).parent / "prompts"
MANUALS = Path(__file__).parent / "manuals"


class SlateDomain:
    """The `Domain` of one world; a judgment needs the outcome, since only what was clicked is judged.

    UserError for a vocabulary that cannot be used.
    """

    def __init__(
        self,
        world: WorldConfig,
        unit: JudgeUnit = "item",
        vocabulary: str = "builtin",
        prompts: Path | None = None,
        documents: Path | None = None,
    ) -> None:
        values = topic_values(world)
        self.world, self.unit = world, unit
        self.name = f"slateq/{world.env}"
        self.interests = world.env == "interest-evolution"  # whether a user's interests are observed, and so described
        self.vocabulary = load_vocabulary(vocabulary, world.env, len(values))
        self.truth = TopicTruth(self.vocabulary, values)
        self._prompts = PROMPTS / world.env if prompts is None else prompts
        self._documents = MANUALS / world.env if documents is None else documents

    def context(self) -> JudgeContext:
        """The expert, which knows the topics' values, and `minilm`, fitted on topics that no training or audit uses."""
        return JudgeContext(
            domain=self.name,
            oracle=self.truth.verdict,
            oracle_id=self.truth.digest,
            make={"minilm": partial(make_minilm, train=self.vocabulary.train, domain=self.name)},
        )

    def describer(self, silent: bool = False) -> SlateDescriber:
        """By the vocabulary's names; words cost nothing here, so they are given to a silent judge as well."""
        return SlateDescriber(self.vocabulary.names, self.unit)

    def template(self, strategy: str) -> PromptTemplate:
        """The template in the world's folder of prompts, or in --prompts."""
        return load_strategy(self._prompts, strategy, self._documents)

    def probes(self, render: Render, rng: np.random.Generator) -> Sequence[Probe]:
        """The labelled questions of an audit.

        Drawn from a copy of `rng`, so that the audit's own draws are those of the published tables.
        """
        shape = (self.unit, self.world.slate, self.interests)
        return probe_set(self.vocabulary, self.truth, render, *shape, deepcopy(rng))

    def questions(self) -> Iterable[Description] | None:
        """Every question about one document; None for slates, which are too many."""
        return self.single_questions() if self.unit == "item" else None

    def single_questions(self) -> Iterable[Description]:
        """Every question about one document of the vocabulary's topics, whatever `unit` is."""
        return self.describer().everything(self.interests)

    def read(self, state: str, action: str) -> Description:
        """The description of one document.

        `state` is how the viewer likes its topic (`loves`, ..., or an interest from -1 to 1), where interests are
        observed; `action` is the topic's number or name, also of a topic that is not of the vocabulary.
        """
        names, topic = self.vocabulary.names, action.strip()
        if topic.isdecimal() and int(topic) < len(names):
            topic = names[int(topic)]
        if not topic:
            raise UserError(f"--action: name a topic, like {names[0]!r}, or its number")
        return self.describer().of([topic], read_interest(state) if self.interests else UNKNOWN)


def make_domain(env: str, prompts: Path | None = None, documents: Path | None = None) -> SlateDomain:
    """The world called `env` with its defaults, documents judged one by one; UserError for an unknown one."""
    environments = get_args(Environment)
    if env not in environments:
        raise UserError(f"--env {env}: no such world; choose one of {', '.join(environments)}")
    return SlateDomain(WorldConfig(env=env), prompts=prompts, documents=documents)  # type: ignore[arg-type]


def read_interest(text: str) -> int:
    """The step of interest, 0 to 4, that `text` names or falls into; UserError for anything else."""
    for step, attitude in sorted(enumerate(ATTITUDES), key=lambda pair: -len(pair[1])):
        if attitude in text:
            return step
    if re.fullmatch(r"\s*[-+]?(?:0?\.\d+|[01](?:\.0*)?)\s*", text):
        return int(np.digitize(float(text), EDGES))
    raise UserError(f"--state {text!r}: is one of {', '.join(ATTITUDES)}, or an interest from -1 to 1")
