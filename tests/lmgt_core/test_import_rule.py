"""Who may import whom, read off the syntax trees of the whole project.

1. apps -> captioners -> lmgt_core, never the other way; an app imports no other app; apps/cli.py may import all.
2. A simulator is imported only in its app's env or simulator files.
3. Heavy packages are imported inside functions, so that `lmgt --help` is quick: in lmgt_core (but for judges/ and
   learners/), in captioners (but for models/), in apps/cli.py and every app's config.py and __init__.py, and in what
   those import as they are imported. An app's agents and training files, imported when a command is called, are free.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("lmgt_core", "captioners", "apps")
SIMULATORS = {"mujoco", "habitat_sim", "recsim", "ale_py"}
HEAVY = {"torch", "tensorflow", "transformers", "tf_agents", "stable_baselines3", "sb3_contrib", "matplotlib", "keras"}
VAGUE = {"utils.py", "helpers.py", "manager.py", "util.py", "helper.py", "misc.py", "common.py"}


@dataclass(frozen=True)
class Import:
    """One imported module, by its absolute name, and whether it is imported as soon as the file is."""

    module: str
    line: int
    at_import: bool


def imports(source: str, package: str) -> Iterator[Import]:
    """Every import in `source`, a file of `package`; `from a import b` counts as a and a.b."""
    tree = ast.parse(source)
    later = {id(node) for function in ast.walk(tree) if isinstance(function, FUNCTIONS) for node in ast.walk(function)}
    later |= {id(node) for branch in ast.walk(tree) if type_checking(branch) for node in ast.walk(branch)}
    for node in ast.walk(tree):
        for module in modules(node, package):
            yield Import(module, getattr(node, "lineno", 0), id(node) not in later)


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def modules(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        return [base, *(f"{base}.{name.name}" for name in node.names)]
    if isinstance(node, ast.Call) and ast.unparse(node.func) in (
        "importlib.import_module",
        "import_module",
        "__import__",
    ):
        return [a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return []


@cache
def imports_of(path: Path) -> list[Import]:
    """Every import in a file of the project."""
    return list(imports(path.read_text(encoding="utf-8"), ".".join(path.relative_to(ROOT).parent.parts)))


def violations(path: str, source: str) -> list[str]:
    """What the file at `path` (relative to the project) may not import, one line each."""
    package = ".".join(Path(path).parent.parts)
    found = []
    for imported in imports(source, package):
        for rule in (wrong_layer, wrong_simulator, too_early):
            if why := rule(Path(path), imported):
                found.append(f"{path}:{imported.line} imports {imported.module}: {why}")
    return found


def wrong_layer(path: Path, imported: Import) -> str:
    here, there = path.parts, imported.module.split(".")
    above = {"lmgt_core": ("captioners", "apps"), "captioners": ("apps",)}
    if here[0] in above:
        return f"{here[0]} knows no {there[0]}" if there[0] in above[here[0]] else ""
    if path.as_posix() == "apps/cli.py" or there[0] != "apps" or len(there) < 2:
        return ""
    if there[1] == "cli":
        return "" if len(here) == 2 else "the command line knows the apps, not the other way round"
    return "" if there[1] == here[1].removesuffix(".py") else "an app knows no other app"


def wrong_simulator(path: Path, imported: Import) -> str:
    if imported.module.split(".")[0] not in SIMULATORS:
        return ""
    parts = path.parts
    at_home = (
        parts[0] == "apps" and len(parts) > 2 and ("simulator" in parts[2:-1] or parts[-1] in ("env.py", "worlds.py"))
    )
    return "" if at_home else "a simulator belongs to its app's env or simulator files"


def too_early(path: Path, imported: Import) -> str:
    heavy = imported.at_import and imported.module.split(".")[0] in HEAVY
    return "heavy packages are imported inside the functions that use them" if heavy and is_light(path) else ""


def is_light(path: Path) -> bool:
    """Whether the file has to be imported in no time."""
    if path.parts[0] == "apps":
        return path.as_posix() == "apps/cli.py" or path.name in ("config.py", "__init__.py")
    return not path.as_posix().startswith(("lmgt_core/judges/", "lmgt_core/learners/", "captioners/models/"))


def reached(start: Path) -> set[Path]:
    """The project's files that are imported together with `start`."""
    seen, todo = set(), [start]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for imported in imports_of(path):
            stem = ROOT / imported.module.replace(".", "/")
            candidates = (stem.with_name(stem.name + ".py"), stem / "__init__.py")
            todo += [f for f in candidates if imported.at_import and imported.module and f.is_file()]
    return seen


def files() -> list[Path]:
    return [f for package in PACKAGES for f in sorted((ROOT / package).rglob("*.py"))]


def test_every_file_keeps_the_import_rule() -> None:
    assert len(files()) > 20
    found = [v for f in files() for v in violations(f.relative_to(ROOT).as_posix(), f.read_text(encoding="utf-8"))]
    assert found == []


def test_what_light_files_import_at_once_is_light_too() -> None:
    light = [f for f in files() if is_light(f.relative_to(ROOT))]
    assert light
    for start in light:
        for path in reached(start):
            package = ".".join(path.relative_to(ROOT).parent.parts)
            at_once = {
                i.module.split(".")[0] for i in imports(path.read_text(encoding="utf-8"), package) if i.at_import
            }
            assert not at_once & HEAVY, f"{start} imports {path}, which imports {at_once & HEAVY}"


def test_no_test_file_imports_stable_baselines3_as_it_is_collected() -> None:
    """It would bring TensorFlow, with another Keras than the one that SlateQ's tests in the same process need."""
    for start in sorted((ROOT / "tests").rglob("*.py")):
        for path in reached(start):
            at_once = {i.module.split(".")[0] for i in imports_of(path) if i.at_import}
            assert "stable_baselines3" not in at_once, f"{start} imports {path} at once"


def test_no_file_imports_itself_by_a_detour() -> None:
    graph = {f: {t for i in imports_of(f) for t in targets(i)} - {f} for f in files()}
    order = TopologicalSorter(graph)
    try:
        order.prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(str(f.relative_to(ROOT)) for f in error.args[1])) from None


def targets(imported: Import) -> list[Path]:
    """The project's files that an import loads, whether at once or in a function."""
    stem = ROOT / imported.module.replace(".", "/")
    return [f for f in (stem.with_name(stem.name + ".py"), stem / "__init__.py") if imported.module and f.is_file()]


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [f for f in files() if f.name in VAGUE] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("lmgt_core/x.py", "import apps.housekeep.env"),
        ("lmgt_core/x.py", "from apps import housekeep"),
        ("lmgt_core/x.py", "def f():\n    from captioners.objects import y"),
        ("lmgt_core/judges/x.py", "import importlib\nimportlib.import_module('apps.cli')"),
        ("captioners/x.py", "from apps.housekeep.env import y"),
        ("apps/housekeep/x.py", "from apps.slateq.env import y"),
        ("apps/housekeep/x.py", "from apps import slateq"),
        ("apps/housekeep/x.py", "from ..slateq import env"),
        ("apps/housekeep/simulator/x.py", "from ...slateq import env"),
        ("apps/housekeep/x.py", "from apps.cli import main"),
        ("lmgt_core/x.py", "import mujoco"),
        ("apps/housekeep/train.py", "def f():\n    import mujoco"),
        ("apps/slateq/train.py", "from recsim.environments import interest_evolution"),
        ("apps/cli.py", "import mujoco"),
        ("lmgt_core/report/command.py", "import matplotlib.pyplot as plt"),
        ("lmgt_core/x.py", "try:\n    import torch\nexcept ImportError:\n    torch = None"),
        ("lmgt_core/x.py", "class A:\n    import torch"),
        ("captioners/x.py", "from transformers import pipeline"),
        ("apps/cli.py", "import tensorflow as tf"),
        ("apps/housekeep/config.py", "from stable_baselines3 import DQN"),
        ("apps/housekeep/__init__.py", "import torch"),
    ],
)
def test_what_the_rule_forbids_is_found(path: str, source: str) -> None:
    assert violations(path, source) != []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "apps/housekeep/x.py",
            "from apps.housekeep.env import y\nfrom lmgt_core.rules.shift import Raw\nimport captioners",
        ),
        ("apps/housekeep/x.py", "from . import env\nfrom .simulator import protocol"),
        ("captioners/x.py", "from lmgt_core.errors import UserError"),
        ("apps/housekeep/simulator/x.py", "from ..episode import Episode"),
        ("apps/cli.py", "from apps.housekeep import config\nfrom apps.slateq import config"),
        ("apps/housekeep/simulator/mujoco_world.py", "import mujoco"),
        ("apps/slateq/env.py", "import recsim"),
        ("apps/slateq/worlds.py", "import recsim"),
        ("lmgt_core/report/command.py", "def f():\n    import matplotlib.pyplot as plt"),
        ("lmgt_core/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
        ("apps/housekeep/agent/drrn.py", "import torch"),
        ("lmgt_core/judges/minilm.py", "import torch"),
        ("lmgt_core/x.py", "import apps_of_others, numpy"),
    ],
)
def test_what_the_rule_allows_is_let_pass(path: str, source: str) -> None:
    assert violations(path, source) == []


def test_importing_the_core_really_loads_nothing_heavy() -> None:
    light = [f for f in sorted((ROOT / "lmgt_core").rglob("[a-z]*.py")) if is_light(f.relative_to(ROOT))]
    names = [".".join(f.relative_to(ROOT).with_suffix("").parts) for f in light]
    code = f"import sys, importlib; [importlib.import_module(n) for n in {names}]; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "lmgt_core.rules.shift" in loaded and not loaded & (HEAVY | SIMULATORS | {"scipy"})
