"""The commands in the READMEs are real: each is found and understood as it stands there, and the cheap ones are run."""

import re
import shlex
from pathlib import Path

import pytest
import tyro

from apps.cli import find, load, present_flags, run

ROOT = Path(__file__).resolve().parents[1]
READMES = (ROOT / "README.md", *sorted((ROOT / "apps").rglob("README.md")))


def commands_of(page: Path) -> list[list[str]]:
    """The words of every `lmgt ...` line of an indented block, continued lines joined."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if re.match(r" {4}lmgt ", line)]
    return [shlex.split(line.replace("$SLURM_ARRAY_TASK_ID", "0"), comments=True)[1:] for line in lines]


def understood(words: list[str]) -> None:
    """Fails where a command is not found or its flags are not understood; `...` stands for the reader's own."""
    words = [word for word in words if word != "..."]
    command = find(words)
    rest = words[len(command.words) :]
    for flag in ("--votes", "--splits"):  # `--votes ...` stands for the reader's file
        if flag in rest and (rest.index(flag) == len(rest) - 1 or rest[rest.index(flag) + 1].startswith("--")):
            rest.insert(rest.index(flag) + 1, "FILE")
    config = tyro.cli(load(command.config), args=present_flags(command, rest))
    assert type(config).__name__ == command.config.partition(":")[2]


COMMANDS = [words for page in READMES for words in commands_of(page)]


def test_the_readmes_show_commands() -> None:
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_of_the_readmes_is_understood(words: list[str]) -> None:
    understood(words)


def test_the_doctor_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    assert "mujoco" in capsys.readouterr().out.lower()


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^ {4}make (\w+)", (ROOT / "README.md").read_text(), flags=re.M):
        assert f"\n{target}:" in makefile
