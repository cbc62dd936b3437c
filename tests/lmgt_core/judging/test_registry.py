"""Names of judges: parsing, lookup, and what a user is told."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from lmgt_core.errors import UserError
from lmgt_core.judges.neutral import NeutralJudge
from lmgt_core.judging import registry
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.registry import PROVIDERS, JudgeContext, JudgeSpec, judge_names, make_judge, parse_spec

ROOT = Path(__file__).resolve().parents[3]
CONTEXT = JudgeContext("home", oracle=lambda prompt: Verdict.GOOD, oracle_id="t", seed=7)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("none", ("none", "", {})),
        ("noisy-oracle:0.8", ("noisy-oracle", "0.8", {})),
        ("hf:org/model?bits=4", ("hf", "org/model", {"bits": "4"})),
        ("hf:org/model?bits=4&device=cpu", ("hf", "org/model", {"bits": "4", "device": "cpu"})),
        ("openai:m@http://localhost:8000/v1", ("openai", "m@http://localhost:8000/v1", {})),
        ("scripted:what?.json", ("scripted", "what?.json", {})),
        ("  neutral ", ("neutral", "", {})),
    ],
)
def test_a_name_is_taken_apart(text: str, spec: tuple[str, str, dict[str, str]]) -> None:
    assert parse_spec(text) == spec


@pytest.mark.parametrize("text", ["noisy-oracle:0.8", "hf:m?bits=4&x=y", "none", "openai:m@http://h:1/v1"])
def test_a_name_is_written_as_it_was_typed(text: str) -> None:
    assert str(parse_spec(text)) == text


@pytest.mark.parametrize("text", ["", ":0.8", "   "])
def test_a_name_without_a_provider_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--judge"):
        parse_spec(text)


def test_none_is_no_judge() -> None:
    assert make_judge("none", CONTEXT) is None


@pytest.mark.parametrize(
    "name", ["neutral", "random", "oracle", "noisy-oracle:0.8", "noisy-oracle:0", "noisy-oracle:1"]
)
def test_every_core_judge_can_be_made(name: str) -> None:
    judge = make_judge(name, CONTEXT)
    assert judge is not None and judge.id.startswith(name)


def test_the_seed_and_the_truth_of_the_context_reach_the_judge() -> None:
    judge = make_judge("noisy-oracle:0.8", CONTEXT)
    assert judge is not None and judge.id == "noisy-oracle:0.8:home:t:seed=7"


def test_a_scripted_judge_reads_its_file(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('["good"]')
    assert make_judge(f"scripted:{tmp_path / 'r.json'}", CONTEXT) is not None


@pytest.mark.parametrize(
    "name",
    [
        "noisy-oracle", "noisy-oracle:", "noisy-oracle:2", "noisy-oracle:-0.1", "noisy-oracle:nan", "noisy-oracle:high",
        "noisy-oracle:0.8?x=1", "neutral:1", "none:1", "random?seed=1", "oracle:x", "scripted", "scripted:no/such.json",
    ],
)  # fmt: skip
def test_a_bad_argument_is_told_in_one_line_that_names_the_flag(name: str) -> None:
    with pytest.raises(UserError) as told:
        make_judge(name, CONTEXT)
    assert str(told.value).startswith(f"--judge {name.rstrip(':')}") and "\n" not in str(told.value)


def test_an_unknown_judge_is_answered_with_the_names_that_there_are() -> None:
    with pytest.raises(UserError) as told:
        make_judge("gpt", JudgeContext("home", make={"preference": lambda argument: NeutralJudge()}))
    assert all(name in str(told.value) for name in ("none", "preference", "noisy-oracle", "minilm", *PROVIDERS))


def test_an_app_without_an_expert_has_no_oracle() -> None:
    for name in ("oracle", "noisy-oracle:0.8"):
        with pytest.raises(UserError, match="home has no expert"):
            make_judge(name, JudgeContext("home"))


def test_a_judge_of_a_later_version_says_so() -> None:
    absent = [n for n, p in PROVIDERS.items() if importlib.util.find_spec(p.target.partition(":")[0]) is None]
    for name in absent:
        with pytest.raises(UserError, match=f"{name} is not part of this version"):
            make_judge(f"{name}:x", CONTEXT)
    assert not {"neutral", "random", "scripted", "oracle", "noisy-oracle"} & set(absent)


def test_the_app_s_own_providers_come_first_and_get_their_argument() -> None:
    asked: list[str] = []

    def make(argument: str) -> Judge:
        asked.append(argument)
        return NeutralJudge()

    context = JudgeContext("home", make={"minilm": make})
    assert isinstance(make_judge("minilm:cosine", context), NeutralJudge)
    assert asked == ["cosine"]
    with pytest.raises(UserError, match="takes no options"):
        make_judge("minilm?x=1", context)


def entry_point(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    entry = importlib.metadata.EntryPoint("theirs", target, registry.ENTRY_POINTS)

    def entry_points(*, group: str, name: str | None = None) -> list[importlib.metadata.EntryPoint]:
        return [entry] if group == registry.ENTRY_POINTS and name in (None, "theirs") else []

    monkeypatch.setattr(registry, "entry_points", entry_points)


def test_a_judge_of_an_installed_package_is_found_and_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    entry_point(monkeypatch, "lmgt_core.judges.neutral:make")
    assert isinstance(make_judge("theirs", CONTEXT), NeutralJudge)
    assert "theirs" in judge_names(CONTEXT)


@pytest.mark.parametrize("target", ["lmgt_core.judges.neutral:nothing", "lmgt_core.no_such:make"])
def test_an_installed_judge_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    entry_point(monkeypatch, target)
    with pytest.raises(UserError, match="--judge theirs"):
        make_judge("theirs", CONTEXT)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "their_judge.py").write_text("import a_package_nobody_has\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry_point(monkeypatch, "their_judge:make")
    with pytest.raises(UserError, match="needs the package a_package_nobody_has"):
        make_judge("theirs", CONTEXT)


def test_looking_up_names_imports_no_judge() -> None:
    code = (
        "import sys; from lmgt_core.judging.registry import *; judge_names(JudgeContext('x')); parse_spec('minilm');"
        "print([m for m in sys.modules if m.startswith('lmgt_core.judges') or m in ('torch', 'transformers', 'scipy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_spec_has_empty_defaults() -> None:
    assert JudgeSpec("x") == ("x", "", {})
