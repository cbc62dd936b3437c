"""What the gate makes of the real small language model on the tasks: it is not to be listened to, and is not."""

import numpy as np
import pytest

from apps.control.domain import make_domain
from lmgt_core.audit.audit import Audit, Probe, balance_probes
from lmgt_core.audit.gate import SelectiveGate, audit_judge
from lmgt_core.errors import UserError
from lmgt_core.judging.judge import Judge, ask
from lmgt_core.judging.registry import make_judge
from lmgt_core.models.store import find_model

TASKS = ["CartPole-v1", "Blackjack-v1"]


@pytest.fixture(scope="module")
def made() -> dict[str, Judge]:
    """The model's judges, made once: SmolLM2 for both tasks."""
    try:
        find_model("smollm2")
    except UserError as error:
        pytest.skip(str(error))
    return {}


def judge_called(name: str, env: str, made: dict[str, Judge]) -> Judge:
    key = name if name == "smollm2" else f"{name} {env}"
    if key not in made:
        judge = make_judge(name, make_domain(env).context())
        assert judge is not None
        made[key] = judge
    return made[key]


def questions(env: str, count: int | None) -> list[Probe]:
    """The audit's own questions under zero-shot; `count` of them drawn at random, as many good as bad ones."""
    domain, rng = make_domain(env), np.random.default_rng(0)
    probes = list(domain.probes(domain.template("zero-shot").render, rng))
    if count is None:
        return probes
    return balance_probes([probes[i] for i in rng.permutation(len(probes))[:count]], rng)


def audited(name: str, env: str, count: int | None, made: dict[str, Judge]) -> tuple[Audit, SelectiveGate]:
    judge = judge_called(name, env, made)
    audit = audit_judge(judge, questions(env, count))
    return audit, SelectiveGate(judge, audit.thresholds)


@pytest.mark.parametrize("env", TASKS)
def test_the_gate_holds_smollm2_back_where_it_lets_the_expert_through(env: str, made: dict[str, Judge]) -> None:
    count = 120  # at 7 judgments a second; the slow test asks all of them
    model, held_back = audited("smollm2", env, count, made)
    expert, let_through = audited("oracle", env, count, made)
    assert 0.4 < model.accuracy < 0.6 and expert.accuracy == 1.0
    assert held_back.silent and model.held_out.coverage == 0.0
    assert not let_through.silent and expert.held_out.coverage == 1.0
    answers = ask(held_back, [probe.prompt for probe in questions(env, count)])
    assert all(a.abstained and "not asked" in a.reason for a in answers)


@pytest.mark.slow
@pytest.mark.parametrize("env", TASKS)
def test_the_gate_holds_smollm2_back_on_the_whole_audit(env: str, made: dict[str, Judge]) -> None:
    model, held_back = audited("smollm2", env, None, made)
    assert 0.35 < model.accuracy < 0.65
    assert held_back.silent, model.headline
