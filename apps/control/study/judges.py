"""The judges of the control studies: what a cell's settings name, and a memory that counts what it was asked."""

import atexit
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from apps.control.cartpole_variants import cartpole
from apps.control.domain import ControlDomain
from apps.control.oracle import cartpole_lean
from apps.control.probes import visited
from apps.control.worlds import World
from lmgt_core.distill.judge import DistillSettings, train_student
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.judges.distilled import DistilledJudge
from lmgt_core.judges.random import content_draws
from lmgt_core.judging.description import Description
from lmgt_core.judging.graded import GRANULARITIES, graded
from lmgt_core.judging.judge import Judge, JudgeKind, ask, seeded
from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.judging.registry import NONE, judge_names, make_judge, parse_spec
from lmgt_core.rules.cards import Seam
from lmgt_core.study.app import Settings

OWN = ("noisy", "graded", "distilled")  # judges that only studies have, made from the expert: privileged
BITS = "smollm2-bits"  # smollm2-bits:N, the installed language model quantized by another library
WIDTHS = ("4", "8", "16", "32")
EPOCHS = 240  # of the distilled judge: so few questions are two batches an epoch, and 60 taught 87 % of them
CERTAIN = 6.0  # degrees of lean at which the graded judge's opinion is as strong as it gets


class Remembered:
    """A judge around a judge that asks equal questions once and counts the different ones, their cost and seconds."""

    cacheable = False

    def __init__(self, judge: Judge, known: dict[str, Judgment] | None = None) -> None:
        self.judged = judge
        self.known = {} if known is None else known
        self.id, self.kind = judge.id, judge.kind
        self.seconds = 0.0
        self.tokens = 0
        self._asked: set[str] = set()
        self._counts = True

    @property
    def questions(self) -> int:
        """Different questions that were asked while it counted, remembered answers included."""
        return len(self._asked)

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The judge's answers, remembered ones as they were."""
        digests = [p.digest for p in prompts]
        new = {d: p for d, p in zip(digests, prompts, strict=True) if d not in self.known}
        if new:
            begun = time.perf_counter()
            answers = ask(self.judged, list(new.values()))
            self.known.update(zip(new, answers, strict=True))
            if self._counts:
                self.seconds += time.perf_counter() - begun
                self.tokens += sum(a.cost.prompt_tokens + a.cost.reply_tokens for a in answers)
        if self._counts:
            self._asked.update(digests)
        return [self.known[d] for d in digests]

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """What is asked inside is no part of the training: evaluations and audits."""
        before, self._counts = self._counts, False
        try:
            yield
        finally:
            self._counts = before


class Certain:
    """The verdicts of a judge, without its probabilities: as certain of every answer as it can be.

    `noisy-oracle:0.8` is honest about its doubt (.8), which a rule that reads probabilities profits from. A judge that
    misleads does not say so.
    """

    cacheable = False

    def __init__(self, judge: Judge) -> None:
        self.judged = judge
        self.id, self.kind = f"certain({judge.id})", judge.kind

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The judge's answers with all probability on their verdict."""
        return [replace(answer, probabilities=None) for answer in ask(self.judged, prompts)]


class GradedJudge:
    """CartPole's expert with an opinion in [-1, 1]: the lean towards the action's side, with noise; privileged.

    `noise` is a normal distribution's standard deviation, drawn by seed and content: asked again, it says the same.
    """

    kind = JudgeKind.ORACLE
    cacheable = False

    def __init__(self, noise: float, granularity: str, seed: int) -> None:
        self.noise, self.granularity, self.seed = noise, granularity, seed
        self.id = f"graded:{noise:g}:{granularity}:seed={seed}"

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The opinions, as coarsely as the granularity says."""
        return [graded(self.opinion(p), self.granularity) for p in prompts]

    def opinion(self, prompt: Prompt) -> float:
        """In [-1, 1]; above 0: good."""
        first, second = content_draws(self.seed, prompt)
        normal = np.sqrt(-2 * np.log(1 - first)) * np.cos(2 * np.pi * second)  # Box and Muller 1958
        side = 1 if prompt.facts["action"].endswith("right") else -1
        return float(np.clip(side * cartpole_lean(prompt.facts) / CERTAIN + self.noise * normal, -1, 1))


def check_judge(settings: Settings) -> None:
    """UserError for a judge that cannot be made, before anything is loaded."""
    name, task = str(settings["judge"]), cartpole(str(settings["env"]))
    known = (*OWN, BITS, *judge_names(ControlDomain(task).context()))
    if parse_spec(name).provider not in known or (name.startswith(BITS) and parse_spec(name).argument not in WIDTHS):
        raise UserError(f"judge {name}: no such judge; choose one of {', '.join(known)}")
    if settings["granularity"] not in GRANULARITIES:
        raise UserError(f"granularity {settings['granularity']}: choose one of {', '.join(GRANULARITIES)}")
    if name in ("graded", "distilled") and task.folder != "cartpole":
        raise UserError(f"judge {name}: is for CartPole and its variants, not {task.name}")


def make_guidance(settings: Settings, seed: int) -> Guidance:
    """The cell's judge in its task, under its rule, not audited; `judge` is a `Remembered`, or None."""
    s: Any = settings
    domain, gate = ControlDomain(cartpole(s["env"])), s["min_precision"] is not None
    least = s["min_precision"] if gate else JudgeConfig.min_precision
    config = JudgeConfig(s["judge"], s["rule"], s["scale"], gate, least, s["strategy"])
    judge = make_cell_judge(settings, domain.template(s["strategy"]), seed)
    return Guidance.of(domain, config, None, seams=tuple(Seam), judge=judge)


def make_cell_judge(settings: Settings, template: PromptTemplate, seed: int) -> Remembered | None:
    """The cell's judge, or None; `warm` ones have been asked everything beforehand."""
    s: Any = settings
    if s["judge"] == NONE:
        return None
    if s["judge"] not in OWN:
        name, env, strategy = str(s["judge"]), str(s["env"]), str(s["strategy"])
        if s["warm"]:
            return Remembered(_model(name, env), _everything(name, env, strategy))
        return Remembered(_model(name, env) if _fixed(name) else _made(name, cartpole(env), seed))
    if s["judge"] == "noisy":
        return Remembered(_noisy(s["accuracy"], cartpole(s["env"]), seed))
    if s["judge"] == "graded":
        return Remembered(GradedJudge(s["noise"], s["granularity"], seed))
    return Remembered(distilled_on(cartpole(s["taught_on"]), template, s["accuracy"], seed))


def distilled_on(task: World, template: PromptTemplate, accuracy: float, seed: int) -> DistilledJudge:
    """A small network that was taught by the noisy judge of `accuracy`, on the questions that come up in `task`."""
    teacher = _noisy(accuracy, task, seed)
    rng = np.random.default_rng([seed, 11])
    asked: dict[str, Description] = {}
    for observation in visited(task, rng):
        for action in task.actions:
            description = task.describer(observation, action)
            if description is not None:
                asked.setdefault(description.state + description.action, description)
    prompts = [template.render(description) for description in asked.values()]
    taught = list(zip(prompts, ask(teacher, prompts), strict=True))
    return DistilledJudge(train_student(teacher.id, taught, rng, DistillSettings(epochs=EPOCHS)).with_threshold(0.0))


def _noisy(accuracy: float, task: World, seed: int) -> Certain:
    return Certain(_made(f"noisy-oracle:{accuracy}", task, seed))


def _made(name: str, task: World, seed: int) -> Judge:
    spec = parse_spec(name)
    if spec.provider == BITS:
        name = f"hf:{_exported()}?bits={spec.argument}&device=cpu"
    judge = make_judge(name, ControlDomain(task).context())
    if judge is None:
        raise UserError(f"judge {name}: gives no judge; use {NONE}")
    return seeded(judge, seed)


def _fixed(name: str) -> bool:
    """Whether a judge is the same for every seed, and slow to make."""
    return parse_spec(name).provider not in ("random", "noisy-oracle", "oracle", "neutral")


@cache
def _exported() -> str:
    """A folder of the installed language model, which goes with this process."""
    from lmgt_core.judges.smollm2.gguf_export import export_folder
    from lmgt_core.judges.smollm2.gguf_file import GgufFile
    from lmgt_core.models.store import find_model

    folder = TemporaryDirectory(prefix="smollm2-")
    atexit.register(folder.cleanup)
    export_folder(GgufFile(find_model("smollm2")), Path(folder.name))
    return folder.name


@cache
def _model(name: str, env: str) -> Judge:
    """One for the process."""
    return _made(name, cartpole(env), 0)


@cache
def _everything(name: str, env: str, strategy: str) -> dict[str, Judgment]:
    """By digest, the answers to all that the task's words can say."""
    domain = ControlDomain(cartpole(env))
    template = domain.template(strategy)
    prompts = [template.render(description) for description in domain.questions()]
    return {p.digest: a for p, a in zip(prompts, ask(_model(name, env), prompts), strict=True)}
