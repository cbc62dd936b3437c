"""From a judge's name to reward shifts: the judge, its audit, the gate, the cache, and shifts for a batch of users."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from apps.slateq.config import JudgeConfig, JudgeUnit, WorldConfig
from apps.slateq.describe import Shown, SlateDescriber, shown
from apps.slateq.minilm_topics import make_minilm
from apps.slateq.oracle import TopicTruth, topic_values
from apps.slateq.probes import SEED, probe_set
from apps.slateq.simulator.protocol import Feedback, Floats, Integers, Observation
from apps.slateq.vocabulary import Vocabulary, load_vocabulary
from lmgt_core.audit.gate import SelectiveGate, audit_judge
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.guidance.shift_source import JudgeStats, RewardShifter
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import RememberedTemplate
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.judging.strategies import load_strategy
from lmgt_core.rules.make import make_rule

PROMPTS = Path(__file__).parent / "prompts"
MANUALS = Path(__file__).parent / "manuals"
AHEAD = 1000  # questions: a world that has no more is asked whole before training


@dataclass(frozen=True)
class Words:
    """What a world's judges know, before anything is asked: names, truth, questions."""

    world: WorldConfig
    unit: JudgeUnit
    vocabulary: Vocabulary
    truth: TopicTruth
    template: RememberedTemplate

    @property
    def interests(self) -> bool:
        """Whether a user's interests are observed, and so described."""
        return self.world.environment == "interest-evolution"

    def context(self, seed: int = 0) -> JudgeContext:
        """What judges are made from; a noisy oracle makes other mistakes with another seed."""
        domain = f"slateq/{self.world.environment}"
        return JudgeContext(
            domain=domain,
            oracle=self.truth.verdict,
            oracle_id=self.truth.digest,
            make={"minilm": partial(make_minilm, train=self.vocabulary.train, domain=domain)},
            seed=seed,
        )

    def describer(self) -> SlateDescriber:
        """By the vocabulary's names."""
        return SlateDescriber(self.vocabulary.names)

    def probes(self, render: Any = None) -> list[Any]:
        """The labelled questions of an audit."""
        render = render or self.template.render
        return probe_set(self.vocabulary, self.truth, render, self.unit, self.world.slate, self.interests)


def load_words(world: WorldConfig, judging: JudgeConfig) -> Words:
    """UserError for a vocabulary, strategy or folder that cannot be used, before anything is written."""
    values = topic_values(world)
    vocabulary = load_vocabulary(judging.vocabulary, world.environment, len(values))
    folder = PROMPTS / world.environment if judging.prompts is None else judging.prompts
    documents = judging.documents or MANUALS / world.environment
    template = RememberedTemplate(load_strategy(folder, judging.strategy, documents))
    return Words(world, judging.judge_unit, vocabulary, TopicTruth(vocabulary, values), template)


class SlateShifter:
    """The shifts of one training, for a batch of users at a time; `shifter` is lmgt_core's, with its statistics."""

    def __init__(self, shifter: RewardShifter, unit: JudgeUnit) -> None:
        self.shifter, self.unit = shifter, unit

    def shift(self, observation: Observation, slates: Integers, feedback: Feedback) -> Floats:
        """[B] the shifts of serving `slates` in `observation`, the state before them; 0 where nothing was clicked."""
        decisions: list[Shown | None] = shown(self.unit, observation, slates, feedback)
        return self.shifter(decisions, [None] * len(decisions)).delta

    def weight(self, step: int) -> float:
        """The rule's w_t at step t of training."""
        return self.shifter.weight(step)

    @property
    def stats(self) -> JudgeStats:
        """How often the judge was heard."""
        return self.shifter.stats

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep; plain JSON values."""
        return self.shifter.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self.shifter.load_state_dict(state)


@dataclass(frozen=True)
class Judging:
    """A judge, ready to shift rewards; `shifter`, `cache` and `judge` are None for --judge none. Close it when done."""

    shifter: SlateShifter | None
    cache: JudgeCache | None
    judge: Judge | None
    audit: dict[str, Any]
    words: Words

    def close(self) -> None:
        """Closes the cache."""
        if self.cache is not None:
            self.cache.close()


def check_judging(world: WorldConfig, judging: JudgeConfig) -> None:
    """UserError for a judge, vocabulary, rule or strategy that cannot be had; nothing is asked or written."""
    make_rule(judging.rule, judging.scale, 1)
    make_judge(judging.judge, load_words(world, judging).context())


def make_audit(world: WorldConfig, judging: JudgeConfig, cache: Path) -> dict[str, Any]:
    """The judge's audit on labelled probes, as plain JSON values; the same for all seeds of a run."""
    words = load_words(world, judging)
    judge = make_judge(judging.judge, words.context())
    if judge is None:
        return {"audited": False, "reason": "no judge"}
    gated = judging.gate and judge.kind is not JudgeKind.BASELINE
    probes = words.probes()
    with JudgeCache(judge, cache) as asked:
        found = audit_judge(asked, probes, judging.min_precision, np.random.default_rng(SEED), gated=gated)
    headline = found.headline
    if found.silent and not words.vocabulary.audit:
        headline += f"; only {len(probes)} questions are labelled here, --no-gate lets the judge speak"
    return found.as_dict() | {"audited": True, "headline": headline, "vocabulary": words.vocabulary.source}


def make_judging(
    world: WorldConfig,
    judging: JudgeConfig,
    steps: int,
    cache: Path,
    seed: int = 0,
    audit: dict[str, Any] | None = None,
) -> Judging:
    """The judge behind its cache and, unless --no-gate, its gate, for a training of `steps` steps.

    Audited here unless an `audit` of `make_audit` is handed in. A judge that is slow is asked everything that can come
    up before training, where that is little.
    """
    words = load_words(world, judging)
    audit = make_audit(world, judging, cache) if audit is None else audit
    judge = make_judge(judging.judge, words.context(seed))
    if judge is None:
        return Judging(None, None, None, audit, words)
    kept = JudgeCache(judge, cache)
    asked: Judge = kept
    if audit["gated"]:
        asked = SelectiveGate(asked, {Verdict(name): limit for name, limit in audit["thresholds"].items()})
    if not audit["silent"]:
        ask_ahead(words, kept)
    rule = make_rule(judging.rule, judging.scale, steps)
    shifter = RewardShifter(words.describer(), words.template, asked, rule)  # type: ignore[arg-type]
    return Judging(SlateShifter(shifter, judging.judge_unit), kept, judge, audit, words)


def ask_ahead(words: Words, judge: JudgeCache) -> int:
    """Has everything judged that can come up, where that is little; returns how many questions there were.

    Not through a shifter: a rule's running mean must not see these.
    """
    if words.unit == "slate" or not judge.cacheable:
        return 0
    prompts = [words.template.render(d) for d in words.describer().everything(words.interests)]
    if len(prompts) > AHEAD:
        return 0
    judge.judge(prompts)
    return len(prompts)
