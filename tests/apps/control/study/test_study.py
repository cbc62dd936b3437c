"""The control studies' cells: judges that are what they say, silent ones that change nothing, figures by hand."""

from typing import Any

import numpy as np
import pytest

from apps.control.cartpole_variants import VARIANTS, cartpole
from apps.control.domain import ControlDomain
from apps.control.probes import visited
from apps.control.study.app import APP
from apps.control.study.judges import Certain, GradedJudge, Remembered, make_cell_judge
from apps.control.study.judging import quality, sureness
from apps.control.study.training import curve_metrics
from lmgt_core.audit.audit import Probe
from lmgt_core.errors import UserError
from lmgt_core.judges.neutral import NeutralJudge
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.rules.make import ADVISED, RULES
from lmgt_core.study.app import MEASURED
from lmgt_core.study.study_file import load_plan, preset_names

DEFAULTS: dict[str, Any] = {name: field.default for name, field in APP.fields.items()}
GOOD, BAD = Judgment(Verdict.GOOD), Judgment(Verdict.BAD)
SHORT = {"steps": 260, "epsilon_share": 0.2}  # enough for some updates
LEARNT = ("return", "mean_return", "steps_to_goal", "reached")


def learnt(**own: Any) -> dict[str, Any]:
    result = APP.run({**DEFAULTS, **SHORT, **own}, seed=1)
    return {name: result[name] for name in LEARNT}


def make_template(settings: dict[str, Any]) -> PromptTemplate:
    return ControlDomain(cartpole(settings["env"])).template(settings["strategy"])


def prompts(**own: Any) -> list[Prompt]:
    settings = {**DEFAULTS, **own}
    template = make_template(settings)
    return [template.render(d) for d in list(cartpole(settings["env"]).describer.everything())[::4]]


@pytest.mark.parametrize("name", preset_names(APP))
def test_every_preset_is_sound(name: str) -> None:
    plan = load_plan(name, APP)
    assert plan.name == name and plan.app == "control"
    assert 15 < len(list(plan.cells())) < 200


def test_a_judge_that_is_always_wrong_is_sure_of_it() -> None:
    asked = prompts()
    wrong = make_cell_judge({**DEFAULTS, "accuracy": 0.0}, make_template(DEFAULTS), 0)
    right = make_cell_judge(DEFAULTS, make_template(DEFAULTS), 0)
    assert wrong is not None and right is not None
    said, true = wrong.judge(asked), right.judge(asked)
    assert [a.label for a in said] == [-a.label for a in true]
    assert [a.expected_label for a in said] == [-a.expected_label for a in true]  # also for rules that read those


@pytest.mark.parametrize("rule", ["raw", "annealed:linear", *ADVISED])
def test_a_neutral_judge_and_one_behind_a_shut_gate_train_as_none_does(rule: str) -> None:
    none = learnt(judge="none", rule=rule)
    assert learnt(judge="neutral", rule=rule) == none
    if rule in ("raw", "lookahead"):
        assert learnt(accuracy=0.5, min_precision=0.75, rule=rule) == none


def test_a_cell_repeats_itself_but_for_its_seconds() -> None:
    settings = {**DEFAULTS, **SHORT, "accuracy": 0.8, "rule": "adops"}
    first, second = APP.run(settings, seed=3), APP.run(settings, seed=3)
    assert set(first) == set(APP.metrics)
    for name in first:
        assert name.endswith(MEASURED) or first[name] == second[name]


@pytest.mark.slow
def test_look_ahead_with_an_oracle_balances_from_the_start() -> None:
    assert learnt(rule="lookahead", scale=100.0)["return"] > 450


def test_look_ahead_with_a_judge_that_is_always_wrong_falls_over() -> None:
    assert learnt(rule="lookahead", scale=100.0, accuracy=0.0)["return"] < 30


def test_only_training_questions_count_and_each_once() -> None:
    memory = Remembered(NeutralJudge())
    first, second, third = prompts()[:3]
    memory.judge([first, first, second])
    with memory.uncounted():
        memory.judge([third])
    memory.judge([first])
    assert memory.questions == 2
    memory.judge([third])  # remembered, but new to the training
    assert memory.questions == 3


def test_a_graded_judge_without_noise_says_what_the_expert_says() -> None:
    asked = prompts()
    expert = Certain(make_cell_judge(DEFAULTS, make_template(DEFAULTS), 0))  # type: ignore[arg-type]
    graded = GradedJudge(0.0, "continuous", seed=0)
    for prompt, truth, answer in zip(asked, expert.judge(asked), graded.judge(asked), strict=True):
        assert -1 <= answer.expected_label <= 1
        assert answer.expected_label == pytest.approx(graded.opinion(prompt))
        assert answer.expected_label == 0 or np.sign(answer.expected_label) == truth.label


def test_a_graded_judge_repeats_its_noise_and_tells_it_as_coarsely_as_asked() -> None:
    asked = prompts()
    noisy = GradedJudge(1.0, "ternary", seed=2)
    assert noisy.judge(asked) == noisy.judge(asked)
    assert {a.label for a in noisy.judge(asked)} == {-1.0, 0.0, 1.0}
    clean = GradedJudge(0.0, "binary", 0)
    level = [p for p in asked if abs(clean.opinion(p)) < 0.3]
    errors = [noisy.opinion(p) - clean.opinion(p) for p in level]
    assert len(level) > 30 and 0.55 < np.std(errors) < 0.85  # a normal that is cut off at one deviation: 0.72


def test_a_network_taught_on_cartpole_answers_as_its_teacher_there() -> None:
    settings = {**DEFAULTS, "judge": "distilled"}
    template = make_template(settings)
    student, teacher = (make_cell_judge({**settings, "judge": j}, template, 0) for j in ("distilled", "noisy"))
    assert student is not None and teacher is not None
    task = cartpole("CartPole-v1")
    met = list(visited(task, np.random.default_rng(99), steps=300))
    asked = [template.render(task.describer(o, a)) for o in met for a in task.actions]
    equal = [a.verdict is b.verdict for a, b in zip(student.judge(asked), teacher.judge(asked), strict=True)]
    assert np.mean(equal) > 0.95


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_has_the_same_words_and_other_physics(name: str) -> None:
    original, other = cartpole("CartPole-v1"), cartpole(name)
    observations = []
    for task in (original, other):
        env = task.make()
        env.reset(seed=0)
        env.unwrapped.state = np.array([0.0, 0.0, 0.1, 0.0])  # type: ignore[attr-defined]
        observations.append(env.step(1)[0])
    assert not np.allclose(*observations)
    assert original.describer is other.describer


def test_a_heavier_pole_pulls_the_cart_as_its_equations_say() -> None:
    env: Any = cartpole("CartPole-heavy").make().unwrapped
    env.reset(seed=0)
    env.state = np.zeros(4)
    # Upright and at rest, force 10, masses 1 + 1, half length 0.5: theta'' = -5 / (0.5 * (4/3 - 1/2)) = -12.
    assert env.step(1)[0][3] == pytest.approx(-12 * 0.02)


def probe(label: Verdict) -> Probe:
    return Probe(Prompt("", ""), label, "")


def test_the_quality_of_answers_is_the_one_computed_by_hand() -> None:
    probes = [probe(Verdict.GOOD), probe(Verdict.BAD), probe(Verdict.GOOD), probe(Verdict.NEUTRAL), probe(Verdict.BAD)]
    answers = [
        Judgment(Verdict.GOOD, (0.8, 0.0, 0.2)),
        Judgment(Verdict.GOOD, (0.6, 0.0, 0.4)),
        Judgment(Verdict.BAD, (0.1, 0.5, 0.4)),  # 0.2 of good and bad
        GOOD,
        Judgment(Verdict.UNREADABLE, reason="x"),
    ]
    found = quality(probes, answers)
    assert found["accuracy"] == 1 / 4 and found["unreadable"] == pytest.approx(1 / 5) and found["says_good"] == 3 / 4
    assert found["auc"] == 1 / 2  # of two pairs, 0.6 against 0.2 and -0.3, one is right
    assert found["brier"] == pytest.approx((0.2**2 + 0.6**2 + 0.8**2) / 3)


def test_a_judge_without_probabilities_is_sure_or_undecided() -> None:
    assert sureness([GOOD, BAD, Judgment(Verdict.NEUTRAL)]).tolist() == [1.0, 0.0, 0.5]


def test_the_curve_s_metrics_are_those_computed_by_hand() -> None:
    curve = [(100, 10.0), (200, 200.0), (300, 90.0)]
    assert curve_metrics(curve, [1.0, 2.0, 3.0], 195.0, 300, 3.5) == {
        "mean_return": 100.0,
        "steps_to_goal": 200.0,
        "reached": 1.0,
        "to_goal_seconds": 2.0,
    }
    late = curve_metrics(curve, [1.0, 2.0, 3.0], 400.0, 300, 3.5)
    assert (late["steps_to_goal"], late["reached"], late["to_goal_seconds"]) == (300.0, 0.0, 3.5)


def test_a_measured_judge_is_compared_with_its_reference() -> None:
    own = {"measure": "judging", "env": "Blackjack-v1", "reference": "oracle", "questions": 40}
    same, half = (APP.run({**DEFAULTS, **own, "accuracy": a}, seed=0) for a in (1.0, 0.7))
    assert same["agreement"] == same["accuracy"] == same["auc"] == 1 and same["brier"] == 0
    assert half["agreement"] == half["accuracy"] and 0.5 < half["accuracy"] < 0.9
    assert same["return"] is None


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"measure": "luck"}, "measure luck"),
        ({"env": "Pong"}, "Pong: no such control task"),
        ({"env": "Pendulum-v1"}, "env Pendulum-v1: no training here"),
        ({"env": "Acrobot-v1", "target": "CartPole-v1"}, "other observations"),
        ({"env": "Acrobot-v1", "judge": "graded"}, "judge graded"),
        ({"rule": "sideways"}, "--rule sideways"),
        ({"judge": "gpt"}, "judge gpt"),
        ({"judge": "smollm2-bits:3"}, "smollm2-bits:3"),
        ({"accuracy": 1.5}, "accuracy 1.5"),
        ({"min_precision": 0.2}, "min_precision 0.2"),
        ({"steps": 5}, "steps 5"),
        ({"granularity": "fine"}, "granularity fine"),
        ({"strategy": "shouting"}, "strategy shouting"),
        ({"measure": "judging", "judge": "none"}, "nobody to measure"),
        ({"measure": "judging", "reference": "gpt"}, "judge gpt"),
    ],
)
def test_what_cannot_be_run_is_named(own: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        APP.check({**DEFAULTS, **own})


def test_every_rule_can_be_studied() -> None:
    for rule in (*RULES, *ADVISED):
        APP.check({**DEFAULTS, "rule": rule})
