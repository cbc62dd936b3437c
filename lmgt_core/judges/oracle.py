"""The app's expert as a judge, and the same expert made to err."""

from collections.abc import Callable, Sequence
from copy import copy

from lmgt_core.errors import UserError
from lmgt_core.judges.random import content_draws
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec, without_argument

Expert = Callable[[Prompt], Verdict]


def _certain(verdict: Verdict, p: float = 1.0) -> Judgment:
    """`verdict` with probability p; what is left goes to the opposite, or to both sides of neutral."""
    probabilities = {
        Verdict.GOOD: (p, 0.0, 1.0 - p),
        Verdict.NEUTRAL: ((1.0 - p) / 2, p, (1.0 - p) / 2),
        Verdict.BAD: (1.0 - p, 0.0, p),
    }
    return Judgment(verdict, probabilities[verdict])


def _unknown(reason: str) -> Judgment:
    return Judgment(Verdict.UNREADABLE, reason=f"the expert has no answer: {reason}")


class OracleJudge:
    """What the app's expert says; unreadable where it raises LookupError or has no verdict."""

    kind = JudgeKind.ORACLE
    cacheable = False

    def __init__(self, expert: Expert, domain: str, truth: str) -> None:
        self.expert = expert
        self.id = f"oracle:{domain}:{truth}"

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The expert's verdict on every prompt, with probability 1."""
        return [self._answer(p) for p in prompts]

    def _answer(self, prompt: Prompt) -> Judgment:
        verdict = _ask(self.expert, prompt)
        return verdict if isinstance(verdict, Judgment) else _certain(verdict)


class NoisyOracleJudge:
    """The app's expert, right with probability `accuracy`, independently for each question.

    Which questions it gets wrong is decided by seed and content, so repeating a question repeats the answer, and a
    judge of higher accuracy under the same seed gets right whatever one of lower accuracy does. A wrong answer to a
    good or bad action is the opposite (such questions offer those two); to a neutral one, good or bad by lot.
    Its probability for its verdict is `accuracy`; below .5 it is as sure of its wrong answers, with 1 - `accuracy`.
    """

    kind = JudgeKind.ORACLE
    cacheable = False

    def __init__(self, expert: Expert, accuracy: float, domain: str, truth: str, seed: int) -> None:
        self.expert = expert
        self.accuracy = accuracy
        self.seed = seed
        self._name = f"noisy-oracle:{accuracy:g}:{domain}:{truth}"
        self.id = f"{self._name}:seed={seed}"

    def seeded(self, seed: int) -> "NoisyOracleJudge":
        """The same judge with the mistakes of `seed`."""
        other = copy(self)
        other.seed, other.id = seed, f"{self._name}:seed={seed}"
        return other

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The expert's verdict on every prompt, or a wrong one."""
        return [self._answer(p) for p in prompts]

    def _answer(self, prompt: Prompt) -> Judgment:
        truth = _ask(self.expert, prompt)
        if isinstance(truth, Judgment):
            return truth
        luck, side = content_draws(self.seed, prompt)
        said = truth if luck < self.accuracy else _wrong(truth, side)
        return _certain(said, max(self.accuracy, 1.0 - self.accuracy))


def _ask(expert: Expert, prompt: Prompt) -> Verdict | Judgment:
    """The expert's verdict, or the unreadable judgment that stands for its silence."""
    try:
        verdict = expert(prompt)
    except LookupError as error:  # a question about things that the truth does not hold
        return _unknown(repr(error))
    return _unknown("it said unreadable") if verdict is Verdict.UNREADABLE else verdict


def _wrong(truth: Verdict, side: float) -> Verdict:
    """A verdict that is not `truth`; `side` in [0, 1) draws between two."""
    if truth is Verdict.NEUTRAL:
        return Verdict.GOOD if side < 0.5 else Verdict.BAD
    return Verdict.BAD if truth is Verdict.GOOD else Verdict.GOOD


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `oracle`; UserError where the app has no expert."""
    without_argument(spec)
    return OracleJudge(_expert(spec, context), context.domain, context.oracle_id)


def make_noisy(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `noisy-oracle:P`; UserError where P is no probability or the app has no expert."""
    try:
        accuracy = float(spec.argument)
    except ValueError:
        accuracy = float("nan")
    if spec.options or not 0 <= accuracy <= 1:
        raise UserError(f"--judge {spec}: noisy-oracle:P needs a probability P from 0 to 1, like noisy-oracle:0.8")
    return NoisyOracleJudge(_expert(spec, context), accuracy, context.domain, context.oracle_id, context.seed)


def _expert(spec: JudgeSpec, context: JudgeContext) -> Expert:
    if context.oracle is None:
        raise UserError(f"--judge {spec}: {context.domain} has no expert here; choose another judge")
    return context.oracle
