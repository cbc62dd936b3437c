"""RL Baselines3 Zoo: `env_wrapper: lmgt_core.learners.rl_zoo.judged` in its YAML shifts the rewards (docs/rl-zoo.md).

The zoo puts its Monitor under its wrappers, so that the returns which it prints, and its evaluations, are unshifted.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import gymnasium as gym

from lmgt_core.audit.demands import AUTO
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.dotted import load_dotted
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.guide import STEPS, own_domain
from lmgt_core.guidance.wrappers import RewardShift


def judged(
    env: gym.Env[Any, Any],
    describe: str,
    question: str,
    judge: str,
    rule: str = "raw",
    scale: float = 1.0,
    probes: str = "",
    min_precision: float | str = AUTO,
    gate: bool = True,
    cache: str | None = "judgments.sqlite",
    steps: int = STEPS,
    seed: int = 0,
) -> RewardShift:
    """`env` with its rewards shifted, as `guide` does it; the environments of one process share the judge.

    `describe` and `probes` are dotted paths, `my_module.describe`, to a function (observation, action) -> (state,
    action) in words, and to a list of (observation, action, "good" | "neutral" | "bad"). `question` is the file of a
    template, or the text of a question with {state} and {action}. `steps` are the decisions of one environment over
    which a fading `rule` fades. UserError for what cannot be used.
    """
    guidance = _guidance(describe, question, judge, rule, scale, probes, min_precision, gate, cache)
    source = guidance.shifts(seed, steps)
    if source is None:
        raise UserError("judge: none shifts nothing; leave out env_wrapper")
    return RewardShift(env, source)


@lru_cache(maxsize=8)
def _guidance(
    describe: str,
    question: str,
    judge: str,
    rule: str,
    scale: float,
    probes: str,
    min_precision: float | str,
    gate: bool,
    cache: str | None,
) -> Guidance:
    """The audited judge, made once in a process; what its audit found is printed."""
    labelled = tuple(load_dotted(probes, "probes:")) if probes else ()
    asked = Path(question) if "{state}" not in question else question
    domain = own_domain("rl-zoo", load_dotted(describe, "describe:"), asked, labelled)
    config = JudgeConfig(judge, rule, scale, gate and bool(labelled), min_precision)
    guidance = Guidance.of(domain, config, None if cache is None else Path(cache)).audited()
    print(guidance.headline, flush=True)
    return guidance
