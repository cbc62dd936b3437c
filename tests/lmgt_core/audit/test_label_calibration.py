"""Taking a judge's habits out of its probabilities."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.audit.gate import Probe, audit_judge, split_groups
from lmgt_core.audit.label_calibration import (
    NOTHING,
    CalibratedJudge,
    LabelCalibration,
    calibrate,
    content_free,
    contextual,
    learned,
    split_calibration,
    training_half,
)
from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import likeliest
from lmgt_core.judges.random import RandomJudge
from lmgt_core.judging.description import Description
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.testing.judge import JudgeContract

G, N, B = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD
TEMPLATE = PromptTemplate("Say good, neutral or bad.", "{state} Then {action}?")


class Biased:
    """A judge that sees quality q in `q=...`, but adds a habit of its own to the log-odds of good, for each action."""

    id = "biased"
    kind = JudgeKind.LANGUAGE_MODEL
    cacheable = True

    def __init__(self, habit: float = 2.0, left: float = 0.0, sign: float = 1.0) -> None:
        self.habit, self.left, self.sign = habit, left, sign

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        return [self.answer(p.user) for p in prompts]

    def answer(self, text: str) -> Judgment:
        quality = self.sign * float(text.split("q=")[1].split(" ")[0]) if "q=" in text else 0.0
        odds = quality + self.habit + (self.left if "left" in text else 0.0)
        good = 1 / (1 + np.exp(-odds))
        p = (0.9 * good, 0.1, 0.9 * (1 - good))
        return Judgment(likeliest(p), p)


def question(quality: float, action: str = "right") -> Prompt:
    return TEMPLATE.render(Description(f"q={quality:.3f} now.", action, facts={"action": action}))


def probes(rng: np.random.Generator, n: int = 300) -> list[Probe]:
    """Questions whose truth is the sign of a noisy quality; five questions a group."""
    found = []
    for i in range(n):
        quality, action = rng.normal(), ("left", "right")[i % 2]
        truth = G if quality + 0.3 * rng.normal() > 0 else B
        found.append(Probe(question(quality, action), truth, f"group {i // 5}"))
    return found


class TestCalibrated(JudgeContract):
    def make_judge(self) -> Judge:
        return CalibratedJudge(Biased(), LabelCalibration("contextual", offsets=(0.5, 0.0, -0.5)))


def test_dividing_by_the_answer_to_nothing_takes_a_habit_out() -> None:
    judge = Biased(habit=2.0)
    calibrated = CalibratedJudge(judge, contextual(judge, TEMPLATE))
    assert judge.judge([question(-1.0)])[0].verdict is G
    assert calibrated.judge([question(-1.0)])[0].verdict is B
    good, _, bad = calibrated.judge([question(0.0)])[0].probabilities or (0, 0, 0)
    assert good == pytest.approx(bad, abs=1e-6)


def test_golden_values() -> None:
    # (.6, .3, .1) / (.6, .2, .2) = (1, 1.5, .5), of 3
    offsets = tuple(float(-np.log(p)) for p in (0.6, 0.2, 0.2))
    calibration = LabelCalibration("contextual", offsets=(offsets[0], offsets[1], offsets[2]))
    answer = calibration(Judgment(G, (0.6, 0.3, 0.1)))
    assert answer.verdict is N and answer.probabilities == pytest.approx((1 / 3, 0.5, 1 / 6))


def test_the_questions_about_nothing_are_the_templates_own() -> None:
    assert [p.user for p in content_free(TEMPLATE)] == [f"{n} Then {n}?" for n in NOTHING]
    assert content_free(TEMPLATE, "left")[0].user == "N/A Then left?"
    assert all(p.system == TEMPLATE.system for p in content_free(TEMPLATE))


def test_each_action_has_its_own_habit() -> None:
    judge = Biased(habit=0.0, left=3.0)
    plain = CalibratedJudge(judge, contextual(judge, TEMPLATE))
    by_action = CalibratedJudge(judge, contextual(judge, TEMPLATE, ["left", "right"]))
    assert plain.judge([question(-1.0, "left")])[0].verdict is G
    assert [j.verdict for j in by_action.judge([question(-1.0, "left"), question(1.0)])] == [B, G]
    unknown_action = by_action.judge([question(1.0, "up")])[0]
    assert unknown_action.probabilities == plain.judge([question(1.0, "up")])[0].probabilities


def test_what_is_learned_undoes_habits_of_both_kinds() -> None:
    judge = Biased(habit=1.5, left=2.0)
    calibration = learned(judge, probes(np.random.default_rng(0)))
    fresh = probes(np.random.default_rng(1))
    before = audit_judge(judge, fresh)
    after = audit_judge(CalibratedJudge(judge, calibration), fresh)
    assert before.accuracy is not None and after.accuracy is not None
    assert before.accuracy < 0.65 and after.accuracy > 0.85


def test_an_inverted_judge_is_silenced_not_turned_around() -> None:
    judge = Biased(habit=0.0, sign=-1.0)
    calibrated = CalibratedJudge(judge, learned(judge, probes(np.random.default_rng(0))))
    assert calibrated.calibration.slope == 0.0
    audit = audit_judge(calibrated, probes(np.random.default_rng(1)))
    assert audit.silent and audit.auc_ci95 is not None and audit.auc_ci95[0] < 0.5 < audit.auc_ci95[1]


def test_the_effect_is_visible_in_an_audit_and_its_halves_do_not_mix() -> None:
    judge, questions = Biased(habit=2.5), probes(np.random.default_rng(2))
    half = training_half(questions, np.random.default_rng(0))
    mine = split_groups([p.group for p in questions], np.random.default_rng(0))
    reported = {p.group for p, m in zip(questions, mine, strict=True) if not m}
    assert reported and not reported & {p.group for p in half}
    plain = audit_judge(judge, questions, rng=np.random.default_rng(0))
    calibrated = CalibratedJudge(judge, learned(judge, half))
    better = audit_judge(calibrated, questions, rng=np.random.default_rng(0))
    assert better.held_out.coverage > plain.held_out.coverage
    assert better.judge != plain.judge and better.kind == "trained on labels"


def test_what_is_learned_from_labels_is_shown_as_trained() -> None:
    assert CalibratedJudge(Biased(), LabelCalibration("contextual")).kind is JudgeKind.LANGUAGE_MODEL
    assert CalibratedJudge(Biased(), LabelCalibration("learned")).kind is JudgeKind.TRAINED


def test_ids_tell_calibrations_apart() -> None:
    ids = {
        CalibratedJudge(Biased(), LabelCalibration("contextual", offsets=(x, 0.0, 0.0), actions=actions)).id
        for x in (0.0, 0.1)
        for actions in ({}, {"left": (0.0, 0.0, 0.0)})
    }
    assert len(ids) == 4 and all(i.startswith("biased:contextual=") for i in ids)


@given(st.floats(0, 5), st.tuples(*[st.floats(-20, 20)] * 3), st.floats(0, 1))
def test_calibrated_probabilities_are_a_distribution(slope: float, offsets: tuple[float, ...], good: float) -> None:
    calibration = LabelCalibration("learned", slope, (offsets[0], offsets[1], offsets[2]))
    answer = calibration(Judgment(G, (good, 0.0, 1.0 - good)))
    p = answer.probabilities
    assert p is not None and sum(p) == pytest.approx(1) and p[1] == 0.0  # what was not offered stays impossible
    assert answer.verdict is likeliest(p)


def test_answers_without_probabilities_stay_as_they_are() -> None:
    calibration = LabelCalibration("contextual", offsets=(9.0, 0.0, 0.0))
    for judgment in (Judgment(B), Judgment(Verdict.UNREADABLE, reason="mumbled")):
        assert calibration(judgment) == judgment


def test_no_change_is_no_change() -> None:
    judgment = Judgment(G, (0.5, 0.3, 0.2))
    assert LabelCalibration("learned")(judgment).probabilities == pytest.approx((0.5, 0.3, 0.2))


@pytest.mark.parametrize("method", ["contextual", "per-action", "learned"])
def test_every_method_is_asked_for_in_a_judges_name(method) -> None:
    plain, asked = split_calibration(f"hf:model?bits=4&calibration={method}")
    assert (plain, asked) == ("hf:model?bits=4", method)
    judge = calibrate(Biased(), asked, TEMPLATE, probes(np.random.default_rng(0)), ["left", "right"])
    assert judge.calibration.method == method
    assert judge.id.startswith(f"biased:{method}=")


def test_a_name_without_the_option_stays_as_it_is() -> None:
    assert split_calibration("openai:m@http://localhost/v1?rpm=3") == ("openai:m@http://localhost/v1?rpm=3", None)
    with pytest.raises(UserError, match="calibration=magic is none of contextual, per-action, learned"):
        split_calibration("biased?calibration=magic")


def test_a_calibration_without_what_it_needs_is_a_users_mistake() -> None:
    for method, said in (("learned", "no labelled probes here"), ("per-action", "actions have no names here")):
        with pytest.raises(UserError, match=said):
            calibrate(Biased(), method, TEMPLATE)


def test_a_judge_without_probabilities_cannot_be_calibrated() -> None:
    with pytest.raises(UserError, match="gives no probabilities"):
        calibrate(RandomJudge(0), "contextual", TEMPLATE)


def test_too_few_probes_teach_nothing() -> None:
    with pytest.raises(UserError, match="19 answers with probabilities; a calibration takes 20"):
        learned(Biased(), probes(np.random.default_rng(0))[:19])
