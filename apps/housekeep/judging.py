"""From a judge's name to reward shifts: the judge, its audit, the gate, the cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lmgt_core.cache import JudgeCache
from lmgt_core.gate import SelectiveGate, audit_judge
from lmgt_core.registry import make_judge

from apps.housekeep.config import JudgeConfig
from apps.housekeep.describe import Decision, SkillDescriber, describe
from apps.housekeep.episode import Episode
from apps.housekeep.judges import knowledge, make_context
from apps.housekeep.probes import probe_set
from lmgt_core.errors import UserError
from lmgt_core.judge import Judge
from lmgt_core.judgment import Verdict
from lmgt_core.prompt import Prompt, PromptTemplate
from lmgt_core.shift import make_rule
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


def prepare(
    config: JudgeConfig, episodes: Sequence[Episode], steps: int, cache: Path, audit: dict[str, Any] | None = None
) -> Judging:
    """The judge of `config`, audited (unless an `audit` is handed in), gated and cached.

    Labels for the audit come from --votes, else from the built-in common-sense table, never from the training
    episodes themselves.
    """
    template = load_template(config)
    if config.judge == "none":
        return Judging(None, {"audited": False, "reason": "no judge"}, None, template)
    known = knowledge(config.votes, config.splits)
    judge = make_judge(config.judge, make_context(known, episodes))
    if judge is None:
        raise UserError(f"--judge {config.judge}: gives no judge; use none")
    if audit is None:
        rng = np.random.default_rng(PROBE_SEED)
        probes = probe_set(known, lambda *d: render(template, Decision(*d)), rng, PROBES)
        audit = audit_judge(judge, probes, config.min_precision, rng).as_dict() | {"audited": True, "gate": config.gate}
    asked: Judge = JudgeCache(judge, cache) if judge.cacheable else judge
    if config.gate and config.judge != "neutral":
        thresholds = {Verdict(name): value for name, value in audit["thresholds"].items()}
        asked = SelectiveGate(asked, thresholds)
    rule = make_rule(config.rule, config.scale, steps)
    return Judging(RewardShifter(SkillDescriber(), template, asked, rule), audit, judge, template)


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
