"""Templates and probes: every strategy for every task, and no example among the questions."""

import json
from collections import Counter
from pathlib import Path

import pytest

from apps.control.domain import PROMPTS, ControlDomain
from apps.control.probes import probe_set
from apps.control.worlds import WORLDS
from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import STRATEGIES, PromptTemplate, RememberedTemplate

HASHES = Path(__file__).with_name("prompt_hashes.json")


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if s != "retrieval"])
def test_every_task_has_a_template_for_every_strategy(name: str, strategy: str) -> None:
    assert ControlDomain(WORLDS[name]).template(strategy).name == strategy


@pytest.mark.parametrize("name", WORLDS)
def test_retrieval_puts_passages_of_the_manual_before_the_question(name: str) -> None:
    task = WORLDS[name]
    template = ControlDomain(task).template("retrieval")
    prompt = template.render(next(iter(task.describer.everything())))
    assert prompt.user.startswith("From the manuals:\n- ")
    assert prompt.user.rstrip().endswith("Is this action good, neutral or bad?")


def test_the_templates_are_those_that_results_were_measured_with() -> None:
    """A change of words changes judgments: renew the file by hand, and every number that rests on them."""
    hashes = {f"{p.parent.name}/{p.stem}": PromptTemplate.load(p).hash for p in sorted(PROMPTS.glob("*/*.txt"))}
    assert hashes == json.loads(HASHES.read_text())


@pytest.mark.parametrize("name", WORLDS)
def test_few_shot_examples_are_no_probes(name: str) -> None:
    task = WORLDS[name]
    folder = PROMPTS / task.folder
    examples = (folder / "few-shot.txt").read_text()
    assert examples.count("State: ") >= 5  # examples, and the question itself
    assert not [
        p for p in probe_set(task, ControlDomain(task).template("zero-shot").render, folder) if p.group in examples
    ]


@pytest.mark.parametrize("name", [n for n in WORLDS if n != "PocketWatch-v0"])
def test_few_shot_examples_are_right(name: str) -> None:
    task = WORLDS[name]
    descriptions = {(d.state, d.action): d for d in task.describer.everything()}
    examples = (PROMPTS / task.folder / "few-shot.txt").read_text().split("\n---\n")[0].split("Examples:\n\n")[1]
    for example in examples.strip().split("\n\n"):
        state, action, question = (line.partition(" ")[2] for line in example.splitlines())
        verdict = task.expert(descriptions[state, action].facts)
        assert question.endswith(f"? {verdict.value}"), example


@pytest.mark.parametrize("name", WORLDS)
def test_no_label_is_rare_among_probes_but_near_ties(name: str) -> None:
    task = WORLDS[name]
    labels = Counter(
        p.label for p in probe_set(task, ControlDomain(task).template("zero-shot").render, Path("nowhere"))
    )
    assert labels[Verdict.GOOD] == labels[Verdict.BAD] > 0
    assert labels[Verdict.NEUTRAL] in {0, 4, labels[Verdict.GOOD]}  # 4: hit and stand on two near ties of Blackjack


def test_probes_are_the_same_states_whatever_the_strategy() -> None:
    task = WORLDS["CartPole-v1"]
    folder = PROMPTS / task.folder
    first, second = (
        probe_set(task, ControlDomain(task).template(s).render, folder) for s in ("zero-shot", "name-only")
    )
    assert [(p.group, p.label) for p in first] == [(p.group, p.label) for p in second]
    assert first[0].prompt.system != second[0].prompt.system


def test_a_folder_without_the_asked_template_is_named() -> None:
    with pytest.raises(UserError, match=r"few-shot\.txt: no such prompt template"):
        ControlDomain(WORLDS["CartPole-v1"], Path(__file__).parent).template("few-shot")


def test_a_question_is_rendered_once() -> None:
    task = WORLDS["CartPole-v1"]
    template = RememberedTemplate(ControlDomain(task).template("zero-shot"))
    description = next(iter(task.describer.everything()))
    assert template.render(description) is template.render(description)
