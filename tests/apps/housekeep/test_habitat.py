"""The habitat-sim adapter: on a stand-in everywhere, and on a real build where LMGT_HABITAT_PYTHON names one.

Run on a real build with: LMGT_HABITAT_PYTHON=/path/to/python pytest tests/apps/housekeep/test_habitat.py
(and LMGT_HOUSEKEEP_ROOT=/path/to/the/benchmark for its own scenes).
"""

import ast
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from apps.housekeep.config import SimulatorConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.metrics import episode_metrics
from apps.housekeep.simulator.factory import check_scenes, check_simulator
from apps.housekeep.simulator.habitat_files import HabitatFiles
from apps.housekeep.simulator.habitat_remote import WORLD, HabitatSimulator
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import Action, Simulator, path_length
from apps.housekeep.simulator.remote import RemoteSimulator
from apps.housekeep.simulator.scene_files import IGIBSON
from apps.housekeep.skills import Kind, Skill, SkillRunner, candidates
from apps.housekeep.task import Task
from lmgt_core.errors import UserError
from tests.apps.housekeep.homes import builtin_files, episodes_of
from tests.apps.housekeep.small_home import BOOK, MUG, SHELF, home, instance
from tests.contracts.simulator import SimulatorContract, run

PYTHON = os.environ.get("LMGT_HABITAT_PYTHON", sys.executable)
ROOT = os.environ.get("LMGT_HOUSEKEEP_ROOT")
DOUBLE = "tests.apps.housekeep.habitat_double:make"


def has_habitat() -> bool:
    """Whether the interpreter imports habitat_sim; the usual one is only searched, not run."""
    if sys.executable == PYTHON:
        import importlib.util

        return importlib.util.find_spec("habitat_sim") is not None
    return subprocess.run([PYTHON, "-c", "import habitat_sim"], capture_output=True).returncode == 0


needs_habitat = pytest.mark.skipif(
    not has_habitat(), reason="habitat_sim is not importable; name an interpreter with LMGT_HABITAT_PYTHON"
)


class HabitatContract(SimulatorContract):
    """The simulators' contract on the adapter; two workers take turns."""

    world: ClassVar[str] = DOUBLE
    python: ClassVar[str] = sys.executable
    workers: ClassVar[list[HabitatSimulator]]

    @pytest.fixture(autouse=True, scope="class")
    def running(self) -> Iterator[None]:
        cls = type(self)
        cls.workers = [HabitatSimulator((42, 42), world=cls.world, python=cls.python, restarts=0) for _ in range(2)]
        yield
        for worker in cls.workers:
            worker.close()

    def make_simulator(self) -> Simulator:
        self.workers.reverse()
        return self.workers[0]


class TestHabitatAdapterOnTheStandIn(HabitatContract):
    pass


@needs_habitat
class TestHabitat(HabitatContract):
    world, python = WORLD, PYTHON


def tidied(simulator: Simulator, episode: Episode) -> dict[str, float | None]:
    """The metrics of tidying the episode by its truth, as far as it is seen."""
    task = Task(simulator)
    task.reset(episode)
    runner = SkillRunner(task)
    while not task.over:
        options = candidates(task)
        runner.run(next((skill for skill in wishes(task) if skill in options), Skill(Kind.LOOK)))
    return episode_metrics(task)


def wishes(task: Task) -> list[Skill]:
    """What would help now, the best first; where all floor was seen, a look at furniture that was seen from afar."""
    held, memory = task.held, task.memory
    search = [EXPLORE, *(Skill(Kind.GO, receptacle=k) for k in sorted(memory.receptacles - memory.visits.keys()))]
    if held is not None:
        goals = np.flatnonzero(task.episode.end[:, held]).tolist()
        return [*(Skill(Kind.PLACE, held, k) for k in goals), *(Skill(Kind.GO, receptacle=k) for k in goals), *search]
    wrong = [(n, on) for n, on in memory.item_on.items() if on is not None and not task.right[n]]
    picks = [Skill(Kind.PICK, n, on) for n, on in wrong]
    return [*picks, *(Skill(Kind.GO, receptacle=on) for _, on in wrong), *search]


EXPLORE = Skill(Kind.EXPLORE)


class Agreement:
    """Both simulators tell the same story of the same episode; override `world`, `python` and `episode`."""

    world: ClassVar[str] = DOUBLE
    python: ClassVar[str] = sys.executable
    root: ClassVar[Path | None] = None

    def episode(self) -> Episode:
        return home()

    @pytest.fixture
    def both(self) -> Iterator[tuple[Simulator, Simulator]]:
        """MuJoCo and habitat-sim at the start of the episode."""
        here = MujocoSimulator((84, 84))
        there = HabitatSimulator((84, 84), self.root, self.python, self.world, restarts=0)
        for simulator in (here, there):
            simulator.load(self.episode())
        yield here, there
        there.close()

    def test_the_same_things_and_the_same_floor_are_in_view(self, both: tuple[Simulator, Simulator]) -> None:
        """From the same places; rays find both, in the home of boxes."""
        for actions in ([], [Action.TURN_LEFT] * 2, [Action.LOOK_UP, Action.LOOK_UP], [Action.TURN_RIGHT] * 5):
            for simulator in both:
                run(simulator, actions)
            here, there = (simulator.visible() for simulator in both)
            assert here == there
            cells = [simulator.floor_cells()[simulator.seen_floor()] for simulator in both]
            here, there = ({tuple(cell) for cell in some.round(3).tolist()} for some in cells)
            assert len(here ^ there) <= 0.1 * len(here | there)  # the edges of a grid and of a mesh

    def test_what_rays_find_is_what_the_image_shows(self, both: tuple[Simulator, Simulator]) -> None:
        shared = either = 0
        for n in range(18):
            run(both[1], [Action.TURN_LEFT, *([Action.MOVE_FORWARD] * (n % 3))])
            rays, image = both[1].visible(), set(np.unique(both[1].render().semantic).tolist()) - {0}
            shared, either = shared + len(rays & image), either + len(rays | image)
        assert shared >= 0.8 * either > 0

    def test_the_same_places_are_reachable(self, both: tuple[Simulator, Simulator]) -> None:
        for receptacle in both[0].episode.receptacles:
            here, there = (path_length(simulator.path(receptacle.nav_position)) for simulator in both)
            assert math.isfinite(here) and math.isfinite(there)
            assert there <= 1.5 * here + 0.5 and here <= 1.5 * there + 0.5

    def test_who_tidies_by_what_is_seen_ends_with_the_same_metrics(self, both: tuple[Simulator, Simulator]) -> None:
        """Every skill is chosen anew: ways on a grid and on a mesh differ by centimetres, and a thing that was in view
        from one can be hidden from the other, so that one list of skills does not do in both."""
        here, there = (tidied(simulator, self.episode()) for simulator in both)
        assert here["object_success"] == 1.0
        for name in ("object_success", "episode_success", "misplaced_found", "net_success"):
            assert here[name] == there[name]

    def test_picks_and_places_give_the_same_results(self, both: tuple[Simulator, Simulator]) -> None:
        first = 1 + len(both[0].episode.receptacles)
        for actions in ([], [Action.TURN_LEFT] * 9):
            for simulator in both:
                run(simulator, actions)
            near = [i for i in range(1, first + len(both[0].episode.items)) if i in both[0].visible()]
            for named in [*near, 1, first]:
                assert both[0].grab_release(named) == both[1].grab_release(named)


class TestAgreementOfTheStandIn(Agreement):
    pass


@needs_habitat
class TestAgreement(Agreement):
    world, python = WORLD, PYTHON


class BuiltinHome(Agreement):
    """In a home where a mirror hangs in the only doorway that is inferred for the bedroom."""

    def episode(self) -> Episode:
        return episodes_of(builtin_files()[0])[0]


class TestAgreementOfTheStandInOnABuiltinHome(BuiltinHome):
    pass


@needs_habitat
class TestAgreementOnABuiltinHome(BuiltinHome):
    world, python = WORLD, PYTHON


@pytest.mark.parametrize("path", builtin_files(), ids=lambda path: path.name.partition(".")[0])
def test_every_builtin_home_has_the_same_ways_in_both(path: Path) -> None:
    episode = episodes_of(path)[0]
    here, there = MujocoSimulator((8, 8)), HabitatSimulator((8, 8), world=DOUBLE, restarts=0)
    for simulator in (here, there):
        simulator.load(episode)
    ways = [[path_length(s.path(r.nav_position)) for r in episode.receptacles] for s in (here, there)]
    there.close()
    assert np.allclose(*ways, rtol=0.1, atol=0.1)  # metres: MuJoCo also walks close by, through what covers a place


@pytest.mark.slow
@pytest.mark.parametrize("path", builtin_files(), ids=lambda path: path.name.partition(".")[0])
def test_who_tidies_by_what_is_seen_ends_alike_in_every_builtin_home(path: Path) -> None:
    world = WORLD if has_habitat() else DOUBLE
    here, there = MujocoSimulator((8, 8)), HabitatSimulator((8, 8), None, PYTHON, world, restarts=0)
    for episode in episodes_of(path)[:4]:
        ends = [tidied(simulator, episode)["object_success"] for simulator in (here, there)]
        assert ends == [1.0, 1.0]
    there.close()


def test_a_home_is_tidied_by_skills_without_a_single_image() -> None:
    simulator = HabitatSimulator((8, 8), world=f"{DOUBLE}_blind", restarts=0)
    assert tidied(simulator, home())["object_success"] == 1.0
    with pytest.raises(RuntimeError, match="an image was asked for"):
        simulator.render()
    simulator.close()


def with_a_shell_of_its_own(root: Path, episode: Episode) -> Path:
    """A root under which the generated shell of the episode's scene passes for the benchmark's."""
    files, folder = HabitatFiles(None), root / IGIBSON / "scenes"
    generated = Path(files(episode)["stage"])
    folder.mkdir(parents=True)
    for ending in (".glb", ".stage_config.json"):
        shutil.copy(generated.with_suffix(ending), folder / f"{episode.scene}{ending}")
    return root


def test_under_a_shell_of_its_own_rays_against_the_stage_say_what_walls_hide(tmp_path: Path) -> None:
    episode = episodes_of(builtin_files()[0])[0]
    roots = (None, with_a_shell_of_its_own(tmp_path, episode))
    inferred, own = (HabitatSimulator((8, 8), root, world=DOUBLE, restarts=0) for root in roots)
    shown, floor = np.zeros(2), np.zeros(2)
    for simulator in (inferred, own):
        simulator.load(episode)
    for n in range(18):
        for simulator in (inferred, own):
            run(simulator, [Action.TURN_LEFT, *([Action.MOVE_FORWARD] if n % 6 == 5 else [])])
        pairs = ((shown, [s.visible() for s in (inferred, own)]), (floor, [s.seen_floor() for s in (inferred, own)]))
        for counts, (here, there) in pairs:
            counts += len(set(here) & set(there)), len(set(here) | set(there))
    for simulator in (inferred, own):
        simulator.close()
    assert shown[0] >= 0.9 * shown[1] > 20 and floor[0] >= 0.9 * floor[1] > 100


@needs_habitat
@pytest.mark.slow
def test_many_episodes_of_the_benchmark_leave_nothing_behind() -> None:
    """Real scenes, one after another: needs LMGT_HOUSEKEEP_ROOT."""
    if ROOT is None:
        pytest.skip("LMGT_HOUSEKEEP_ROOT names no folder with the benchmark's data")
    from apps.housekeep.episodes.load import load_many

    files = sorted((Path(ROOT) / "data/datasets/cos_eor_v11_pruned").glob("*/*.json.gz"))
    episodes = [e for f in files for e in load_many([f], "0:20")]
    simulator = HabitatSimulator((84, 84), Path(ROOT), PYTHON, restarts=0)
    sizes = []
    for _ in range(3):
        for episode in episodes:
            simulator.load(episode)
            simulator.step(Action.MOVE_FORWARD)
            simulator.render()
        statm = Path(f"/proc/{simulator._link.process.pid}/statm").read_text()
        sizes.append(int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    assert sizes[2] - sizes[1] < 64 * 2**20
    simulator.close()


def test_what_runs_in_the_worker_parses_under_python_3_9_and_needs_little() -> None:
    folder = Path(RemoteSimulator.__module__.replace(".", "/")).parent
    root = Path(__file__).resolve().parents[3]
    todo, seen = ["habitat_world"], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        tree = ast.parse((root / folder / f"{name}.py").read_text(), feature_version=(3, 9))
        assert any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body), name
        typing_only = {id(x) for n in tree.body if isinstance(n, ast.If) for x in ast.walk(n)}
        for node in ast.walk(tree):
            if id(node) in typing_only or not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
            if module.startswith("apps.housekeep.simulator."):
                todo.append(module.rpartition(".")[2])
            else:
                assert module.split(".")[0] in {*sys.stdlib_module_names, "numpy", "habitat_sim", "magnum"}, module
            assert not [k for k in ast.walk(node) if isinstance(k, ast.Match)]
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "zip"]
        assert not [c for c in calls if any(k.arg == "strict" for k in c.keywords)], f"{name}: zip(strict=) is 3.10"
    assert {"habitat_scene", "habitat_walk", "protocol", "surfaces", "geometry"} <= seen


@pytest.fixture
def stand_in() -> Iterator[None]:
    """habitat_sim as the double, in this process, until the test is over."""
    from tests.apps.housekeep.habitat_double import install

    before = set(sys.modules)
    install()
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("habitat_sim", "magnum", "apps.housekeep.simulator.habitat_")):
            del sys.modules[name]


@pytest.mark.usefixtures("stand_in")
def test_a_scene_is_kept_between_its_episodes_and_made_anew_for_another() -> None:
    from apps.housekeep.simulator.episode_wire import to_wire
    from apps.housekeep.simulator.habitat_world import HabitatWorld

    world, files = HabitatWorld((8, 8)), HabitatFiles(None)

    def load(episode: Episode) -> None:
        world.load_message({"episode": to_wire(episode), "files": files(episode)})

    load(home())
    table = world.scene._furniture[1][1]
    load(home({MUG: SHELF}))
    assert world.scene._furniture[1][1] is table
    assert len(world.scene.sim.objects.things) == 6
    load(episodes_of(builtin_files()[0])[0])
    load(home())
    assert len(world.scene.sim.objects.things) == len(world.scene.instance_of) == 6
    assert world.grab_release(instance(BOOK)).picked == BOOK
    world.close()


def test_the_flag_without_habitat_sim_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    if sys.executable == PYTHON and not has_habitat():
        with pytest.raises(UserError, match="--habitat-python PATH"):
            check_simulator(SimulatorConfig(simulator="habitat"))
    with pytest.raises(UserError, match="cannot be run"):
        check_simulator(SimulatorConfig(simulator="habitat", habitat_python=tmp_path / "python"))
    with pytest.raises(UserError, match="goes with --simulator habitat"):
        check_simulator(SimulatorConfig(habitat_python=tmp_path / "python"))
    with pytest.raises(UserError, match="--root"):
        check_simulator(SimulatorConfig(root=tmp_path))


def test_a_missing_scene_is_one_line_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    simulator = RemoteSimulator((8, 8), files=HabitatFiles(tmp_path))
    with pytest.raises(UserError, match=r"nothing is there of the scene Small_0_int") as caught:
        simulator.load(home())
    assert "\n" not in str(caught.value)
    simulator.close()
    for name in ("mujoco", "habitat"):
        with pytest.raises(UserError, match=r"--root.*Small_0_int"):
            check_scenes(SimulatorConfig(simulator=name, root=tmp_path), [home()])  # type: ignore[arg-type]


def test_generated_shells_close_the_room_and_say_which_way_is_up() -> None:
    from tests.apps.housekeep.habitat_double import boxes_of

    files = HabitatFiles(None)
    stage = Path(files(home())["stage"])
    assert stage.with_name(stage.stem + ".stage_config.json").is_file()
    slabs = boxes_of(stage)
    assert slabs[0, 1, 1] == 0.0  # the floor's top
    assert slabs[:, 1, 1].max() > 2.5
    middle = np.array([0.0, 1.0, 0.0])
    assert not ((slabs[:, 0] < middle) & (middle < slabs[:, 1])).all(axis=1).any()
