"""Small trainings compute what they computed when their numbers were stored (record.py), bit for bit.

Numbers of neural networks are compared where the packages and the kind of processor are those of the recording, and
skipped elsewhere; numbers of plain tables are compared everywhere.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.golden.numbers import computed, surroundings
from tests.golden.record import FILES
from tests.golden.runs import Run

CASES = [
    pytest.param(file, run, id=run.name, marks=[] if run.quick else [pytest.mark.slow])
    for file, runs in FILES.items()
    for run in runs
]


def stored(file: Path) -> dict[str, Any]:
    """What was recorded."""
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def skip_elsewhere(recorded: dict[str, str]) -> None:
    """Skips the test where a neural network's sums may round otherwise."""
    now = surroundings()
    if different := [
        f"{name} {recorded.get(name)}, here {now[name]}" for name in now if recorded.get(name) != now[name]
    ]:
        pytest.skip(f"recorded with {'; '.join(different)}")


@pytest.mark.timeout(900)  # seconds on a machine of one's own; minutes where many share it
@pytest.mark.parametrize(("file", "run"), CASES)
def test_a_run_computes_what_it_did(file: Path, run: Run, tmp_path: Path) -> None:
    recorded = stored(file)
    if run.networks:
        skip_elsewhere(recorded["surroundings"])
    expected = recorded["runs"][run.name]
    assert computed(run, tmp_path / "run", expected) == expected


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_run_is_recorded_and_nothing_else(file: Path) -> None:
    assert list(stored(file)["runs"]) == [run.name for run in FILES[file]]
