"""`python -m tests.golden.record [NAME ...]` stores what the runs of these names, or all, compute now.

The stored numbers are there to show that a change of the code changed none of them: to record them again needs a
reason in the commit's message. The tests that follow are the second execution: a run that differs between the two is
not deterministic and has to go.
"""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.golden.numbers import computed, surroundings
from tests.golden.runs import FADING, RUNS, Run

HERE = Path(__file__).parent
FILES = {HERE / "expected.json": RUNS, HERE / "expected_to_change.json": FADING}


def main(names: Sequence[str]) -> None:
    """Records into both files; a name that neither holds is an error."""
    unknown = set(names) - {run.name for runs in FILES.values() for run in runs}
    if unknown:
        raise SystemExit(f"no such run: {', '.join(sorted(unknown))}")
    for file, runs in FILES.items():
        if wanted := [run for run in runs if not names or run.name in names]:
            record(file, runs, wanted)


def record(file: Path, runs: Sequence[Run], wanted: Sequence[Run]) -> None:
    """Runs what is `wanted` and writes `file`; the others stay, if recorded in these surroundings."""
    now = surroundings()
    before = json.loads(file.read_text()) if file.exists() else {"surroundings": now, "runs": {}}
    if len(wanted) < len(runs) and before["surroundings"] != now:
        raise SystemExit(f"{file.name} was recorded elsewhere; record all of it")
    found = before["runs"]
    for run in wanted:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            found[run.name] = computed(run, Path(folder) / "run")
            print(f"{run.name}: {time.perf_counter() - begun:.1f} s", flush=True)
    kept = {run.name: found[run.name] for run in runs if run.name in found}
    file.write_text(json.dumps({"surroundings": now, "runs": kept}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
