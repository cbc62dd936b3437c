"""llama.cpp runs the language model that installs with the project; answers hang on nothing but the question."""

import numpy as np
import pytest

from lmgt_core.errors import UserError
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.testing.judge import JudgeContract

CONTEXT = JudgeContext("test")
MENU = "Answer good, neutral or bad."


def made(name: str = "gguf:smollm2?ctx=2048") -> Judge:
    judge = make_judge(name, CONTEXT)
    assert judge is not None
    return judge


def questions(count: int) -> list[Prompt]:
    return [
        Prompt(f"You judge a game. {MENU}", f"The player has {i} points and stops. Is that good?") for i in range(count)
    ]


class TestGguf(JudgeContract):
    def make_judge(self) -> Judge:
        return made()

    def prompts(self) -> list[Prompt]:
        return questions(4)


def test_answers_are_equal_bit_for_bit_alone_in_another_order_and_after_others() -> None:
    judge, asked = made(), questions(6)
    together = [j.probabilities for j in judge.judge(asked)]
    judge.judge([Prompt("Another system.", "Another question?")])
    alone = [judge.judge([p])[0].probabilities for p in reversed(asked)]
    assert together == alone[::-1]
    assert all(p is not None and np.isclose(sum(p), 1) for p in together)


def test_it_is_a_language_model_and_its_id_names_content_context_and_engine() -> None:
    judge = made()
    assert judge.kind is JudgeKind.LANGUAGE_MODEL
    assert judge.id.startswith("gguf:smollm2:") and ":ctx2048:llama.cpp-" in judge.id


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("gguf:", "lists the names"),
        ("gguf:no-such-model", "no such file, and no model of this name"),
        ("gguf:gemma3-270m?depth=3", "depth"),
        ("gguf:smollm2?ctx=3", "ctx"),
    ],
)
def test_what_is_missing_or_wrong_is_one_line(name: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        made(name)


def test_a_file_that_is_no_gguf_is_named(tmp_path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match=r"model\.gguf is no GGUF file"):
        made(f"gguf:{tmp_path / 'model.gguf'}")
