"""`guide`: one call for an environment of one's own."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv

from lmgt_core.audit.audit import Probe
from lmgt_core.audit.demands import AUTO
from lmgt_core.audit.rollouts import STATES, Policy, label_by_rollouts
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.domain import Render
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.shift_source import Describe, one_by_one
from lmgt_core.guidance.watch import Truth
from lmgt_core.guidance.wrappers import RewardShift, VectorRewardShift
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.judging.registry import JudgeContext
from lmgt_core.terminal.progress import progress

SYSTEM = "You judge the decisions of an agent that is learning. Answer with one word."
STEPS = 100_000  # decisions over which a fading rule fades, where nobody says otherwise
Words = Description | tuple[str, str] | None  # (state, action), or None where there is nothing to judge
TrueAnswer = Callable[[Any, Any], str | None]  # observation, action -> good, neutral, bad; None: not known
Labelled = tuple[Any, Any, str]  # observation, action, its true answer: good, neutral or bad


def guide(
    env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any],
    describe: Callable[[Any, Any], Words],
    question: str | Path | PromptTemplate,
    judge: str | Judge,
    *,
    rule: str = "raw",
    scale: float = 1.0,
    probes: Iterable[Labelled] | Literal["rollouts"] = (),
    policies: tuple[Policy, ...] = (),
    min_precision: float | str = AUTO,
    gate: bool = True,
    cache: Path | str | None = "judgments.sqlite",
    steps: int = STEPS,
    seed: int = 0,
    background: bool = False,
    watch: float = 0.0,
    truth: TrueAnswer | None = None,
    name: str = "my-environment",
    say: Callable[[str], object] = print,
) -> RewardShift | VectorRewardShift:
    """`env`, a single environment or a vector of them, with its rewards shifted by a judge; any learner trains in it.

    `describe(observation, action)` gives the state before the action and the action in words, as a pair or a
    `Description`; few different words mean few questions, since each is asked once. `question` is the text of one with
    {state} and {action}, or the file of a template. `judge` is a judge's name, as in --judge, or a judge.

    With `probes`, triples (observation, action, "good" | "neutral" | "bad"), the judge is audited first and speaks only
    where its precision on them is surely `min_precision` (one number, "good=.8,bad=.7", or "auto": .75 of each
    verdict); without any it always speaks, right or wrong, and the line that is told (`say`) says so.
    `wrapped.guidance` holds the audit. Probes with the same description of the state form a group, whose answers are
    not taken for independent. Who has no labels gives `probes="rollouts"` and `policies`, a stronger one and perhaps a
    weaker one (default: random), functions of an observation: decisions are then labelled by what happens after them
    (`lmgt_core/audit/rollouts.py`).

    Shifts are `scale` units of reward; `steps` decisions are those over which a fading `rule` fades. Judgments are kept
    in the file `cache`, and asked in a thread while the environment steps with `background`. Evaluate in an environment
    without the wrapper, such as `wrapped.env`.

    `truth(observation, action)` gives the true answer ("good", "neutral", "bad", or None where it is not known). With
    it, a share `watch` of the decisions is compared with the truth while the agent learns, and a verdict that no longer
    has its precision falls silent (`lmgt_core/guidance/watch.py`); `wrapped.source.watched` holds what was found.

    UserError for a judge, question, rule or probe that cannot be used.
    """
    if truth is not None and not watch:
        raise UserError("truth: nothing is compared with it; give the share of decisions too, like watch=0.1")
    if isinstance(probes, str) and probes != "rollouts":
        raise UserError(f'probes={probes!r}: give triples (observation, action, label), or "rollouts"')
    if policies and not isinstance(probes, str):
        raise UserError('policies: they label decisions with probes="rollouts" only; give that too')
    labelled = _played(env, describe, policies, seed, say) if isinstance(probes, str) else probes
    domain = own_domain(name, describe, question, labelled, seed, truth)
    spec, made = (judge, None) if isinstance(judge, str) else (judge.id, judge)
    gated = gate and bool(domain.labelled)
    config = JudgeConfig(spec, rule, scale, gated, min_precision, judge_ahead=background, watch=watch)
    path = None if cache is None else Path(cache)
    guidance = Guidance.of(domain, config, path, judge=made).audited()
    say(guidance.headline)
    source = guidance.shifts(seed, steps, say=say)
    if source is None:
        raise UserError("--judge none: shifts nothing; leave the environment as it is")
    wrapped = VectorRewardShift(env, source) if isinstance(env, VectorEnv) else RewardShift(env, source)
    wrapped.guidance = guidance  # type: ignore[union-attr]
    return wrapped


def _played(
    env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any],
    describe: Callable[[Any, Any], Words],
    policies: tuple[Policy, ...],
    seed: int,
    say: Callable[[str], object],
) -> tuple[Labelled, ...]:
    if not 1 <= len(policies) <= 2:
        raise UserError('probes="rollouts": give policies=(stronger, weaker), or (stronger,) alone')
    if isinstance(env, VectorEnv):
        raise UserError('probes="rollouts": label in a single environment first, with label_by_rollouts')
    with progress("states played on", STATES) as bar:
        found = label_by_rollouts(
            env, *policies, judged=lambda o, a: describe(o, a) is not None, seed=seed, advance=bar.advance
        )
    say(found.headline)
    return found.labelled


def own_domain(
    name: str,
    describe: Callable[[Any, Any], Words],
    question: str | Path | PromptTemplate,
    probes: Iterable[Labelled] = (),
    seed: int = 0,
    truth: TrueAnswer | None = None,
) -> "OwnDomain":
    """The `Domain` of an environment that is told by a describer and a question, as `guide` takes them."""
    return OwnDomain(name, describe, _template(question), tuple(probes), seed, truth)


def _template(question: str | Path | PromptTemplate) -> PromptTemplate:
    if isinstance(question, PromptTemplate):
        return question
    template = PromptTemplate.load(question) if isinstance(question, Path) else PromptTemplate(SYSTEM, question)
    if missing := [field for field in ("{state}", "{action}") if field not in template.user]:
        raise UserError(f"question: its text lacks {' and '.join(missing)}, so the judge would not be told")
    return template


@dataclass(frozen=True)
class OwnDomain:
    """The domain of a user's environment, as far as it was told."""

    name: str
    describe: Callable[[Any, Any], Words]
    question: PromptTemplate
    labelled: tuple[Labelled, ...]
    seed: int
    known: TrueAnswer | None = None

    def context(self) -> JudgeContext:
        return JudgeContext(self.name, seed=self.seed)

    def describer(self, silent: bool = False) -> Describe:
        return one_by_one(self._described)

    def template(self, strategy: str) -> PromptTemplate:
        return self.question

    def probes(self, render: Render, rng: np.random.Generator) -> Sequence[Probe]:
        return [self._probe(render, number, *labelled) for number, labelled in enumerate(self.labelled)]

    def known_truth(self) -> Truth | None:
        known = self.known
        if known is None:
            return None

        def truth(observation: Any, action: Any, outcome: Any, prompt: Prompt) -> Verdict | None:
            answer = known(observation, action)
            if answer not in (None, Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD):
                raise UserError(f"truth: {answer!r} is no answer; use good, neutral, bad, or None for unknown")
            return None if answer is None else Verdict(answer)

        return truth

    def questions(self) -> None:
        return None

    def read(self, state: str, action: str) -> Description:
        return Description(state, action)

    def _described(self, observation: Any, action: Any) -> Description | None:
        told = self.describe(observation, action)
        return Description(*told) if isinstance(told, tuple) else told

    def _probe(self, render: Render, number: int, observation: Any, action: Any, label: str) -> Probe:
        description = self._described(observation, action)
        if description is None:
            raise UserError(
                f"probes[{number}]: {observation}, {action} has no description, so it cannot be asked about"
            )
        if label not in (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD):
            raise UserError(f"probes[{number}]: {label!r} is no answer; use good, neutral or bad")
        return Probe(render(description), Verdict(label), group=description.state)
