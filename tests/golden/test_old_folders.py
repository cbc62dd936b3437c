"""Folders that an earlier version wrote stay readable, and go on with the flags that they were begun with.

In old_run, of revision d8e99e5 (tensorboard left out, machine made neutral):

    finished    control train: PocketWatch-v0, minilm, not gated; its checkpoints left out
    unfinished  the same, killed in seed 1 after two evaluations
    audited     control train: Blackjack-v1, oracle, gated
    study       study.yaml in the tabular app; its page, figures and empty claims left out
"""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.golden.numbers import lmgt, run_numbers, study_numbers

OLD = Path(__file__).parent / "old_run"
BEGUN = (
    "--env PocketWatch-v0 --algorithm q-learning --judge minilm --no-gate --steps 300 --evaluate-every 60 --seeds 0 1"
)
JUDGMENTS = 8


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy that may be written to."""
    return shutil.copytree(OLD, tmp_path / "old")


def run(*words: str | Path) -> str:
    """What the command prints; it ends well."""
    done = lmgt(*map(str, words))
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def cached(file: Path, tmp_path: Path) -> list[dict[str, Any]]:
    """The statistics of a file of judgments."""
    run("judge", "cache", "stats", file, "--json", tmp_path / "stats.json")
    rows: list[dict[str, Any]] = read(tmp_path / "stats.json")["rows"]
    return rows


def test_a_report_shows_what_old_runs_found(old: Path, tmp_path: Path) -> None:
    run("report", old / "finished", old / "unfinished", old / "audited", "--out", tmp_path / "page.html")
    shown = read(tmp_path / "page.json")["groups"]
    for name in ("finished", "audited"):
        expected = {metric: found["mean"] for metric, found in read(old / name / "summary.json")["metrics"].items()}
        metrics = [row for group in shown for row in group["all_metrics"] if name in row["runs"]]
        assert {row["metric"]: row["runs"][name]["mean"] for row in metrics} == expected
    assert "unfinished" in (tmp_path / "page.html").read_text()


def test_a_killed_run_goes_on_and_ends_with_the_same_numbers_and_asks_nothing_again(old: Path, tmp_path: Path) -> None:
    run("control", "train", *shlex.split(BEGUN), "--out", old / "unfinished", "--resume")
    expected = run_numbers(OLD / "finished")
    assert run_numbers(old / "unfinished", expected) == expected
    for table in ("episodes", "evaluations"):
        merged = f"{table}.csv"
        assert (old / "unfinished" / merged).read_text() == (OLD / "finished" / merged).read_text()
    assert [row["judgments"] for row in cached(old / "unfinished" / "judgments.sqlite", tmp_path)] == [JUDGMENTS]


def test_a_finished_run_does_not_begin_again_with_other_settings(old: Path) -> None:
    done = lmgt("control", "train", *shlex.split(BEGUN), "--scale", "2", "--out", str(old / "finished"), "--resume")
    assert done.returncode == 2
    assert "scale" in done.stderr


def test_an_old_file_of_judgments_is_read_moved_and_pruned(old: Path, tmp_path: Path) -> None:
    file, lines = old / "finished" / "judgments.sqlite", tmp_path / "lines.jsonl"
    (found,) = cached(file, tmp_path)
    assert (found["judgments"], found["bad"]) == (JUDGMENTS, JUDGMENTS)
    assert found["judge"].startswith("minilm:")
    run("judge", "cache", "export", file, "--lines", lines)
    run("judge", "cache", "import", tmp_path / "new.sqlite", "--lines", lines)
    assert cached(tmp_path / "new.sqlite", tmp_path) == [found]
    run("judge", "cache", "prune", file, "--judge", "minilm")
    assert cached(file, tmp_path) == []


def test_an_old_study_goes_on_where_it_was(old: Path) -> None:
    folder, expected = old / "study", study_numbers(OLD / "study")
    sorted(folder.glob("results/*.json"))[0].unlink()
    run("study", old / "study.yaml", "--app", "tabular", "--workers", "1", "--out", folder)
    assert study_numbers(folder, expected) == expected
    assert (folder / "report.html").exists()
    assert len(list(folder.glob("results/*.json"))) == len(expected["cells"])
