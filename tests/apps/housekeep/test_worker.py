"""The worker process, tested with MuJoCo behind it: the same world, and every way in which a process can fail."""

import ast
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from apps.housekeep.simulator import worker
from apps.housekeep.simulator.episode_wire import from_wire, to_wire
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import Action, Simulator
from apps.housekeep.simulator.remote import MUJOCO, RemoteSimulator
from apps.housekeep.simulator.worker_link import WORKER, WorkerError, WorkerLink
from lmgt_core.errors import UserError
from tests.apps.housekeep.homes import builtin_files, episodes_of
from tests.apps.housekeep.small_home import MUG, home, instance
from tests.contracts.simulator import SimulatorContract, state

FAULTY = "tests.apps.housekeep.faulty_world:make"


class TestMujocoThroughTheWorker(SimulatorContract):
    """The whole contract; two workers take turns, because loading an episode undoes everything."""

    workers: ClassVar[list[RemoteSimulator]] = []

    @pytest.fixture(autouse=True, scope="class")
    def running(self) -> Iterator[None]:
        self.workers.extend(RemoteSimulator((42, 42)) for _ in range(2))
        yield
        while self.workers:
            self.workers.pop().close()

    def make_simulator(self) -> Simulator:
        self.workers.reverse()
        return self.workers[0]


@pytest.fixture
def remote() -> Iterator[RemoteSimulator]:
    simulator = RemoteSimulator((24, 24))
    yield simulator
    simulator.close()


def faulty(how: str, after: int = 0, once: Path | None = None, **settings: Any) -> RemoteSimulator:
    """A simulator whose worker breaks in the way `how`."""
    options = {"how": how, "after": after, "once": None if once is None else str(once)}
    return RemoteSimulator((8, 8), FAULTY, options, **settings)


def gone(process: int) -> bool:
    """Whether a process has ended, within ten seconds; a zombie has."""
    for _ in range(100):
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.1)
    return False


def test_an_episode_survives_the_wire_to_the_last_bit() -> None:
    for episode in (home(), episodes_of(builtin_files()[0])[7]):
        again = from_wire(to_wire(episode))
        for name in ("episode_id", "scene", "source", "start_position", "start_rotation", "receptacles", "items"):
            assert getattr(again, name) == getattr(episode, name)
        assert (again.start == episode.start).all() and (again.end == episode.end).all()


def test_a_worker_is_the_simulator_bit_for_bit(remote: RemoteSimulator) -> None:
    here, rng = MujocoSimulator((24, 24)), np.random.default_rng(5)
    for episode in episodes_of(builtin_files()[0])[:2]:
        for simulator in (here, remote):
            simulator.load(episode)
        assert (here.floor_cells() == remote.floor_cells()).all()
        for action in rng.choice([0, 0, 0, 1, 2, 3, 4, 5], size=60):
            assert here.step(Action(int(action))) == remote.step(Action(int(action)))
            assert state(here) == state(remote)
            assert (here.seen_floor() == remote.seen_floor()).all()
        goal = episode.receptacles[-1].nav_position
        assert (here.path(goal), here.course(goal), here.snap(goal)) == (
            remote.path(goal),
            remote.course(goal),
            remote.snap(goal),
        )
        for mine, theirs in zip(vars(here.render()).values(), vars(remote.render()).values(), strict=True):
            assert (mine == theirs).all() and mine.dtype == theirs.dtype


def test_errors_of_the_world_come_through_as_what_they_are(remote: RemoteSimulator) -> None:
    with pytest.raises(RuntimeError, match="load"):
        _ = remote.episode
    with pytest.raises(UserError, match="size"):
        RemoteSimulator((0, 24))
    remote.load(home())
    with pytest.raises(ValueError, match=r"is not a valid Action|six actions"):
        remote.step(77)  # type: ignore[arg-type]
    assert remote.step(Action.TURN_LEFT).failure == ""  # and the worker lives on


def test_a_killed_worker_is_replaced_and_the_episode_goes_on(remote: RemoteSimulator, capfd: Any) -> None:
    here = MujocoSimulator((24, 24))
    for simulator in (here, remote):
        simulator.load(home())
        simulator.step(Action.TURN_LEFT)
        simulator.grab_release(instance(MUG))
    remote._link.process.kill()
    for simulator in (here, remote):
        simulator.step(Action.MOVE_FORWARD)
    assert remote.restarted == 1
    assert state(here) == state(remote) and remote.held == MUG
    assert "signal 9" in capfd.readouterr().err


def test_a_worker_that_dies_once_does_not_change_an_episode(tmp_path: Path) -> None:
    dying, steady = faulty("die", 3, tmp_path / "died"), MujocoSimulator((8, 8))
    for simulator in (dying, steady):
        simulator.load(home())
    for action in [Action.TURN_LEFT, Action.MOVE_FORWARD] * 4:
        assert dying.step(action) == steady.step(action)
    assert dying.restarted == 1 and state(dying) == state(steady)
    dying.close()


def test_a_closed_simulator_says_so_and_starts_no_worker(capfd: Any) -> None:
    simulator = RemoteSimulator((8, 8))
    simulator.load(home())
    process = simulator._link.process
    simulator.close()
    with pytest.raises(RuntimeError, match="the simulator is closed: 'path' cannot be answered"):
        simulator.path((0.0, -1.0))
    assert simulator.restarted == 0 and simulator._link.process is process and process.returncode == 0
    assert capfd.readouterr().err == ""


def test_closing_while_a_call_is_under_way_starts_no_worker(capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.housekeep.simulator.worker_link.GOING_SECONDS", 0.2)
    simulator = faulty("hang")
    simulator.load(home())
    closing = threading.Timer(0.3, simulator.close)
    closing.start()
    with pytest.raises(RuntimeError, match="the simulator is closed"):
        simulator.step(Action.TURN_LEFT)
    closing.join()
    assert simulator.restarted == 0 and "starting another one" not in capfd.readouterr().err


def test_a_worker_that_always_dies_is_an_error_with_its_last_lines() -> None:
    simulator = faulty("die", restarts=1)
    simulator.load(home())
    with pytest.raises(WorkerError, match=r"died during 'step' \(exit code 3\)[\s\S]*about to break: die"):
        simulator.step(Action.TURN_LEFT)
    assert simulator.restarted == 1
    simulator.close()


def test_a_hung_worker_is_killed_and_says_so() -> None:
    simulator = faulty("hang", restarts=0, call_seconds=0.5)
    simulator.load(home())
    process = simulator._link.process.pid
    with pytest.raises(WorkerError, match=r"hung: no answer to 'step' for 0.5 s[\s\S]*about to break: hang"):
        simulator.step(Action.TURN_LEFT)
    assert gone(process)
    simulator.close()


def test_a_fault_inside_the_world_shows_where() -> None:
    simulator = faulty("raise", restarts=0)
    simulator.load(home())
    with pytest.raises(WorkerError, match=r"failed inside[\s\S]*faulty_world.py[\s\S]*broken inside"):
        simulator.step(Action.TURN_LEFT)
    simulator.close()


PARENT = """
import sys
from apps.housekeep.simulator.remote import RemoteSimulator
from tests.apps.housekeep.small_home import home
simulator = RemoteSimulator((8, 8), sys.argv[1], {"how": "hang"} if "faulty" in sys.argv[1] else {})
simulator.load(home())
print(simulator._link.process.pid, flush=True)
simulator.step(1)
input()
"""


@pytest.mark.parametrize("world", [FAULTY, MUJOCO], ids=["stuck in a library", "idle"])
def test_a_worker_dies_with_its_parent(world: str) -> None:
    """The stuck one holds the interpreter's lock: no Python code of the worker could notice."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, world],
        cwd=Path(__file__).resolve().parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.3)
    assert Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    parent.kill()
    parent.communicate()
    assert gone(child)


def test_another_protocol_is_refused_in_one_line(tmp_path: Path) -> None:
    source = WORKER.read_text().replace("PROTOCOL = 1\n", "PROTOCOL = 7\n")
    assert "PROTOCOL = 7" in source
    (tmp_path / "worker.py").write_text(source)
    with pytest.raises(UserError, match="speaks protocol 7, this program protocol 1") as caught:
        WorkerLink(MUJOCO, {}, (8, 8), worker=tmp_path / "worker.py")
    assert "\n" not in str(caught.value)


def test_an_interpreter_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--habitat-python .* cannot be run"):
        RemoteSimulator((8, 8), python=tmp_path / "python")


def test_two_hundred_episodes_leave_nothing_behind(remote: RemoteSimulator) -> None:
    episodes = [*episodes_of(builtin_files()[0])[:20], home()]

    def use(rounds: int) -> tuple[int, int, int]:
        for i in range(rounds):
            remote.load(episodes[i % len(episodes)])
            remote.step(Action.TURN_LEFT)
            remote.visible()
            if i % 10 == 0:
                remote.render()
        process = remote._link.process.pid
        resident = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return resident, len(os.listdir(f"/proc/{process}/fd")), len(os.listdir("/proc/self/fd"))

    before, after = use(40), use(200)
    assert after[0] - before[0] < 8 * 2**20  # bytes; an apartment alone takes more
    assert after[1:] == before[1:]


def test_the_worker_needs_nothing_but_python_3_9_and_numpy() -> None:
    tree = ast.parse(WORKER.read_text(), feature_version=(3, 9))
    modules = {n.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names}
    modules |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules - set(sys.stdlib_module_names) == {"numpy"}


def test_what_does_not_fit_on_the_wire_is_refused() -> None:
    with pytest.raises(TypeError, match="does not go over the wire"):
        worker.plain(object())
    assert worker.plain(np.float64(0.1)) == 0.1 and worker.plain({3, 1}) == [1, 3]
    answer = worker.Server(object(), worker.frame_views(memory_of((2, 3)), (2, 3))).answer({"call": "__init__"})
    assert answer["error"]["kind"] == "value"


def memory_of(size: tuple[int, int]) -> Any:
    import mmap

    return mmap.mmap(-1, worker.memory_bytes(size))
