"""From a judge's name to reward shifts: the judge, its audit, the gate, the cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.housekeep.config import JudgeConfig
from apps.housekeep.describe import Decision, SkillDescriber, describe
from apps.housekeep.episode import Episode
from apps.housekeep.judges import knowledge, make_context
from apps.housekeep.labels import Labels
from apps.housekeep.probes import probe_set
from lmgt_core.cache import JudgeCache
from lmgt_core.gate import SelectiveGate, audit_judge
from lmgt_core.judge import Judge, JudgeKind
from lmgt_core.judgment import Verdict
from lmgt_core.prompt import Prompt, PromptTemplate
from lmgt_core.registry import make_judge
from lmgt_core.shift import ShiftRule, make_rule
from lmgt_core.shifter import RewardShifter

PROMPTS = Path(__file__).parent / "prompts"
PROBES = 600
PROBE_SEED = 20_409  # fixed: every run of a judge is audited on the same questions


@dataclass(frozen=True)
class Judging:
    """A judge, ready to shift rewards; `shifter` is None for --judge none."""

    shifter: RewardShifter | None
    audit: dict[str, Any]
    judge: Judge | None
    template: PromptTemplate


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
    rule: ShiftRule
    known: Labels


def build(config: JudgeConfig, episodes: Sequence[Episode], steps: int) -> Parts:
    """The judge, the prompt template and the shift rule; UserError for what cannot be had, before a file is written."""
    template = load_template(config)
    rule = make_rule(config.rule, config.scale, steps)
    known = knowledge(config.votes, config.splits)
    return Parts(make_judge(config.judge, make_context(known, episodes)), template, rule, known)


def audit(config: JudgeConfig, parts: Parts) -> dict[str, Any]:
    """The judge's audit on labelled probes: the votes' validation objects, or the built-in table's probe objects.

    The labels never come from the episodes that are trained or evaluated on.
    """
    if parts.judge is None:
        return {"audited": False, "reason": "no judge"}
    rng = np.random.default_rng(PROBE_SEED)
    probes = probe_set(parts.known, lambda *d: render(parts.template, Decision(*d)), rng, PROBES)
    found = audit_judge(parts.judge, probes, config.min_precision, rng)
    return found.as_dict() | {"audited": True, "gate": config.gate}


def prepare(parts: Parts, gate: bool, audited: dict[str, Any], cache: Path) -> Judging:
    """The judge behind its gate and its cache, ready to shift rewards."""
    judge = parts.judge
    if judge is None:
        return Judging(None, audited, None, parts.template)
    asked: Judge = JudgeCache(judge, cache) if judge.cacheable else judge
    if gate and judge.kind is not JudgeKind.CONTROL:
        thresholds = {Verdict(name): value for name, value in audited["thresholds"].items()}
        asked = SelectiveGate(asked, thresholds)
    return Judging(RewardShifter(SkillDescriber(), parts.template, asked, parts.rule), audited, judge, parts.template)


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
