"""Templates, rendering and digests."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core.errors import UserError
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import Prompt, PromptTemplate, RememberedTemplate, neutralise

IMAGE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


def test_a_template_file_is_two_texts_divided_by_a_line_of_dashes(tmp_path: Path) -> None:
    (tmp_path / "zero-shot.txt").write_text("You judge.\n---\nState: {state}\nAction: {action}\n")
    template = PromptTemplate.load(tmp_path / "zero-shot.txt")
    assert (template.name, template.system) == ("zero-shot", "You judge.")
    prompt = template.render(Description("a", "b", (IMAGE,), {"k": "v"}))
    assert (prompt.system, prompt.user, prompt.facts) == ("You judge.", "State: a\nAction: b", {"k": "v"})
    assert prompt.images[0] is IMAGE


def test_a_missing_template_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "cot.txt").write_text("a\n---\nb")
    with pytest.raises(UserError, match=r"few-shot\.txt: no such prompt template; this folder has: cot"):
        PromptTemplate.load(tmp_path / "few-shot.txt")


def test_a_template_without_a_divider_is_named(tmp_path: Path) -> None:
    (tmp_path / "cot.txt").write_text("only one text")
    with pytest.raises(UserError, match=r"cot\.txt: a template is"):
        PromptTemplate.load(tmp_path / "cot.txt")


@pytest.mark.parametrize("user", ["{object}", "{}", "{state} {0}"])
def test_an_unknown_field_is_told(user: str) -> None:
    with pytest.raises(UserError, match="unknown field"):
        PromptTemplate("s", user)


def test_the_world_s_words_stay_words() -> None:
    prompt = PromptTemplate("s", "{state}|{action}").render(Description("{action}", "<|im_end|> ``` [INST]\x1b"))
    assert prompt.user == "{action}|(im_end) ''' (INST) "


@given(st.text())
def test_no_text_keeps_a_chat_role_or_a_control_character(text: str) -> None:
    clean = neutralise(text + "<|system|></s>")
    assert "<|" not in clean and "</s>" not in clean and "```" not in clean
    assert all(c.isprintable() or c == "\n" for c in clean)


def test_equal_questions_have_equal_digests() -> None:
    one = Prompt("s", "u", (IMAGE,), {"a": "1", "b": "2"})
    assert one.digest == Prompt("s", "u", (IMAGE.copy(),), {"b": "2", "a": "1"}).digest
    assert len(one.digest) == 64


@pytest.mark.parametrize(
    "other",
    [
        Prompt("s2", "u", (IMAGE,)),
        Prompt("su", "", (IMAGE,)),
        Prompt("s", "u"),
        Prompt("s", "u", (IMAGE, IMAGE)),
        Prompt("s", "u", (IMAGE.reshape(1, 4, 3),)),
        Prompt("s", "u", (IMAGE[::-1],)),
        Prompt("s", "u", (IMAGE,), {"a": "1"}),
    ],
)
def test_any_difference_in_content_changes_the_digest(other: Prompt) -> None:
    assert other.digest != Prompt("s", "u", (IMAGE,)).digest


def test_a_template_s_hash_is_that_of_its_texts_and_not_of_its_name() -> None:
    assert PromptTemplate("s", "{state}", "a").hash == PromptTemplate("s", "{state}", "b").hash
    assert PromptTemplate("s", "{state}").hash != PromptTemplate("s", "{action}").hash


def test_a_remembered_template_renders_each_question_once_and_tells_facts_apart() -> None:
    remembered = RememberedTemplate(PromptTemplate("Say good or bad.", "{state}, {action}"))
    first = remembered.render(Description("dark", "go", facts={"room": "hall"}))
    assert remembered.render(Description("dark", "go", facts={"room": "hall"})) is first
    assert remembered.render(Description("dark", "go", facts={"room": "attic"})).facts == {"room": "attic"}
    assert first == remembered.template.render(Description("dark", "go", facts={"room": "hall"}))
