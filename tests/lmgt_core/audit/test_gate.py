"""Audit and selective gate: bounds by hand, thresholds, and what a judge is let say."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.audit.gate import Audit, PlayRates, Probe, SelectiveGate, audit_judge, balance_probes, find_thresholds
from lmgt_core.audit.gate import split_groups as split
from lmgt_core.audit.precision import Answers, auc, auc_interval, clopper_pearson, precision_interval
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.errors import UserError
from lmgt_core.judges.neutral import NeutralJudge
from lmgt_core.judges.oracle import NoisyOracleJudge, OracleJudge
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.rules.make import make_rule
from lmgt_core.testing.judge import JudgeContract

GOOD, NEUTRAL, BAD, UNREADABLE = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD, Verdict.UNREADABLE
OPPOSITE = {GOOD: BAD, BAD: GOOD, NEUTRAL: GOOD}


def probes(n: int, groups: int = 0, seed: int = 0, good: float = 0.5) -> list[Probe]:
    """n questions that carry their truth in a fact, in `groups` groups (default: each its own)."""
    lots = np.random.default_rng(seed).random(n)
    labels = [GOOD if lot < good else BAD for lot in lots]
    facts = [{"truth": str(v), "kind": "pick" if i % 4 else "place"} for i, v in enumerate(labels)]
    return [
        Probe(Prompt("", f"{seed}/{i}", facts=f), Verdict(f["truth"]), f"g{i % (groups or n)}")
        for i, f in enumerate(facts)
    ]


def truth(prompt: Prompt) -> Verdict:
    return Verdict(prompt.facts["truth"])


class JudgeOf:
    """Answers with a function of prompt and position."""

    kind = JudgeKind.BASELINE
    cacheable = True

    def __init__(self, answer: Callable[[Prompt, int], Judgment]) -> None:
        self.answer = answer
        self.id = "judge of a function"
        self.asked = 0

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        answers = [self.answer(p, self.asked + i) for i, p in enumerate(prompts)]
        self.asked += len(prompts)
        return answers


def sure(verdict: Verdict, p: float) -> Judgment:
    return Judgment(verdict, (p, 0.0, 1 - p) if verdict is GOOD else (1 - p, 0.0, p))


def right_when_sure(prompt: Prompt, i: int) -> Judgment:
    """Right above a confidence of .8, and half of the time below."""
    confidence = 0.5 + 0.5 * ((i * 7919) % 1000) / 1000
    right = confidence > 0.8 or (i * 104729) % 2000 < 1000
    return sure(truth(prompt) if right else OPPOSITE[truth(prompt)], confidence)


def answers(right: Sequence[bool], group: Sequence[int] | None = None, confidence: float = 0.9) -> Answers:
    """All said good; true where `right`."""
    n = len(right)
    said = np.ones(n, np.int64)
    return Answers(said, np.where(right, 1, -1), np.full(n, confidence), said * 0.8, np.array(group or range(n)))


@pytest.mark.parametrize(("right", "n"), [(1, 1), (18, 20), (19, 20), (20, 20), (3, 40), (150, 180)])
def test_the_exact_bound_is_where_so_many_successes_have_a_chance_of_5_percent(right: int, n: int) -> None:
    p = Fraction(clopper_pearson(right, n))
    tail = sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(right, n + 1))
    assert float(tail) == pytest.approx(0.05, abs=1e-9)


def test_the_exact_bound_of_no_success_is_0_and_of_20_in_20_the_20th_root_of_5_percent() -> None:
    assert clopper_pearson(0, 20) == 0.0
    assert clopper_pearson(20, 20) == pytest.approx(0.05 ** (1 / 20))  # .861


def test_auc_counts_pairs_and_ties_half() -> None:
    score = np.array([0.9, 0.5, 0.5, 0.1])
    good = np.array([True, True, False, False])
    assert auc(score, good) == (2 + 1.5) / 4  # .9 beats both; .5 ties with .5 and beats .1
    assert auc(-score, good) == pytest.approx(1 - 3.5 / 4)
    assert auc(np.zeros(4), good) == 0.5
    assert auc(score, np.ones(4, bool)) is None
    assert auc(np.zeros(0), np.zeros(0, bool)) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, bool]]) -> None:
    goods, bads = [s for s, g in rows if g], [s for s, g in rows if not g]
    got = auc(np.array([s for s, _ in rows], float), np.array([g for _, g in rows]))
    if not goods or not bads:
        assert got is None
    else:
        assert got == pytest.approx(np.mean([(a > b) + 0.5 * (a == b) for a in goods for b in bads]))


def test_the_auc_interval_holds_the_auc_and_widens_with_fewer_groups() -> None:
    rng = np.random.default_rng(1)
    good = rng.random(400) < 0.5
    score = good + rng.normal(size=400)
    many = auc_interval(score, good, np.arange(400), np.random.default_rng(0))
    few = auc_interval(score, good, np.arange(400) // 40, np.random.default_rng(0))
    value = auc(score, good)
    assert many is not None and few is not None and value is not None
    assert many[0] < value < many[1] and few[0] < value < few[1]
    assert many == auc_interval(score, good, np.arange(400), np.random.default_rng(0))  # seeded
    assert auc_interval(score, good, np.zeros(400, int), np.random.default_rng(0)) is None


def test_a_precision_s_interval_is_at_least_the_exact_one() -> None:
    interval = precision_interval(answers([True] * 20), np.random.default_rng(0))
    assert interval is not None and interval[0] == pytest.approx(0.025 ** (1 / 20)) and interval[1] == 1.0
    assert precision_interval(answers([]), np.random.default_rng(0)) is None


@given(st.lists(st.integers(0, 8), min_size=1, max_size=60), st.integers(0, 100))
def test_no_group_lies_on_both_sides_of_the_split(groups: list[int], seed: int) -> None:
    names = [str(g) for g in groups]
    calibrates = split(names, np.random.default_rng(seed))
    assert not {g for g, c in zip(names, calibrates, strict=True) if c} & {
        g for g, c in zip(names, calibrates, strict=True) if not c
    }
    largest = max(names.count(g) for g in names)
    assert abs(2 * calibrates.sum() - len(groups)) <= 2 * largest


def test_the_threshold_found_is_where_the_judge_becomes_right() -> None:
    audit = audit_judge(JudgeOf(right_when_sure), probes(4000))
    for verdict in (GOOD, BAD):
        threshold = audit.thresholds[verdict]
        assert threshold is not None and 0.6 < threshold < 0.78  # above .8 all right, half below: .75 in all near .6
    assert audit.thresholds[NEUTRAL] is None
    assert audit.held_out_ok is True
    assert audit.held_out.precision is not None and audit.held_out.precision >= 0.75
    assert 0.4 < audit.held_out.coverage < 0.8


@pytest.mark.parametrize(("accuracy", "speaks"), [(0.65, False), (0.75, False), (0.85, True), (1.0, True)])
def test_a_judge_speaks_only_if_it_is_surely_precise_enough(accuracy: float, speaks: bool) -> None:
    audit = audit_judge(NoisyOracleJudge(truth, accuracy, "d", "t", 0), probes(2000, groups=200))
    assert audit.silent is not speaks
    assert ("SILENT" in audit.headline) is not speaks
    assert (audit.thresholds[GOOD] is not None) is speaks


def test_a_judge_without_probabilities_speaks_on_all_or_nothing() -> None:
    audit = audit_judge(JudgeOf(lambda p, i: Judgment(truth(p))), probes(200))
    assert audit.thresholds == {GOOD: 1.0, NEUTRAL: None, BAD: 1.0}
    assert audit.held_out.coverage == 1.0


def test_one_verdict_may_speak_while_another_stays_silent() -> None:
    def answer(prompt: Prompt, i: int) -> Judgment:  # good only where it is; bad for the rest, half of it wrong
        return sure(GOOD if truth(prompt) is GOOD and i % 2 else BAD, 0.9)

    audit = audit_judge(JudgeOf(answer), probes(1000))
    assert audit.thresholds[GOOD] == pytest.approx(0.9) and audit.thresholds[BAD] is None


@pytest.mark.parametrize(("n", "speaks"), [(19, False), (20, True)])
def test_fewer_than_20_answers_are_never_enough(n: int, speaks: bool) -> None:
    all_good = [Probe(p.prompt, GOOD, p.group) for p in probes(n)]
    audit = audit_judge(JudgeOf(lambda p, i: Judgment(GOOD)), all_good, rng=np.random.default_rng(0))
    assert (audit.thresholds[GOOD] is not None) is speaks


@pytest.mark.parametrize(("sure_ones", "found"), [(12, None), (20, 0.95)])
def test_a_region_of_too_few_answers_is_not_trusted_however_right_it_is(sure_ones: int, found: float | None) -> None:
    low = answers([True, False] * ((40 - sure_ones) // 2), confidence=0.6)
    high = answers([True] * sure_ones, confidence=0.95)
    both = Answers(
        np.append(low.said, high.said),
        np.append(low.truth, high.truth),
        np.append(low.confidence, high.confidence),
        np.append(low.score, high.score),
        np.arange(40),
    )
    assert clopper_pearson(12, 12) > 0.75
    assert find_thresholds(both, 0.75, np.random.default_rng(0))[GOOD] == found


def test_a_gate_that_held_out_probes_do_not_confirm_says_so() -> None:
    audit = audit_judge(JudgeOf(lambda p, i: Judgment(truth(p))), probes(200))
    assert audit.held_out_ok is True and "WARNING" not in audit.headline
    assert "WARNING: held-out" in replace(audit, held_out_ok=False).headline


def test_a_judge_that_is_only_let_blame_says_so() -> None:
    audit = audit_judge(JudgeOf(lambda p, i: Judgment(truth(p))), probes(200), {BAD: 0.75})
    assert audit.only_blames and "it only blames" in audit.headline


def test_what_a_judge_was_fitted_to_has_no_say_in_its_gate_and_its_report() -> None:
    some = probes(400)
    known = {p.prompt.digest for p in some[:200]}

    def answer(prompt: Prompt, i: int) -> Judgment:  # it has learned these by heart, and guesses the others
        return Judgment(truth(prompt) if prompt.digest in known or i % 2 else OPPOSITE[truth(prompt)])

    class Around:
        """A judge around one that was fitted."""

        kind, id, cacheable = JudgeKind.TRAINED, "around", True

        def __init__(self) -> None:
            self.judged = JudgeOf(answer)
            self.judged.fitted_to = frozenset(known)

        def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
            return self.judged.judge(prompts)

    assert not audit_judge(JudgeOf(answer), some, 0.6).silent
    fitted = audit_judge(Around(), some, 0.6)
    assert fitted.silent and fitted.held_out.n == fitted.n == 200


def test_each_verdict_may_have_a_demand_of_its_own() -> None:
    def audited(demand: str | float) -> Audit:
        return audit_judge(NoisyOracleJudge(truth, 0.85, "d", "t", 0), probes(1000), demand)

    both, bad_only, strict = audited("good=.75,bad=.75"), audited("bad=.75"), audited("good=.9,bad=.75")
    assert both.thresholds == {GOOD: 0.85, NEUTRAL: None, BAD: 0.85}
    assert bad_only.thresholds == strict.thresholds == {GOOD: None, NEUTRAL: None, BAD: 0.85}
    assert audited(0.75).min_precision == 0.75 and strict.min_precision == {"good": 0.9, "bad": 0.75}
    assert "at least 0.9 for good, 0.75 for bad at 90 % certainty" in strict.headline


def test_a_demand_holds_at_the_rate_of_play() -> None:
    judge, some = NoisyOracleJudge(truth, 0.85, "d", "t", 0), probes(1000)
    rare = audit_judge(judge, some, 0.75, play_rates=PlayRates.known({GOOD: 0.1, BAD: 0.9}))
    assert rare.thresholds[GOOD] is None and rare.thresholds[BAD] == 0.85  # .85 / (.85 + 9 * .15) is .39
    assert rare.promises["good"]["demanded_on_probes"] == pytest.approx(0.964, abs=0.005)
    assert rare.promises["bad"]["demanded_on_probes"] == 0.75  # never less than what was asked for
    assert audit_judge(
        OracleJudge(truth, "d", "t"), some, play_rates=PlayRates.known({GOOD: 0.1, BAD: 0.9})
    ).thresholds[GOOD]


def mixed(prompt: Prompt, i: int) -> Judgment:
    """Right, unreadable, abstained, wrong, in turn; each costs a quarter of a second."""
    cost = Cost(seconds=0.25)
    return (
        Judgment(truth(prompt), cost=cost),
        Judgment(UNREADABLE, reason="?", cost=cost),
        Judgment(GOOD, cost=cost).abstain("unsure"),
        Judgment(OPPOSITE[truth(prompt)], cost=cost),
    )[i % 4]


def test_unreadable_and_abstained_answers_have_rates_of_their_own() -> None:
    audit = audit_judge(JudgeOf(mixed), probes(400))
    assert (audit.n, audit.answered) == (400, 200)
    assert (audit.unreadable_rate, audit.abstention_rate, audit.accuracy) == (0.25, 0.25, 0.5)
    assert audit.seconds_per_judgment == pytest.approx(0.25)


def test_nothing_answered_leaves_the_shares_unknown_and_the_judge_silent() -> None:
    audit = audit_judge(JudgeOf(lambda p, i: Judgment(UNREADABLE, reason="?")), probes(40))
    assert (audit.accuracy, audit.auc, audit.auc_ci95, audit.held_out_ok) == (None, None, None, None)
    assert audit.silent and audit.unreadable_rate == 1.0


def test_the_baseline_is_the_most_frequent_label_and_warns_where_it_would_pass() -> None:
    mostly_bad = probes(1000, good=0.1)
    audit = audit_judge(JudgeOf(lambda p, i: Judgment(BAD)), mostly_bad)
    share = sum(p.label is BAD for p in mostly_bad) / 1000
    assert audit.baseline == audit.accuracy == share
    assert "always giving it would pass" in audit.headline
    assert audit.auc == 0.5


def test_balanced_probes_silence_who_always_says_the_same() -> None:
    even = balance_probes(probes(1000, good=0.1), np.random.default_rng(0))
    labels = [p.label for p in even]
    assert labels.count(GOOD) == labels.count(BAD) > 50
    assert audit_judge(JudgeOf(lambda p, i: Judgment(BAD)), even).silent
    assert balance_probes([], np.random.default_rng(0)) == []


def test_bias_is_told_for_each_value_of_a_categorical_fact() -> None:
    even = [Probe(p.prompt, GOOD if i // 4 % 2 else BAD, p.group) for i, p in enumerate(probes(80))]
    audit = audit_judge(JudgeOf(lambda p, i: Judgment(GOOD if p.facts["kind"] == "pick" else NEUTRAL)), even)
    assert audit.bias["kind=pick"] == {"n": 60, "given": 1.0, "true": 0.0, "bias": 1.0}
    assert audit.bias["kind=place"] == {"n": 20, "given": 0.0, "true": 0.0, "bias": 0.0}


def test_precision_is_told_for_each_verdict() -> None:
    audit = audit_judge(JudgeOf(lambda p, i: Judgment(truth(p) if i < 50 else BAD)), probes(100))
    goods = sum(p.label is GOOD for p in probes(100)[:50])
    wrong = sum(p.label is GOOD for p in probes(100)[50:])
    assert audit.precision["good"] == {"n": goods, "precision": 1.0}
    assert audit.precision["bad"] == {"n": 100 - goods, "precision": pytest.approx(1 - wrong / (100 - goods))}
    assert audit.precision["neutral"] == {"n": 0, "precision": None}


def test_an_audit_repeats_itself_under_its_seed_and_leaves_shared_randomness_alone() -> None:
    def run() -> Audit:
        return audit_judge(NoisyOracleJudge(truth, 0.85, "d", "t", 0), probes(400, 40), rng=np.random.default_rng(4))

    before = repr(np.random.get_state())
    one, other = run().as_dict(), run().as_dict()
    one.pop("seconds_per_judgment"), other.pop("seconds_per_judgment")
    assert one == other and repr(np.random.get_state()) == before


def test_an_audit_is_plain_json() -> None:
    audit = audit_judge(NoisyOracleJudge(truth, 0.9, "d", "t", 0), probes(200)).as_dict()
    again = json.loads(json.dumps(audit, allow_nan=False))
    assert again["thresholds"] == {"good": 0.9, "neutral": None, "bad": 0.9}
    assert {"accuracy", "auc", "auc_ci95", "baseline", "bias", "held_out", "held_out_ok", "gated", "silent"} <= set(
        again
    )
    assert {"delta", "promises", "brier", "calibration_curve", "true_positive_rate", "true_negative_rate"} <= set(again)


def test_thresholds_of_a_run_folder_written_before_still_make_a_gate() -> None:
    written = json.loads('{"thresholds": {"good": 0.9, "neutral": null, "bad": null}}')
    again = SelectiveGate(NeutralJudge(), {Verdict(v): t for v, t in written["thresholds"].items()})
    assert again.thresholds == {GOOD: 0.9, NEUTRAL: None, BAD: None} and not again.silent


def test_an_audit_that_is_not_enforced_says_so() -> None:
    audit = audit_judge(NoisyOracleJudge(truth, 0.5, "d", "t", 0), probes(200), gated=False)
    assert not audit.gated and not audit.silent and "NOT gated" in audit.headline


def test_progress_is_told_of_every_probe() -> None:
    told: list[int] = []
    audit_judge(NeutralJudge(), probes(600), progress=told.append)
    assert sum(told) == 600 and len(told) > 1


@pytest.mark.parametrize(
    "precision", [0.0, 1.0, -1.0, 75.0, float("nan"), "good", "good=2", "good=.7,good=.8", "fine=.7"]
)
def test_an_impossible_precision_is_refused(precision: float | str) -> None:
    with pytest.raises(UserError, match="--min-precision"):
        audit_judge(NeutralJudge(), probes(10), precision)


def test_probes_without_labels_are_refused() -> None:
    for wrong in ([], [Probe(Prompt("", ""), UNREADABLE, "g")]):
        with pytest.raises(ValueError, match="unaudited"):
            audit_judge(NeutralJudge(), wrong)


def test_thresholds_do_not_depend_on_how_groups_are_numbered() -> None:
    some = answers([True] * 40, [i * 1000 for i in range(40)])
    assert find_thresholds(some, 0.75, np.random.default_rng(0))[GOOD] == 0.9


class TestGatedJudge(JudgeContract):
    def make_judge(self) -> Judge:
        return SelectiveGate(OracleJudge(lambda p: GOOD, "d", "t"), {GOOD: 0.7, BAD: None})


def gate(thresholds: dict[Verdict, float | None], *said: Judgment) -> list[Judgment]:
    return SelectiveGate(JudgeOf(lambda p, i: said[i]), thresholds).judge(
        [Prompt("", str(i)) for i in range(len(said))]
    )


def test_a_gate_lets_through_what_is_sure_enough_and_silences_the_rest() -> None:
    said = [sure(GOOD, 0.9), sure(GOOD, 0.7), sure(GOOD, 0.69), sure(BAD, 0.99), Judgment(NEUTRAL)]
    heard = gate({GOOD: 0.7}, *said)
    assert [j.abstained for j in heard] == [False, False, True, True, True]
    assert [j.verdict for j in heard] == [j.verdict for j in said]
    assert heard[2].reason == "confidence 0.690 is under 0.700, the gate's for good"
    assert heard[3].reason == "the gate is silent on bad"


def test_the_last_digits_of_a_confidence_do_not_decide() -> None:
    (judgment,) = gate({GOOD: 0.7}, sure(GOOD, 0.7 - 1e-8))
    assert not judgment.abstained


def test_a_gate_leaves_unreadable_and_abstained_answers_as_they_are() -> None:
    said = [Judgment(UNREADABLE, reason="?"), sure(GOOD, 0.9).abstain("of its own accord")]
    assert gate({GOOD: 0.5}, *said) == said


@pytest.mark.parametrize("rule", ["raw", "continuous", "centered", "annealed"])
def test_a_silent_gate_shifts_nothing_and_does_not_ask(rule: str) -> None:
    judge = JudgeOf(lambda p, i: Judgment(GOOD))
    heard = SelectiveGate(judge, {GOOD: None}).judge([Prompt("", "a"), Prompt("", "b")])
    assert judge.asked == 0 and all(j.abstained for j in heard)
    assert make_rule(rule, 1.0, 10).delta(heard).tobytes() == np.zeros(2, np.float32).tobytes()


def test_a_gate_s_id_holds_its_thresholds() -> None:
    judge = NeutralJudge()
    assert SelectiveGate(judge, {GOOD: 0.7, BAD: None}).id == "gate(neutral; good>=0.7, neutral=never, bad=never)"
    assert SelectiveGate(judge, {GOOD: 0.71}).id != SelectiveGate(judge, {GOOD: 0.7}).id


def test_a_gate_around_a_cache_keeps_in_it_what_the_judge_said(tmp_path: Path) -> None:
    judge = JudgeOf(lambda p, i: sure(GOOD, 0.6))
    with JudgeCache(judge, tmp_path / "cache.sqlite") as cache:
        prompt = [Prompt("", "a")]
        assert SelectiveGate(cache, {GOOD: 0.7}).judge(prompt)[0].abstained
        assert not SelectiveGate(cache, {GOOD: 0.5}).judge(prompt)[0].abstained
    assert judge.asked == 1


def test_even_probes_are_no_reason_to_warn_where_less_is_asked_of_a_good_in_play() -> None:
    audit = audit_judge(
        OracleJudge(truth, "d", "t"), probes(1000), "auto", play_rates=PlayRates.known({GOOD: 0.3, BAD: 0.7})
    )
    assert audit.min_precision == {"good": 0.5, "neutral": 0.75, "bad": 0.75} and audit.baseline > 0.5
    assert not audit.silent and "WARNING" not in audit.headline
