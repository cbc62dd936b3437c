"""The app that CONTRIBUTING.md shows is written out as it stands there, keeps the contracts, and trains."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILE = re.compile(r"^`(\S+)`:\n\n```\w+\n(.*?)^```$", flags=re.M | re.S)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the app's files."""
    folder = tmp_path_factory.mktemp("app")
    for name, content in FILE.findall((ROOT / "CONTRIBUTING.md").read_text()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def run(app: Path, *words: str) -> str:
    env = os.environ | {"PYTHONPATH": f"{app}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=app, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_takes_at_most_4_files_and_150_lines_as_the_page_says(app: Path) -> None:
    files = [f for f in app.rglob("*") if f.is_file()]
    lines = sum(len(f.read_text().splitlines()) for f in files)
    assert len(files) <= 4 and lines <= 150
    assert f"{len(files)} files, {lines} lines" in (ROOT / "CONTRIBUTING.md").read_text()


def test_it_keeps_the_contracts(app: Path) -> None:
    assert re.search(r"2\d passed", run(app, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_frozen_lake.py"))


def test_it_trains_audits_and_reports(app: Path) -> None:
    words = ("-m", "frozen_lake.train", "--steps", "200", "--seeds", "0", "--out", "run")
    assert "oracle (privileged)" in run(app, *words)
    run(app, "-m", "apps.cli", "report", "run", "--out", "report.html")
    assert "frozen-lake" in (app / "report.html").read_text()
