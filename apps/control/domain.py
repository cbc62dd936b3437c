"""From a judge's name to reward shifts: the judge, its audit, the gate, the cache."""

import hashlib
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from apps.control.config import JudgeConfig
from apps.control.probes import SEED, WHOLE, probe_set
from apps.control.worlds import World
from lmgt_core.audit.gate import SelectiveGate, audit_judge
from lmgt_core.audit.label_calibration import (
    ACTION,
    CalibratedJudge,
    LabelCalibration,
    Method,
    calibrate,
    split_calibration,
    training_half,
)
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.errors import UserError
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import RememberedTemplate
from lmgt_core.judging.registry import NONE, JudgeContext, make_judge
from lmgt_core.judging.strategies import load_strategy
from lmgt_core.rules.make import make_rule

PROMPTS = Path(__file__).parent / "prompts"
MANUALS = Path(__file__).parent / "manuals"
CACHE = "judgments.sqlite"


@dataclass(frozen=True)
class Judging:
    """A judge with everything that is needed to shift rewards by it; `judge` is None for --judge none.

    `judge` is what is asked and cached; `calibration`, the gate and the rule come after the cache.
    """

    task: World
    config: JudgeConfig
    template: RememberedTemplate
    judge: Judge | None
    audit: dict[str, Any]
    cache: Path
    calibration: LabelCalibration | None = None

    @property
    def kind(self) -> str:
        """What tables call the judge."""
        if self.judge is None:
            return "no judge"
        return (CalibratedJudge(self.judge, self.calibration) if self.calibration else self.judge).kind.value

    def make_shifter(self, steps: int) -> RewardShifter:
        """A shifter for a training of `steps` steps, to be used in the thread that asked for it."""
        if self.judge is None:
            raise ValueError("there is no judge")
        asked: Judge = JudgeCache(self.judge, self.cache) if self.judge.cacheable else self.judge
        if self.calibration is not None:
            asked = CalibratedJudge(asked, self.calibration)
        if self.config.gate and "thresholds" in self.audit:
            asked = SelectiveGate(asked, {Verdict(v): t for v, t in self.audit["thresholds"].items()})
        rule = make_rule(self.config.rule, self.config.scale, steps)
        return RewardShifter(self.task.describer, self.template, asked, rule)  # type: ignore[arg-type]


def prompt_folder(task: World, prompts: Path | None) -> Path:
    """The folder of the task's templates: the app's, or one of the user's; UserError if that is no folder."""
    if prompts is not None and not prompts.is_dir():
        raise UserError(f"--prompts {prompts}: no such folder")
    return PROMPTS / task.folder if prompts is None else prompts


def load_template(task: World, config: JudgeConfig) -> RememberedTemplate:
    """The template of the chosen strategy; retrieval reads the task's manual or the user's documents."""
    documents = config.documents or MANUALS / task.folder
    return RememberedTemplate(load_strategy(prompt_folder(task, config.prompts), config.strategy, documents))


def make_context(task: World) -> JudgeContext:
    """What judges may need to know of the task."""
    return JudgeContext(domain=f"control/{task.folder}", oracle=task.judge, oracle_id=_truth(task))


def prepare(task: World, config: JudgeConfig, name: str, cache: Path, audit: dict[str, Any] | None = None) -> Judging:
    """The judge called `name`, calibrated if its name asks for it, and audited; not again if an `audit` is given."""
    template = load_template(task, config)
    plain, method = split_calibration(name)
    judge = make_judge(plain, make_context(task))
    if judge is None:
        if name.strip() != NONE:
            raise UserError(f"--judge {name}: gives no judge; use none")
        return Judging(task, config, template, None, {"audited": False, "reason": "no judge"}, cache)
    if audit is None:
        audit = _audit(task, config, judge, method, template, cache)
    calibration = LabelCalibration(**audit["calibration"]) if audit.get("calibration") else None
    return Judging(task, config, template, judge, audit, cache, calibration)


def ask_ahead(judging: Judging) -> int:
    """Has everything judged that can come up, where that is little; returns how many questions there were.

    Not through a shifter: a rule's running mean must not see these.
    """
    everything = list(judging.task.describer.everything())
    judge = judging.judge
    if judge is None or not judge.cacheable or judging.audit.get("silent") or len(everything) > WHOLE:
        return 0
    with JudgeCache(judge, judging.cache) as cached:
        cached.judge([judging.template.render(description) for description in everything])
    return len(everything)


def headline(name: str, judging: Judging) -> str:
    """A run's first lines: what the judge is, and what its audit found."""
    if judging.judge is None:
        return "no judge: the agent learns from the task's own reward"
    audit = judging.audit
    line = f"judge {name} [{judging.kind}]: {audit['headline']}"
    if audit["silent"] and audit["n"] < 40:
        line += f"\nonly {audit['n']} questions can be asked here, too few for a gate; --no-gate lets the judge speak"
    return line


def _audit(
    task: World, config: JudgeConfig, judge: Judge, method: Method | None, template: RememberedTemplate, cache: Path
) -> dict[str, Any]:
    """The audit's figures, and the calibration that was in force."""
    probes = probe_set(task, template.render, prompt_folder(task, config.prompts))
    with JudgeCache(judge, cache) if judge.cacheable else nullcontext(judge) as asked:
        heard: Judge = asked
        calibration = None
        if method is not None:
            half = training_half(probes, np.random.default_rng(SEED))
            actions = list(dict.fromkeys(p.prompt.facts[ACTION] for p in probes))
            heard = calibrate(asked, method, template, half, actions)
            calibration = asdict(heard.calibration)
        rng = np.random.default_rng(SEED)
        audit = audit_judge(heard, probes, config.min_precision, rng, gated=config.gate)
    found = audit.as_dict() | {"audited": True, "gate": config.gate, "headline": audit.headline}
    return found if calibration is None else found | {"calibration": calibration}


@cache
def _truth_of(folder: str) -> str:
    from apps.control.worlds import WORLDS

    task = next(w for w in WORLDS.values() if w.folder == folder)
    verdicts = "".join(task.expert(d.facts).value[0] + d.state + d.action for d in task.describer.everything())
    return hashlib.sha256(verdicts.encode()).hexdigest()[:12]


def _truth(task: World) -> str:
    """A digest of everything that the expert says, so that a changed expert is another judge."""
    return _truth_of(task.folder)
