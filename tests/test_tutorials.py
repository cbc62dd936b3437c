"""The pages' programs run as they stand there: tutorials from beginning to end, commands understood, Python run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_readme import commands_of, understood

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
LMGT = f'lmgt() {{ "{sys.executable}" -m apps.cli "$@"; }}\n'


def blocks(page: Path, language: str) -> list[str]:
    """The page's fenced blocks of this language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def run(command: list[str], folder: Path) -> str:
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs_from_beginning_to_end(page: Path, tmp_path: Path) -> None:
    run(["bash", "-e", "-c", LMGT + "".join(blocks(page, "sh"))], tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("page", [*TUTORIALS, DOCS / "how-to/decide-from-logs.md"], ids=lambda page: page.stem)
def test_every_command_of_a_tutorial_is_understood(page: Path, tmp_path: Path) -> None:
    said = "lmgt() { printf '%s\\0' \"$@\"; printf '\\n'; }\n" + "".join(blocks(page, "sh"))
    lines = run(["bash", "-e", "-c", said], tmp_path).splitlines()
    assert len(lines) >= 3
    for line in lines:
        understood(line.split("\0")[:-1])


@pytest.mark.slow
def test_the_page_about_logs_runs_from_a_parquet_file_to_a_decision(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    page = DOCS / "how-to/decide-from-logs.md"
    simulate, *rest = blocks(page, "sh")
    run(["bash", "-e", "-c", LMGT + simulate], tmp_path)
    run([sys.executable, "-c", "".join(blocks(page, "python"))], tmp_path)
    shown = run(["bash", "-e", "-c", LMGT + "".join(rest)], tmp_path)
    assert "By sn-dr, choose scores:liking" in shown
    (count,) = set(re.findall(r"([\d,]+) slates in 400 sessions", shown))
    assert f"these {count} slates" in page.read_text()
    assert "By session-model, choose scores:worth?temperature=12" in shown
    assert (tmp_path / "decision/estimates.svg").stat().st_size > 10_000
    assert (tmp_path / "sessions/sessions.svg").stat().st_size > 10_000


def test_a_shift_rule_of_one_s_own_shifts_as_its_page_says(tmp_path: Path) -> None:
    page = DOCS / "how-to/add-a-shift-rule.md"
    shown = run([sys.executable, "-c", "".join(blocks(page, "python"))], tmp_path)
    assert shown.strip() in page.read_text()


@pytest.mark.parametrize(
    "page", sorted({*DOCS.rglob("*.md")} - {*TUTORIALS}), ids=lambda page: str(page.relative_to(DOCS))
)
def test_indented_commands_of_a_page_are_understood(page: Path) -> None:
    for words in commands_of(page):
        understood(words)
