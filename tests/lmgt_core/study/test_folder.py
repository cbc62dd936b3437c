"""Claims and kills: no cell twice, nothing lost, and the same report however often a study was killed."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from lmgt_core.errors import UserError
from lmgt_core.study.folder import StudyFolder
from lmgt_core.study.plan import Cell
from lmgt_core.study.report import write_report
from lmgt_core.study.runner import load_app, run_study, wait, work
from tests.lmgt_core.study.small_app import APP, STUDY, TARGET, small_plan
from tests.lmgt_core.training.test_processes import wait_until

ROOT = Path(__file__).resolve().parents[3]
RUN = (
    "import sys; from pathlib import Path\n"
    "from lmgt_core.study.folder import StudyFolder\n"
    "from lmgt_core.study.runner import run_study\n"
    "from tests.lmgt_core.study.small_app import TARGET, small_plan\n"
    "plan = small_plan()\n"
    "run_study(StudyFolder.create(Path(sys.argv[1]), plan), plan, TARGET, int(sys.argv[2]))\n"
)


def start(folder: Path, log: Path, seconds: float, workers: int = 1) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SMALL_APP_LOG": str(log), "SMALL_APP_SECONDS": str(seconds)}
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder), str(workers)], cwd=ROOT, env=environment)


def reported(folder: Path) -> dict[str, bytes]:
    plan = small_plan()
    write_report(StudyFolder(folder), plan, APP)
    names = ("report.html", "summary.csv", "figures/lines_score.svg")
    return {name: (folder / name).read_bytes() for name in names}


def finished(folder: Path) -> int:
    return len(list((folder / "results").glob("*.json"))) if (folder / "results").exists() else 0


def test_two_processes_on_one_folder_never_do_one_cell_twice(tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [start(tmp_path / "study", log, 0.02) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    done = Counter(log.read_text().splitlines())
    assert len(done) == 28
    assert set(done.values()) == {1}


def test_a_study_killed_again_and_again_gives_the_same_report(tmp_path: Path) -> None:
    plan = small_plan()
    whole = StudyFolder.create(tmp_path / "whole", plan)
    run_study(whole, plan, TARGET, 1)
    killed = tmp_path / "killed"
    for wanted in (3, 11, 19):
        process = start(killed, tmp_path / "log", 0.05)
        while finished(killed) < wanted and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 19 <= finished(killed) < 28
    run_study(StudyFolder.create(killed, plan), plan, TARGET, 1)
    assert reported(killed) == reported(tmp_path / "whole")


def test_no_worker_goes_on_when_its_parent_is_killed_and_starting_again_ends_the_same(tmp_path: Path) -> None:
    plan, killed = small_plan(), tmp_path / "killed"
    process = start(killed, tmp_path / "log", 0.5, workers=2)
    while finished(killed) < 2 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    folder = StudyFolder.create(killed, plan)
    wait_until(lambda: all_free(folder), 20)
    left = finished(killed)
    assert 2 <= left < 28
    time.sleep(1.2)  # a worker that went on would finish two more
    assert finished(killed) == left
    for path in (killed, tmp_path / "whole"):
        run_study(StudyFolder.create(path, plan), plan, TARGET, 1)
    assert reported(killed) == reported(tmp_path / "whole")


def all_free(folder: StudyFolder) -> bool:
    """Whether nobody holds a claim: every cell can be had, or is finished."""

    def free(cell: Cell) -> bool:
        with folder.claim(cell) as mine:
            return mine or folder.is_done(cell)

    return all(free(cell) for cell in small_plan().cells())


def test_a_worker_that_is_killed_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_APP_DIES", "1")
    plan = small_plan()
    with pytest.raises(UserError, match="worker process died"):
        run_study(StudyFolder.create(tmp_path, plan), plan, TARGET, 2)


def test_processes_of_its_own_give_the_same_report(tmp_path: Path) -> None:
    plan = small_plan()
    for name, workers in (("one", 1), ("two", 2)):
        run_study(StudyFolder.create(tmp_path / name, plan), plan, TARGET, workers)
    assert reported(tmp_path / "one") == reported(tmp_path / "two")


def test_a_claimed_or_finished_cell_is_left_alone(tmp_path: Path) -> None:
    plan = small_plan()
    folder = StudyFolder.create(tmp_path, plan)
    cells = list(plan.cells())
    with folder.claim(cells[0]) as mine, folder.claim(cells[0]) as also_mine:
        assert mine and not also_mine
        with folder.claim(cells[1]) as other:
            assert other
    folder.finish(cells[0], {"score": 1.0})
    with folder.claim(cells[0]) as mine:
        assert not mine
    asked: list[int] = []
    work(folder, cells[:1], load_app(TARGET), asked.append)
    assert folder.result(cells[0]) == {"score": 1.0} and asked == [1]


def test_a_cell_that_its_process_gave_up_is_an_error_not_a_wait_for_ever(tmp_path: Path) -> None:
    plan = small_plan()
    with pytest.raises(RuntimeError, match="given up by another process"):
        wait(StudyFolder.create(tmp_path, plan), list(plan.cells()))


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match=r"holds thesis\.txt but no study"):
        StudyFolder.create(tmp_path, small_plan())
    with pytest.raises(UserError, match="is a file"):
        StudyFolder.create(tmp_path / "thesis.txt", small_plan())


def test_a_folder_of_another_study_is_refused_with_what_differs(tmp_path: Path) -> None:
    StudyFolder.create(tmp_path / "s", small_plan())
    with pytest.raises(UserError, match=r"holds another study \(seeds is 4 there and 5 here\)"):
        StudyFolder.create(tmp_path / "s", small_plan(STUDY.replace("seeds: 4", "seeds: 5")))


@pytest.mark.slow
def test_a_ray_cluster_gives_the_same_report(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    plan = small_plan()
    run_study(StudyFolder.create(tmp_path / "ray", plan), plan, TARGET, 1, ray="local")
    run_study(StudyFolder.create(tmp_path / "here", plan), plan, TARGET, 1)
    assert reported(tmp_path / "ray") == reported(tmp_path / "here")
