"""The command line: quick to explain itself, and one clear line for a mistake."""

import shlex
import subprocess
import sys

import pytest

from apps.cli import COMMANDS, load, run, way_on
from lmgt_core.errors import UserError

HEAVY = ("torch", "tensorflow", "transformers", "mujoco", "matplotlib", "scipy", "stable_baselines3")


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(" ".join(command.words) in shown for command in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys; import apps.cli; apps.cli.run(['--help']); print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c.words))
def test_every_command_has_a_config_and_a_main(command) -> None:
    assert load(command.config).__doc__
    assert callable(load(command.main))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c.words))
def test_every_command_explains_itself(command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run([*command.words, "--help"])
    assert ended.value.code == 0
    assert "lmgt " + " ".join(command.words) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("control train --out 'a b'", "continue with: lmgt control train --out 'a b' --resume"),
        ("control train --resume", "continue with: lmgt control train --resume"),
        ("study weight", "start it again with: lmgt study weight"),
    ],
)
def test_who_interrupts_a_command_is_told_how_to_go_on(arguments: str, said: str) -> None:
    assert way_on(shlex.split(arguments)) == said


def test_an_unknown_command_names_the_ones_there_are() -> None:
    with pytest.raises(UserError, match="housekeep train"):
        run(["housekeep", "tarin"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["housekeep", "train", "--episodes", "nowhere.json.gz", "--out", "OUT"], "nowhere.json.gz"),
        (["housekeep", "train", "--judge", "gpt-9", "--out", "OUT"], "gpt-9"),
        (["housekeep", "train", "--judge", "noisy-oracle:7", "--out", "OUT"], "noisy-oracle"),
        (["housekeep", "train", "--algorithm", "ppo", "--out", "OUT"], "--algorithm"),
        (["housekeep", "train", "--select", "5:x", "--out", "OUT"], "--select"),
        (["housekeep", "train", "--rule", "sideways", "--out", "OUT"], "sideways"),
        (["housekeep", "train", "--strategy", "telepathy", "--out", "OUT"], "telepathy"),
        (["housekeep", "evaluate", "no-such-run"], "no-such-run"),
        (["report", "no-such-run", "--out", "OUT.html"], "no-such-run"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2_and_leaves_nothing(arguments, named, tmp_path) -> None:
    out = tmp_path / "run"
    arguments = [a.replace("OUT", str(out)) for a in arguments]
    done = subprocess.run([sys.executable, "-m", "apps.cli", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and named in done.stderr
    assert not list(tmp_path.iterdir())
