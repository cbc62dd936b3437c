"""A judge from outside: the package that CONTRIBUTING.md shows is built, installed and asked."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_package_of_contributing_gives_a_judge_to_ask(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text().split("## Add a captioner")[0]
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for language, name in (("python", "my_package.py"), ("toml", "pyproject.toml")):
        (block,) = re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)
        (source / name).write_text(block)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", target, source], check=True, timeout=120)
    question = ["--env", "Blackjack-v1", "--state", "sum 16, dealer 10, no ace", "--action", "hit"]
    command = [sys.executable, "-m", "apps.cli", "judge", "ask", *question, "--judge", "cautious"]
    env = os.environ | {"PYTHONPATH": f"{target}{os.pathsep}{ROOT}"}
    asked = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert asked.returncode == 0, asked.stderr
    assert re.search(r"verdict\W+bad", asked.stdout), asked.stdout
