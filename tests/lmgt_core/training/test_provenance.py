import os
import subprocess
import sys
from pathlib import Path

import pytest

from lmgt_core.training.provenance import (
    command_line,
    git_revision,
    hide_secrets,
    machine,
    package_versions,
    provenance,
)

ROOT = Path(__file__).resolve().parents[3]


def test_the_command_can_be_typed_again_and_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    argv = [
        str(tmp_path / "venv/bin/lmgt"),
        "train",
        "--out",
        str(tmp_path / "work/runs/a"),
        f"--votes={tmp_path}/v.npy",
    ]
    assert command_line(argv, tmp_path / "work") == "lmgt train --out runs/a --votes=../v.npy"


def test_words_that_a_shell_would_split_are_quoted() -> None:
    assert command_line(["lmgt", "--note", "it's $HOME", "--select", "0:800"]) == (
        "lmgt --note 'it'\"'\"'s $HOME' --select 0:800"
    )


def test_a_script_is_called_through_python(tmp_path: Path) -> None:
    assert command_line([str(tmp_path / "benchmarks/env.py"), "-n", "3"], tmp_path) == "python benchmarks/env.py -n 3"


def test_a_module_is_called_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "tool.py").write_text(
        "from lmgt_core.training.provenance import command_line\nprint(command_line())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "package.tool", "--steps", "3"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "python -m package.tool --steps 3\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--api-key", "s3cr3t"],
        ["--token=s3cr3t"],
        ["--judge", "openai:model@http://me:s3cr3t@host/v1"],
        ["--judge", "openai:model@http://host/v1?api_key=s3cr3t&n=1"],
        ["--judge", "openai:model@http://host", "--password", "s3cr3t"],
    ],
)
def test_secrets_never_reach_a_file(words: list[str]) -> None:
    line = command_line(["lmgt", *words])
    assert "s3cr3t" not in line
    assert "***" in line


def test_key_shaped_words_are_hidden_wherever_they_stand() -> None:
    assert hide_secrets("note sk-abcdefghijkl hf_abcdefghijkl") == "note *** ***"
    assert hide_secrets("--max-tokens=5 risk-averse hf:model?bits=4") == "--max-tokens=5 risk-averse hf:model?bits=4"


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_the_revision_says_when_files_were_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "files.py").write_text("a")
    assert git_revision(tmp_path) is None  # nothing is committed yet
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "a")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    assert git_revision(tmp_path) == commit
    (tmp_path / "new.txt").write_text("untracked files change no result")
    assert git_revision(tmp_path) == commit
    (tmp_path / "files.py").write_text("b")
    assert git_revision(tmp_path) == f"{commit}-dirty"


def test_an_installation_inside_another_repository_has_no_revision(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "a")
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "files.py").write_text("")
    assert git_revision(installed) is None
    assert git_revision(tmp_path / "nowhere") is None


def test_this_checkout_knows_its_revision() -> None:
    """Unless the tests run from an installation or an unpacked archive."""
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    assert (git_revision() or "").removesuffix("-dirty") == git(ROOT, "rev-parse", "HEAD").strip()


def test_versions_name_what_is_installed_only() -> None:
    versions = package_versions()
    assert versions["numpy"].count(".") == 2
    assert versions["python"].startswith("3.")
    assert all(versions.values())


def test_the_machine_is_a_class_and_not_a_name() -> None:
    assert set(machine()) <= {"system", "cpu", "cores", "memory_gib", "accelerator"}
    assert machine()["cores"] >= 1
    assert set(provenance(["lmgt"])) == {"command", "versions", "git_revision", "platform"}
