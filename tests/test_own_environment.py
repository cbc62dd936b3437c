"""The README's program for one's own environment is run as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def program() -> str:
    """The one Python block of the README."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    assert len(blocks) == 1
    return str(blocks[0])


def test_it_takes_less_than_25_lines() -> None:
    assert len([line for line in program().splitlines() if line.strip()]) < 25


def test_it_runs_and_shows_shifted_rewards_beside_the_task_s_own(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(program())
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "own.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"^(\S+) is (\S+) plus (\S+)$", done.stdout, flags=re.M)
    assert len(shown) == 5
    for shifted, reward, shift in shown:
        assert float(shifted) == float(reward) + float(shift)
        assert float(reward) == 1.0
    assert any(float(shift) != 0 for _, _, shift in shown)
    assert (tmp_path / "judgments.sqlite").exists()
