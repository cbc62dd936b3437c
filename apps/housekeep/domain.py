"""From a judge's name to reward shifts: the judge, its audit, the gate, the cache."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.housekeep.config import JudgeConfig
from apps.housekeep.describe import Decision, SkillDescriber, describe
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.knowledge.judges import knowledge, make_context
from apps.housekeep.knowledge.labels import Labels
from apps.housekeep.probes import probe_set
from lmgt_core.audit.gate import SelectiveGate, audit_judge
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.rules.cards import Seam
from lmgt_core.rules.make import ADVISED, make_rule
from lmgt_core.rules.shift import ShiftRule

PROMPTS = Path(__file__).parent / "prompts"
SEAMS = {"skills": (Seam.REWARD, Seam.AGENT), "primitive": (Seam.REWARD,)}  # that the learner of a control serves
PROBES = 1200
PROBE_SEED = 20_409  # fixed: every run of a judge is audited on the same questions


@dataclass(frozen=True)
class Judging:
    """A judge, ready to shift rewards; `shifter` and `cache` are None for --judge none. Close it when done."""

    shifter: RewardShifter | None
    cache: JudgeCache | None
    audit: dict[str, Any]
    judge: Judge | None
    template: PromptTemplate

    def close(self) -> None:
        """Closes the cache."""
        if self.cache is not None:
            self.cache.close()


def load_template(config: JudgeConfig) -> PromptTemplate:
    """The prompt template of the chosen strategy."""
    return PromptTemplate.load((config.prompts or PROMPTS) / f"{config.strategy}.txt")


def render(template: PromptTemplate, decision: Decision) -> Prompt:
    """The question about one decision."""
    return template.render(describe(decision))


@dataclass(frozen=True)
class Parts:
    """What a judge's settings name, before anything is asked or written."""

    judge: Judge | None
    template: PromptTemplate
    known: Labels
    context: JudgeContext
    control: str

    def seeded(self, spec: str, seed: int) -> Judge | None:
        """The judge as one seed meets it: a noisy oracle makes other mistakes in every seed."""
        return make_judge(spec, replace(self.context, seed=seed))


def shift_rule(config: JudgeConfig, control: str, steps: int, horizon: int | None = None) -> ShiftRule:
    """The rule for a training of `steps` decisions; UserError for one that the control's learner does not serve.

    The say of a judge that fades is gone at `horizon` decisions. Without one, `annealed` takes the whole training, and
    `pies` and `adops` half of it: they act on a judge that has not faded, whatever the values have learnt.
    """
    if horizon is None:
        horizon = max(steps // 2, 1) if config.rule in ADVISED else steps
    return make_rule(config.rule, config.scale, steps, horizon=horizon, seams=SEAMS[control])


def build(config: JudgeConfig, episodes: Sequence[Episode], steps: int, control: str = "skills") -> Parts:
    """The judge and the prompt template; UserError for what cannot be had, before a file is written."""
    template = load_template(config)
    shift_rule(config, control, steps)  # refuses a wrong name or scale now
    known = knowledge(config.votes, config.splits)
    context = make_context(known, episodes)
    return Parts(make_judge(config.judge, context), template, known, context, control)


def audit(config: JudgeConfig, parts: Parts, cache: Path) -> dict[str, Any]:
    """The judge's audit on labelled probes: the votes' validation objects, or the built-in table's probe objects.

    The labels never come from the episodes that are trained or evaluated on.
    """
    if parts.judge is None:
        return {"audited": False, "reason": "no judge"}
    rng = np.random.default_rng(PROBE_SEED)
    probes = probe_set(parts.known, lambda *d: render(parts.template, Decision(*d)), rng, PROBES)
    gated = config.gate and parts.judge.kind is not JudgeKind.BASELINE
    with JudgeCache(parts.judge, cache) as asked:
        found = audit_judge(asked, probes, config.min_precision, rng, gated=gated)
    return found.as_dict() | {"audited": True, "headline": found.headline}


def prepare(
    config: JudgeConfig,
    parts: Parts,
    steps: int,
    audited: dict[str, Any],
    cache: Path,
    seed: int = 0,
    horizon: int | None = None,
) -> Judging:
    """The judge behind its gate and its cache, ready to shift rewards; `horizon` is `shift_rule`'s."""
    judge = parts.seeded(config.judge, seed)
    if judge is None:
        return Judging(None, None, audited, None, parts.template)
    kept = JudgeCache(judge, cache)
    asked: Judge = kept
    if audited["gated"]:
        thresholds = {Verdict(name): value for name, value in audited["thresholds"].items()}
        asked = SelectiveGate(asked, thresholds)
    rule = shift_rule(config, parts.control, steps, horizon)
    shifter = RewardShifter(SkillDescriber(), parts.template, asked, rule)
    return Judging(shifter, kept, audited, judge, parts.template)


def ask_ahead(judging: Judging, episodes: Sequence[Episode]) -> int:
    """Judges every pick and place that can come up in `episodes` in one batch per scene; returns how many."""
    if judging.shifter is None or not judging.shifter.judge.cacheable:
        return 0
    asked = 0
    for scene in sorted({episode.scene for episode in episodes}):
        here = [episode for episode in episodes if episode.scene == scene]
        objects = sorted({item.category for episode in here for item in episode.items})
        places = sorted({(r.category, r.room) for episode in here for r in episode.receptacles})
        prompts = [
            render(judging.template, Decision(kind, o, *place))
            for kind in ("pick", "place")
            for o in objects
            for place in places
        ]
        judging.shifter.judge.judge(prompts)  # not through the shifter: a rule's running mean must not see these
        asked += len(prompts)
    return asked
