"""The page about auditing one's own judge: its program runs as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_program_runs_and_says_what_the_judge_is_worth(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/audit-your-judge.md").read_text(), flags=re.S)
    (tmp_path / "audit.py").write_text(block)
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "audit.py"], cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^judge smollm2 \[language model\] (is SILENT|speaks on)", done.stdout)
    assert re.search(r"^right in \d+%, AUC [01]\.\d\d, silent: (True|False)$", done.stdout, flags=re.M)
    assert "demanded_on_probes" in done.stdout
