"""From a judge's name to shifts for a batch of users; audits, gates and prompts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.slateq import audit as audit_command
from apps.slateq.config import AuditConfig, WorldConfig
from apps.slateq.describe import FACTS, clicks, viewers
from apps.slateq.domain import PROMPTS, SlateDomain, make_domain
from apps.slateq.minilm_topics import choose, make_minilm
from apps.slateq.simulator.interest_evolution import topic_means
from apps.slateq.simulator.make import make_simulator
from apps.slateq.train import make_guidance
from apps.slateq.train_config import TrainConfig
from lmgt_core.errors import UserError
from lmgt_core.guidance.guidance import SEED, Guidance
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.judges.minilm import MiniLMEncoder
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import STRATEGIES, Prompt, PromptTemplate
from lmgt_core.testing.judge import JudgeContract
from tests.contracts.recommender_simulator import random_slates

WORLD = WorldConfig()
ENVIRONMENTS = ("interest-evolution", "interest-exploration", "long-term-satisfaction")
HASHES = Path(__file__).with_name("prompt_hashes.json")


def guidance(tmp_path: Path, **settings: Any) -> Guidance:
    return make_guidance(TrainConfig(out=tmp_path, **settings)).audited()


def shifts(tmp_path: Path, seed: int = 0, **settings: Any) -> ShiftSource:
    source = guidance(tmp_path, **settings).shifts(seed, steps=100)
    assert source is not None
    return source


def served(source: ShiftSource, steps: int = 20, users: int = 64, world: WorldConfig = WORLD) -> list[tuple[Any, Any]]:
    """Feedback and shifts of random slates."""
    simulator, rng = make_simulator(world, users), np.random.default_rng(0)
    observation, out = simulator.reset(0), []
    for _ in range(steps):
        slates = random_slates(simulator, rng)
        feedback = simulator.step(slates)
        out.append((feedback, source.resolve(source.submit(viewers(observation), slates, clicks(feedback)))))
        observation = feedback.observation
    return out


def test_the_oracle_shifts_clicks_by_the_sign_of_their_topics_quality(tmp_path: Path) -> None:
    signs = np.append(np.sign(topic_means()), 0)  # topic 20 is no click
    for feedback, shift in served(shifts(tmp_path, judge="oracle")):
        assert shift.dtype == np.float32 and np.array_equal(shift, signs[feedback.topic])


def test_no_click_shifts_nothing_for_slates_as_well(tmp_path: Path) -> None:
    rows = served(shifts(tmp_path, judge="oracle", judge_unit="slate", gate=False))
    silent = [shift[feedback.clicked == 3] for feedback, shift in rows]
    assert not np.concatenate(silent).any()
    assert np.concatenate([shift for _, shift in rows]).any()


def test_every_slate_is_a_decision_and_only_clicks_are_judged(tmp_path: Path) -> None:
    source = shifts(tmp_path, judge="oracle", rule="annealed")
    rows = served(source, steps=2, users=40)
    assert source.state_dict()["decisions"] == 80 and source.weight == pytest.approx(0.6)
    assert source.stats.judgments == sum(int((feedback.clicked < 3).sum()) for feedback, _ in rows) < 80


def test_the_scale_is_the_size_of_a_shift(tmp_path: Path) -> None:
    found = np.concatenate([s for _, s in served(shifts(tmp_path, judge="oracle", scale=2.5), steps=3)])
    assert set(np.abs(found).tolist()) == {0.0, 2.5}


def test_no_judge_gives_no_shifts(tmp_path: Path) -> None:
    made = guidance(tmp_path)
    assert made.shifts(0, 100) is None and made.audit == {"audited": False, "reason": "no judge"}


def test_neutral_shifts_by_nothing(tmp_path: Path) -> None:
    assert not any(shift.any() for _, shift in served(shifts(tmp_path, judge="neutral")))


def test_the_cache_answers_after_a_hundred_questions(tmp_path: Path) -> None:
    made = guidance(tmp_path, judge="minilm", gate=False)
    assert made.ask_ahead() == 100
    source = made.shifts(0, 100)
    assert source is not None
    served(source, steps=50)
    assert source.stats.cache_hits == source.stats.judgments > 1000
    source.close()


@pytest.mark.parametrize("unit", ["item", "slate"])
def test_judging_in_the_background_gives_the_same_shifts(unit: Any, tmp_path: Path) -> None:
    settings = {"judge": "noisy-oracle:0.8", "rule": "centered", "judge_unit": unit, "gate": False}
    in_step, background = (shifts(tmp_path, **settings, judge_ahead=ahead) for ahead in (False, True))
    for (_, a), (_, b) in zip(served(in_step, 5), served(background, 5), strict=True):
        assert np.array_equal(a, b)
    assert background.state_dict()["rule"] == in_step.state_dict()["rule"]
    background.close()


def test_a_state_taken_up_goes_on_as_the_original(tmp_path: Path) -> None:
    one, other = (shifts(tmp_path, judge="oracle", rule="centered") for _ in range(2))
    served(one)
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for (_, a), (_, b) in zip(served(one, 3), served(other, 3), strict=True):
        assert np.array_equal(a, b)


def test_seeds_make_other_mistakes(tmp_path: Path) -> None:
    sources = [shifts(tmp_path, seed=seed, judge="noisy-oracle:0.6", gate=False) for seed in (0, 1)]
    one, other = (np.concatenate([shift for _, shift in served(source, 5)]) for source in sources)
    assert not np.array_equal(one, other)


def test_minilm_is_proven_on_topics_it_never_saw(tmp_path: Path) -> None:
    audit = guidance(tmp_path, judge="minilm").audit
    assert audit["auc_ci95"][0] > 0.75 and not audit["silent"] and audit["held_out_ok"]
    assert "speaks" in audit["headline"]


def test_where_words_say_nothing_the_gate_silences_minilm(tmp_path: Path) -> None:
    made = guidance(tmp_path, judge="minilm", vocabulary="shuffled")
    assert made.audit["silent"] and 0.35 < made.audit["auc"] < 0.65
    source = made.shifts(0, 100)
    assert source is not None and not any(shift.any() for _, shift in served(source, 5))


def test_an_audit_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = (dict(guidance(tmp_path, judge="oracle").audit) for _ in range(2))
    assert {**first, "seconds_per_judgment": 0} == {**second, "seconds_per_judgment": 0}


def test_an_audit_asks_what_the_published_tables_asked() -> None:
    """Probes and the audit's halves are drawn apart, so the generator is left as it was."""
    rng = np.random.default_rng(SEED)
    make_domain("interest-evolution").probes(lambda description: Prompt("", "", facts=description.facts), rng)
    assert rng.bit_generator.state == np.random.default_rng(SEED).bit_generator.state


@pytest.mark.parametrize("env", ENVIRONMENTS[1:])
def test_two_or_five_topics_are_too_few_for_a_gate_and_the_audit_says_so(tmp_path: Path, env: Any) -> None:
    made = guidance(tmp_path, env=env, judge="oracle")
    assert made.audit["silent"] and "--no-gate" in made.headline
    spoken = shifts(tmp_path, env=env, judge="oracle", gate=False)
    assert any(shift.any() for _, shift in served(spoken, 5, world=WorldConfig(env=env)))


@pytest.mark.parametrize("unit", ["item", "slate"])
def test_probes_are_balanced_and_share_no_topic_between_groups(unit: Any) -> None:
    domain = SlateDomain(WORLD, unit)
    template = domain.template("zero-shot")
    probes = domain.probes(template.render, np.random.default_rng(SEED))
    labels = [probe.label for probe in probes if probe.label is not Verdict.NEUTRAL]
    assert len(labels) >= 80 and labels.count(Verdict.GOOD) == labels.count(Verdict.BAD)
    assert len({probe.group for probe in probes}) >= 20  # fewer prove nothing, even of an oracle
    groups: dict[str, set[str]] = {}
    for probe in probes:
        for topic in probe.prompt.facts["topics"].split("; "):
            groups.setdefault(topic, set()).add(probe.group)
            assert topic not in domain.vocabulary.names and topic not in domain.vocabulary.train
    assert all(len(found) == 1 for found in groups.values())


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_world_has_a_template_for_every_strategy(env: Any, strategy: str) -> None:
    domain = make_domain(env)
    prompt = domain.template(strategy).render(next(iter(domain.single_questions())))
    assert prompt.user.rstrip().endswith("Is this recommendation good, neutral or bad?")
    assert prompt.user.startswith("From the manuals:") is (strategy == "retrieval")


def test_the_templates_are_those_that_results_were_measured_with() -> None:
    """A change of words changes judgments: renew the file by hand, and every number that rests on them."""
    hashes = {f"{p.parent.name}/{p.stem}": PromptTemplate.load(p, FACTS).hash for p in sorted(PROMPTS.glob("*/*.txt"))}
    assert hashes == json.loads(HASHES.read_text())


def test_examples_and_manuals_name_no_topic_that_is_served_or_audited() -> None:
    vocabulary = make_domain("interest-evolution").vocabulary
    folder = PROMPTS / "interest-evolution"
    text = (folder / "few-shot.txt").read_text() + (
        PROMPTS.parent / "manuals/interest-evolution/manual.txt"
    ).read_text()
    assert not [name for name in (*vocabulary.names, *vocabulary.audit, *vocabulary.train) if name in text]


class TestMiniLM(JudgeContract):
    def make_judge(self) -> Judge:
        return make_minilm("", make_domain("interest-evolution").vocabulary.train, "slateq/interest-evolution")

    def prompts(self) -> list[Prompt]:
        domain = make_domain("interest-evolution")
        return [domain.template("zero-shot").render(d) for d in domain.single_questions()][::9]


def test_minilms_words_are_chosen_on_train_topics_only() -> None:
    train = make_domain("interest-evolution").vocabulary.train
    template, calibration, area = choose(MiniLMEncoder.load(), train)
    assert area > 0.9 and calibration.temperature > 0 and template.name.count("|") == 2
    with pytest.raises(UserError, match="minilm"):
        choose(MiniLMEncoder.load(), {"opera": True})


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"judge": "nobody"}, "--judge nobody"),
        ({"judge": "minilm:big"}, "minilm takes no argument"),
        ({"judge": "oracle", "rule": "rawish"}, "--rule rawish"),
        ({"judge": "oracle", "scale": -1.0}, "--scale -1"),
        ({"judge": "oracle", "strategy": "magic"}, "--strategy magic"),
        ({"judge": "oracle", "vocabulary": "nowhere.txt"}, "--vocabulary nowhere.txt"),
        ({"judge": "oracle", "prompts": Path("nowhere")}, "--prompts nowhere: no such folder"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError) as raised:
        make_guidance(TrainConfig(**settings))
    assert complaint in str(raised.value) and "\n" not in str(raised.value)


def test_the_audit_command_shows_what_the_words_contribute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = audit_command.main(AuditConfig(judge=("minilm", "oracle"), json=tmp_path / "rows.json"))
    by = {(row["judge"], row["vocabulary"]): row for row in rows}
    assert by["minilm", "builtin"]["auc"] > 0.8 and not by["minilm", "builtin"]["silent"]
    assert by["minilm", "shuffled:0"]["silent"]
    assert by["oracle", "shuffled:0"]["served"] == by["oracle", "builtin"]["served"] == 1
    assert by["oracle", "builtin"]["kind"] == "oracle (privileged)"
    assert json.loads((tmp_path / "rows.json").read_text())["rows"][0]["judge"] == "minilm"
    assert "served" in capsys.readouterr().out


def test_the_audit_command_refuses_none() -> None:
    with pytest.raises(UserError, match="nothing to audit"):
        audit_command.main(AuditConfig(judge=("none",)))


def test_judge_commands_can_ask_about_any_topic() -> None:
    domain = make_domain("interest-evolution")
    assert domain.read("likes", "0").state == "The viewer likes celebrity gossip."
    assert domain.read("-0.9", "opera").facts == {"topics": "opera", "interest": "strongly dislikes"}
    assert len(list(domain.questions() or ())) == 100
    assert len(domain.probes(domain.template("zero-shot").render, np.random.default_rng(SEED))) == 200
    for state, action in (("maybe", "0"), ("likes", " ")):
        with pytest.raises(UserError, match=r"--state|--action"):
            domain.read(state, action)
    with pytest.raises(UserError, match="no such world"):
        make_domain("CartPole-v1")


def test_slates_cannot_be_listed() -> None:
    assert SlateDomain(WORLD, "slate").questions() is None


def test_a_description_never_holds_hidden_truth() -> None:
    other = replace(WORLD, evolution=replace(WORLD.evolution, max_utility=9.0))
    assert list(SlateDomain(WORLD).single_questions()) == list(SlateDomain(other).single_questions())
