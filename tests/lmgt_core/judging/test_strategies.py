"""The ways of asking, and that every app's templates fit them."""

from pathlib import Path

import numpy as np
import pytest

from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import menu_of, reasons_first
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import STRATEGIES, PromptTemplate
from lmgt_core.judging.retrieval import RetrievalTemplate
from lmgt_core.judging.strategies import load_strategy, misfit

APPS = Path(__file__).resolve().parents[3] / "apps"
TEMPLATES = sorted(APPS.glob("*/prompts/**/*.txt"))
TEXTS = {
    "name-only": "CartPole. Good or bad?\n---\n{state} {action}",
    "zero-shot": "A pole stands on a cart. Is the push good, neutral or bad?\n---\n{state} {action}",
    "few-shot": "Good or bad?\n\nThe pole leans left. Push left.\ngood\n---\n{state} {action}",
    "cot": "Think, then end with a line `Verdict: good` or `Verdict: bad`.\n---\n{state} {action}",
    "retrieval": "Good or bad, by the manuals?\n---\n{state} {action}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "manuals").mkdir()
    (tmp_path / "manuals" / "a.md").write_text("Push where it leans.\n\nOther things.")
    return tmp_path


@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if s != "retrieval"])
def test_a_strategy_is_its_template(folder: Path, strategy: str) -> None:
    template = load_strategy(folder, strategy)
    assert template.name == strategy
    prompt = template.render(Description("The pole leans left.", "push right"))
    assert prompt.user == "The pole leans left. push right"
    assert reasons_first(prompt) == (strategy == "cot")


def test_retrieval_takes_a_folder_of_documents(folder: Path) -> None:
    def encode(texts: object) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.ones((len(texts), 1), np.float32)  # type: ignore[arg-type]

    template = load_strategy(folder, "retrieval", folder / "manuals", 1, encode)
    assert isinstance(template, RetrievalTemplate)
    user = template.render(Description("The pole leans left.", "push right")).user
    assert user == "From the manuals:\n- Push where it leans.\n\nThe pole leans left. push right"
    with pytest.raises(UserError, match="needs --documents FOLDER"):
        load_strategy(folder, "retrieval")


def test_an_unknown_strategy_and_a_missing_template_are_users_mistakes(folder: Path) -> None:
    with pytest.raises(UserError, match="choose one of name-only, zero-shot, few-shot, cot, retrieval"):
        load_strategy(folder, "telepathy")
    (folder / "cot.txt").unlink()
    with pytest.raises(UserError, match=r"cot\.txt: no such prompt template; this folder has: few-shot"):
        load_strategy(folder, "cot")


@pytest.mark.parametrize(
    ("strategy", "text", "said"),
    [
        ("zero-shot", "Is it fine?\n---\n{state} {action}", "offers no verdicts"),
        ("cot", "Good or bad?\n---\n{state} {action}", "nothing would reason"),
        ("zero-shot", "Verdict: good or bad?\n---\n{state} {action}", "which is for cot"),
        ("zero-shot", "Good or bad?\n---\n{state}", "does not hold both"),
    ],
)
def test_a_template_that_does_not_fit_its_strategy_is_named(folder: Path, strategy: str, text: str, said: str) -> None:
    (folder / f"{strategy}.txt").write_text(text)
    with pytest.raises(UserError, match=rf"{strategy}\.txt: .*{said}"):
        load_strategy(folder, strategy)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.relative_to(APPS).as_posix())
def test_every_template_of_every_app_fits_its_strategy(path: Path) -> None:
    template = PromptTemplate.load(path)
    assert path.stem in STRATEGIES
    assert misfit(template, path.stem) == ""
    assert len(menu_of(template.render(Description("", "")))) >= 2
