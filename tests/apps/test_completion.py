"""`lmgt completion`: shells complete commands and flags."""

import shutil
import subprocess

import pytest

from apps.cli import COMMANDS
from apps.completion import next_words, script


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("hou", {"housekeep"}),
        ("judge s", {"score", "serve"}),
        ("housekeep train --judge", {"--judge", "--judge-ahead"}),
        ("housekeep train --judge oracle --no-g", {"--no-gate"}),
        ("report runs/oracle --ou", {"--out"}),
        ("nonsense ", set()),
    ],
)
def test_bash_completes(typed: str, completed: set[str]) -> None:
    words = ["lmgt", *typed.split(" ")]
    array = " ".join(f"'{word}'" for word in words)
    asks = f"COMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _lmgt; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", script("bash") + asks], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == completed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_reads(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", "/dev/stdin"], input=script(shell), text=True, check=True, capture_output=True)


def test_every_command_is_reached_and_knows_its_help() -> None:
    known = next_words()
    for command in COMMANDS:
        assert all(command.words[i] in known[command.words[:i]] for i in range(len(command.words)))
        assert known[command.words][-1] == "--help"
