"""Work in processes: results and progress arrive, errors are told, and nothing outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from lmgt_core.errors import UserError
from lmgt_core.training.processes import in_processes


def square(power: int, number: int, tick: Callable[[int], None]) -> int:
    for _ in range(number):
        tick(1)
    return number**power


def fail(number: int, tick: Callable[[int], None]) -> int:
    raise KeyError(f"no {number}")


def die(number: int, tick: Callable[[int], None]) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleep_and_say(folder: Path, number: int, tick: Callable[[int], None]) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(120)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_order_is_done_once_and_every_tick_arrives(workers: int) -> None:
    ticks: list[int] = []
    found = dict(in_processes(partial(square, 2), [1, 2, 3, 4], workers, ticks.append))
    assert found == {1: 1, 2: 4, 3: 9, 4: 16}
    assert sum(ticks) == 10


def test_an_exception_in_a_process_is_raised_here() -> None:
    with pytest.raises(KeyError, match="no 1"):
        list(in_processes(fail, [1, 1], 2, lambda more: None))


def test_a_process_that_dies_is_one_clear_line() -> None:
    with pytest.raises(UserError, match="worker process died"):
        list(in_processes(die, [1, 1], 2, lambda more: None))


def test_no_process_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = (
        "from functools import partial; from pathlib import Path\n"
        "from lmgt_core.training.processes import in_processes\n"
        "from tests.lmgt_core.training.test_processes import sleep_and_say\n"
        "if __name__ == '__main__':\n"
        f"    list(in_processes(partial(sleep_and_say, Path({str(tmp_path)!r})), [1, 2], 2, lambda more: None))\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    root = Path(__file__).resolve().parents[3]
    parent = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(root)})
    try:
        wait_until(lambda: len(workers_of(tmp_path)) == 2, 60)
    finally:
        parent.kill()
        parent.wait()
    pids = workers_of(tmp_path)
    wait_until(lambda: not any(alive(pid) for pid in pids), 20)


def workers_of(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.05)
