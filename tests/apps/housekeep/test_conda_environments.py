"""The conda environments agree with pyproject.toml, the tested versions, and what the habitat-sim worker needs."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PIN = re.compile(r"([A-Za-z0-9_.-]+)==([A-Za-z0-9_.+!-]+)")


def environment(name: str) -> dict[str, Any]:
    """An environment file's content, its pip section under "pip"."""
    content = yaml.safe_load((ROOT / name).read_text())
    parts = content["dependencies"]
    content["pip"] = [line for part in parts if isinstance(part, dict) for line in part["pip"]]
    content["dependencies"] = [part for part in parts if isinstance(part, str)]
    return content


def pins(*names: str) -> list[tuple[str, str]]:
    """(package, version) of every exact pin in the files."""
    lines = [line.partition("#")[0].strip() for name in names for line in (ROOT / name).read_text().splitlines()]
    found = [PIN.fullmatch(line.partition(";")[0].strip()) for line in lines]
    return [(match[1].lower().replace("_", "-"), match[2]) for match in found if match]


def test_the_project_runs_on_a_python_that_pyproject_allows() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (python,) = [d for d in environment("environment.yml")["dependencies"] if d.startswith("python=")]
    assert asked == ">=3.11,<3.14" and python == "python=3.11"


def test_the_command_installs_extras_of_pyproject_at_the_tested_versions() -> None:
    head = (ROOT / "environment.yml").read_text().partition("name:")[0]
    command = re.search(r"uv pip install -c (\S+) -e '\.\[(.*?)\]'", head)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert command and command[1] == "constraints.txt" and set(command[2].split(",")) <= set(extras)
    assert environment("environment.yml")["pip"] == ["uv"]


def test_no_package_has_two_versions() -> None:
    versions: dict[str, set[str]] = {}
    for package, version in pins("constraints.txt"):
        versions.setdefault(package, set()).add(version)
    assert len(versions) > 50
    assert {p: v for p, v in versions.items() if len(v) > 1} == {}
    for name in ("environment.yml", "environment-habitat.yml"):
        for line in environment(name)["pip"]:
            if match := PIN.fullmatch(line):
                assert match[2] in versions[match[1].lower()]


def test_the_worker_environment_has_what_the_adapter_needs() -> None:
    content = environment("environment-habitat.yml")
    names = {re.split(r"[=<>]", d)[0]: d for d in content["dependencies"]}
    assert {"habitat-sim", "withbullet", "headless", "numpy"} <= set(names)
    assert names["python"] == "python=3.9" and content["channels"][:2] == ["aihabitat", "conda-forge"]
    assert content["pip"] == []


@pytest.mark.parametrize("name", ["environment.yml", "environment-habitat.yml"])
def test_names_and_versions_are_written_as_conda_reads_them(name: str) -> None:
    content = environment(name)
    assert set(content) == {"name", "channels", "dependencies", "pip"}
    for dependency in content["dependencies"]:
        assert re.fullmatch(r"[a-z0-9_-]+(?:(?:=|<|>=)[0-9][0-9.]*)?", dependency), dependency


def test_files_named_in_the_command_exist() -> None:
    head = (ROOT / "environment.yml").read_text().partition("name:")[0]
    named = set(re.findall(r"[a-z-]+\.(?:yml|txt)", head))
    assert {"environment.yml", "environment-habitat.yml", "constraints.txt"} <= named
    assert all((ROOT / file).is_file() for file in named)
