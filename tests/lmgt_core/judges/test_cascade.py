"""Two judges as one: who is asked what, and the promise of the pair."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.tabular.domain import make_domain
from lmgt_core.audit.audit import Probe
from lmgt_core.audit.gate import audit_judge
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.judges.cascade import HANDED_ON, CascadeJudge, handed_on
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.rules.shift import speaks
from lmgt_core.testing.judge import JudgeContract

G, N, B, U = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD, Verdict.UNREADABLE


class Easy:
    """Is sure and right of questions under 100, and unsure and wrong of the others; it counts what it is asked."""

    kind, cacheable = JudgeKind.EMBEDDING, True

    def __init__(self, name: str = "easy", hardest: int = 100) -> None:
        self.id, self.hardest, self.asked = name, hardest, 0

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        self.asked += len(prompts)
        return [self._answer(int(prompt.user)) for prompt in prompts]

    def _answer(self, number: int) -> Judgment:
        right, wrong = (G, B) if number % 2 else (B, G)
        sure = number < self.hardest
        p = 0.9 if sure else 0.6
        verdict = right if sure else wrong
        return Judgment(verdict, (p, 0, 1 - p) if verdict is G else (1 - p, 0, p), cost=Cost(1.0))


class Silent(Easy):
    """Abstains from everything."""

    def _answer(self, number: int) -> Judgment:
        return super()._answer(number).abstain("it does not dare")


def probes(n: int = 200) -> list[Probe]:
    return [Probe(Prompt("", str(i)), G if i % 2 else B, str(i)) for i in range(n)]


def fitted(first: Judge, second: Judge, asked: Sequence[Probe]) -> CascadeJudge:
    return CascadeJudge(first, second).fitted(first, asked, 0.75, np.random.default_rng(0), None, lambda n: None)


class TestUnfitted(JudgeContract):
    def make_judge(self) -> Judge:
        return CascadeJudge(_NoNumbers(Silent()), _NoNumbers(Easy()))


class TestFitted(JudgeContract):
    def make_judge(self) -> Judge:
        return CascadeJudge(_NoNumbers(Easy()), _NoNumbers(Easy("dear", 1000)), {G: 0.8, B: None})


class _NoNumbers:
    """A judge of numbers that takes the length of any other text."""

    def __init__(self, judge: Easy) -> None:
        self.judged, self.id, self.kind, self.cacheable = judge, judge.id, judge.kind, judge.cacheable

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        return self.judged.judge([Prompt("", str(len(prompt.user))) for prompt in prompts])


def test_the_dear_judge_is_asked_only_where_the_cheap_one_is_silent() -> None:
    second = Easy("dear", 1000)
    judge = fitted(Easy(), second, probes())
    answers = judge.judge([probe.prompt for probe in probes()])
    assert second.asked == 100 and handed_on(answers) == 0.5
    assert [answer.verdict for answer in answers] == [probe.label for probe in probes()]
    assert [bool(answer.reason) for answer in answers] == [False] * 100 + [True] * 100


def test_both_judges_are_paid_for_where_both_were_asked() -> None:
    answers = CascadeJudge(Easy(), Easy("dear", 1000), {G: 0.8, B: 0.8}).judge([Prompt("", "1"), Prompt("", "101")])
    assert [answer.cost.seconds for answer in answers] == [1.0, 2.0]


def test_a_silent_first_judge_hands_everything_on() -> None:
    assert handed_on(CascadeJudge(Silent(), Easy()).judge([Prompt("", "1")])) == 1


def test_what_the_second_judge_says_of_its_own_silence_is_kept() -> None:
    (answer,) = CascadeJudge(Silent("a"), Silent("b")).judge([Prompt("", "1")])
    assert not speaks(answer) and answer.reason == f"{HANDED_ON}: it does not dare"


def test_questions_that_chose_where_the_first_judge_speaks_set_no_gate() -> None:
    judge = fitted(Easy(), Easy("dear", 1000), probes()[::2])
    assert audit_judge(judge, probes()).n == 100


def test_the_pair_s_promise_holds_where_both_are_at_the_border() -> None:
    """The pair's gate is set on questions that the first judge's thresholds never saw, so delta is not parted."""
    broken, trials = 0, 150
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        asked = probes(400)
        first, second = (_Border(np.random.default_rng([trial, i])) for i in (1, 2))
        pair = fitted(first, second, [asked[i] for i in rng.permutation(400)[:200]])
        broken += any(t is not None for v, t in audit_judge(pair, asked, rng=rng).thresholds.items() if v is G)
    assert broken <= 0.1 * trials + 2 * (0.09 * trials) ** 0.5


class _Border:
    """Right with probability .7499 at any confidence."""

    id, kind, cacheable = "border", JudgeKind.EMBEDDING, False

    def __init__(self, rng: np.random.Generator) -> None:
        self.right, self.sure = rng.random(400) < 0.7499, rng.uniform(0.5, 1, 400)

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        return [self._answer(int(prompt.user)) for prompt in prompts]

    def _answer(self, i: int) -> Judgment:
        truth, p = i % 2 == 1, float(self.sure[i])
        good = truth == bool(self.right[i])
        return Judgment(G, (p, 0.0, 1 - p)) if good else Judgment(B, (1 - p, 0.0, p))


def test_its_kind_is_that_of_the_most_privileged() -> None:
    oracle = make_judge("oracle", JudgeContext("app", lambda prompt: G, "truth"))
    assert oracle is not None
    assert CascadeJudge(Easy(), oracle).kind is JudgeKind.ORACLE


def test_a_baseline_before_a_model_takes_no_gate_away() -> None:
    random = make_judge("random", JudgeContext("app"))
    assert random is not None
    assert CascadeJudge(random, Easy()).kind is JudgeKind.EMBEDDING
    assert CascadeJudge(random, random).kind is JudgeKind.BASELINE


def test_its_id_says_where_the_first_one_speaks() -> None:
    pair = CascadeJudge(Easy("a"), Easy("b"))
    assert pair.id == "cascade(a; b)"
    assert pair.speaking_from({G: 0.8}).id == "cascade(gate(a; good>=0.8, neutral=never, bad=never); b)"


@pytest.mark.parametrize(
    "name", ["cascade:", "cascade:neutral", "cascade:neutral,random,neutral", "cascade:neutral,none"]
)
def test_a_bad_name_is_told_in_one_line(name: str) -> None:
    with pytest.raises(UserError, match="cascade") as caught:
        make_judge(name, JudgeContext("app"))
    assert "\n" not in str(caught.value)


def guidance(tmp_path: Path, **settings: Any) -> Guidance:
    config = JudgeConfig("cascade:noisy-oracle:0.7,oracle", **settings)
    return Guidance.of(make_domain("cliff"), config, tmp_path / "judgments.sqlite")


def test_the_audit_says_how_many_questions_went_on_and_a_resumed_run_hands_on_the_same(tmp_path: Path) -> None:
    audited = guidance(tmp_path).audited()
    share = audited.audit["handed_on"]
    assert share == 1.0 and "100 % of questions went on to the second judge" in audited.headline
    assert isinstance(audited.judge, CascadeJudge)
    again = guidance(tmp_path).audited(audited.audit)
    assert again.judge is not None and again.judge.id == audited.judge.id


def test_an_audit_that_is_begun_anew_asks_neither_judge_again(tmp_path: Path) -> None:
    domain = make_domain("cliff")
    counted: list[Prompt] = []

    def count(prompt: Prompt) -> Verdict:
        counted.append(prompt)
        return G if len(prompt.user) % 2 else B

    def audit() -> Guidance:
        first, second = (_Counted(name, count) for name in ("cheap", "dear"))
        config = JudgeConfig("cascade:cheap,dear")
        return Guidance.of(domain, config, tmp_path / "judgments.sqlite", judge=CascadeJudge(first, second)).audited()

    found = audit().audit
    assert counted
    counted.clear()
    assert audit().audit["thresholds"] == found["thresholds"] and not counted


class _Counted:
    """An answer by a function of the question."""

    kind, cacheable = JudgeKind.EMBEDDING, True

    def __init__(self, id: str, answer: Callable[[Prompt], Verdict]) -> None:
        self.id, self.answer = id, answer

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        return [Judgment(self.answer(prompt)) for prompt in prompts]
