"""The simulator on MuJoCo, on a small home, on built-in homes and on real ones."""

import math
import sys
from collections.abc import Callable

import mujoco
import numpy as np
import pytest

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.mujoco_world import MujocoSimulator, wrapped, yaw_of
from apps.housekeep.simulator.opengl import lacks_display
from apps.housekeep.simulator.protocol import Action, Simulator
from lmgt_core.errors import UserError
from tests.apps.housekeep.homes import builtin_files, distinct_homes, real_files, sample
from tests.apps.housekeep.small_home import MUG, TABLE, home, instance
from tests.contracts.simulator import SimulatorContract
from tests.shared_data import needs_shared

WHICH = [pytest.param(builtin_files, id="builtin"), pytest.param(real_files, id="real", marks=needs_shared)]


class TestMujocoSimulator(SimulatorContract):
    def make_simulator(self) -> Simulator:
        return MujocoSimulator((42, 42))


def stand(simulator: MujocoSimulator, x: float, z: float, yaw: float, tilt: int = -20) -> None:
    """Puts the agent there without walking."""
    simulator._x, simulator._z, simulator._yaw, simulator._tilt = float(x), float(z), yaw, tilt
    simulator._looked()


def random_poses(simulator: MujocoSimulator, rng: np.random.Generator, count: int) -> list[tuple[float, float, float]]:
    cells = simulator.floor_cells()
    return [(*cells[rng.integers(len(cells))], float(rng.uniform(-math.pi, math.pi))) for _ in range(count)]


def distance_by_boxes(simulator: MujocoSimulator, eye: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(distance, geom) to the nearest geom's bounding box, by the slab method: independent of MuJoCo."""
    scene = simulator._scene
    best, who = np.full(len(rays), np.inf), np.full(len(rays), -1)
    with np.errstate(divide="ignore"):
        inverse = 1 / rays
    for geom in range(scene.built.model.ngeom):
        a = (scene.centre[geom] - scene.half[geom] - eye) * inverse
        b = (scene.centre[geom] + scene.half[geom] - eye) * inverse
        enter, leave = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
        reached = np.where(enter > 0, enter, leave)
        nearer = (enter <= leave) & (leave > 0) & (reached < best)
        best[nearer], who[nearer] = reached[nearer], geom
    return best, who


@pytest.mark.parametrize("files", WHICH)
def test_an_image_agrees_with_boxes_intersected_by_hand(files: Callable[[], list]) -> None:
    """Tiles, culling, fitted heights and moved objects lose nothing: every pixel on a box has the box's distance."""
    simulator, rng, compared = MujocoSimulator((24, 24)), np.random.default_rng(0), 0
    for episode in sample(files(), 3):
        simulator.load(episode)
        for x, z, yaw in random_poses(simulator, rng, 2):
            stand(simulator, x, z, yaw, -10)
            expected, geom = distance_by_boxes(simulator, simulator._eye, simulator._raster.rays @ simulator._axes)
            on_box = simulator._scene.built.model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX
            depth = simulator.render().depth.ravel()[simulator._raster.order]
            assert np.abs(depth - expected)[on_box].max() < 1e-3
            compared += int(on_box.sum())
    assert compared > 1000


@pytest.mark.parametrize("files", WHICH)
def test_visible_agrees_with_the_image(files: Callable[[], list]) -> None:
    simulator, rng = MujocoSimulator((84, 84)), np.random.default_rng(1)
    large = found = listed = hit = 0
    for episode in sample(files(), 4):
        simulator.load(episode)
        for x, z, yaw in random_poses(simulator, rng, 8):
            stand(simulator, x, z, yaw, int(rng.choice([-30, -20, -10, 0])))
            frame, visible = simulator.render(), simulator.visible()
            ids, pixels = np.unique(frame.semantic[frame.depth < 9.5], return_counts=True)
            shown = set(ids[(pixels >= 12) & (ids > 0)].tolist())
            large, found = large + len(shown), found + len(shown & visible)
            listed, hit = listed + len(visible), hit + len(visible & set(np.unique(frame.semantic).tolist()))
    assert found / large >= 0.97
    assert hit / listed >= 0.93  # the others are smaller than a pixel


def sees(simulator: MujocoSimulator, n: int, x: float, z: float) -> bool:
    """Whether object `n` is visible from (x, z) under a heading that turns can reach."""
    at = simulator.item_position(n)
    wish = math.atan2(-(at[0] - x), -(at[2] - z))
    start = yaw_of(simulator.episode.start_rotation)
    yaw = start + math.radians(20) * round((wish - start) / math.radians(20))
    for tilt in (-20, -30, -10, 0, 10, 20, 30):
        stand(simulator, x, z, yaw, tilt)
        if 1 + len(simulator.episode.receptacles) + n in simulator.visible():
            return True
    return False


@pytest.mark.parametrize("files", WHICH)
def test_every_object_can_be_seen_and_picked_from_near_its_receptacle(files: Callable[[], list]) -> None:
    simulator, rng = MujocoSimulator((8, 8)), np.random.default_rng(2)
    objects = from_standing_place = from_near = picked = 0
    for episode in sample(files(), 4):
        simulator.load(episode)
        cells = simulator.floor_cells()
        for n in range(len(episode.items)):
            objects += 1
            x, z = simulator.apartment.furniture[int(episode.start_receptacle[n])].nav
            at = simulator.item_position(n)
            near = cells[np.hypot(cells[:, 0] - at[0], cells[:, 1] - at[2]) < 2.8]
            if sees(simulator, n, x, z):
                from_standing_place += 1
                from_near += 1
            else:
                from_near += any(sees(simulator, n, cx, cz) for cx, cz in rng.permutation(near)[:60])
            result = simulator.grab_release(1 + len(episode.receptacles) + n)
            picked += result.picked == n
            simulator.load(episode)
    assert from_standing_place / objects >= 0.9
    assert from_near / objects >= 0.99
    assert picked / objects >= 0.97


@pytest.mark.parametrize("files", WHICH)
def test_objects_start_within_a_millimetre_of_the_data(files: Callable[[], list]) -> None:
    simulator = MujocoSimulator((8, 8))
    for episode in sample(files(), 10):
        simulator.load(episode)
        built = simulator._scene.built
        drawn = built.data.geom_xpos[built.first_item : built.first_item + len(episode.items)]
        assert np.abs(drawn - [item.position for item in episode.items]).max() < 1e-3


@pytest.mark.parametrize("files", WHICH)
def test_a_walking_agent_never_enters_an_obstacle_or_leaves_the_home(files: Callable[[], list]) -> None:
    simulator, rng = MujocoSimulator((8, 8)), np.random.default_rng(4)
    for episode in distinct_homes(files()):
        simulator.load(episode)
        apartment, walk = simulator.apartment, simulator.walk
        rects = [f.rect for f in apartment.furniture if f.obstacle] + [w.rect for w in apartment.walls]
        walked = 0.0
        for action in rng.choice([0, 0, 0, 1, 2], size=1500):
            before = simulator.pose.position
            result = simulator.step(Action(int(action)))
            x, _, z = simulator.pose.position
            moved = math.hypot(x - before[0], z - before[2])
            walked += moved
            if action == Action.MOVE_FORWARD:
                assert result.collided == (moved < 0.25 - 1e-6)
            assert any(s.rect.x0 < x < s.rect.x1 and s.rect.z0 < z < s.rect.z1 for s in apartment.spaces)
            clear = min(math.dist((x, z), r.nearest(x, z)) for r in rects)
            assert clear > 0.14 or walk.freed[walk.grid.cell(x, z)]  # 0.18 m, less half a cell's diagonal
        assert walked > 20


def test_a_change_of_episode_keeps_the_apartment_and_forgets_the_last_one() -> None:
    a, b = sample(builtin_files()[:1], 2)
    used, fresh = MujocoSimulator((30, 30)), MujocoSimulator((30, 30))
    used.load(a)
    scene = used._scene
    used.load(b)
    assert used._scene is scene
    used.step(Action.MOVE_FORWARD)
    used.load(a)
    fresh.load(a)
    assert (used.render().rgb == fresh.render().rgb).all()
    assert (used.render().semantic == fresh.render().semantic).all()


def test_a_home_with_more_objects_than_the_pool_is_built_for_them() -> None:
    crowd, many = home(), 30
    start = np.zeros((3, many), bool)
    start[TABLE] = True
    episode = Episode(**{**vars(crowd), "items": crowd.items[:1] * many, "start": start, "end": ~start})
    simulator = MujocoSimulator((8, 8))
    simulator.load(episode)
    assert simulator.receptacle_of(many - 1) == TABLE
    assert simulator.grab_release(1 + 3 + many - 1).picked == many - 1


def test_an_object_lower_than_the_inferred_top_lowers_the_furniture() -> None:
    low = home()
    buried = Episode(**{**vars(low), "items": (_at_height(low, 0.6), *low.items[1:])})
    simulator = MujocoSimulator((8, 8))
    simulator.load(low)
    inferred = float(simulator._scene.tops[TABLE])
    simulator.load(buried)
    assert simulator._scene.tops[TABLE] == pytest.approx(0.57) and inferred > 0.6
    assert simulator.item_position(MUG)[1] == 0.6
    assert instance(MUG) in simulator.visible()
    simulator.load(low)
    assert simulator._scene.tops[TABLE] == inferred


def _at_height(episode: Episode, y: float):  # type: ignore[no-untyped-def]
    mug = episode.items[MUG]
    return type(mug)(mug.key, mug.category, (mug.position[0], y, mug.position[2]), mug.rotation, mug.file)


def test_asking_before_an_episode_is_loaded_says_so() -> None:
    with pytest.raises(RuntimeError, match="load"):
        _ = MujocoSimulator().episode


def test_an_unknown_renderer_or_size_is_one_line() -> None:
    with pytest.raises(UserError, match="rays"):
        MujocoSimulator(renderer="vulkan")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="size"):
        MujocoSimulator((0, 84))


def test_missing_opengl_is_one_line_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_context(*_: object) -> None:
        raise RuntimeError("an OpenGL platform library has not been loaded\nsecond line")

    monkeypatch.setattr(mujoco, "Renderer", no_context)
    monkeypatch.setenv("MUJOCO_GL", "egl")
    simulator = MujocoSimulator((8, 8), renderer="opengl")
    simulator.load(home())
    with pytest.raises(UserError, match="MUJOCO_GL") as caught:
        simulator.render()
    assert "\n" not in str(caught.value)
    assert simulator.visible()  # all but images works


@pytest.mark.parametrize(
    ("environment", "lacks"),
    [({}, True), ({"MUJOCO_GL": "glfw"}, True), ({"MUJOCO_GL": "EGL "}, False), ({"DISPLAY": ":0"}, False)],
)
def test_no_window_is_asked_for_where_there_is_no_display(environment: dict[str, str], lacks: bool) -> None:
    assert lacks_display(environment) == (lacks and sys.platform == "linux")


@pytest.mark.filterwarnings("ignore:.*:Warning")  # GLFW warns before MuJoCo raises
def test_opengl_shows_what_the_rays_see() -> None:
    rays, opengl = MujocoSimulator((60, 60)), MujocoSimulator((60, 60), renderer="opengl")
    rays.load(home())
    opengl.load(home())
    try:
        drawn = opengl.render()
    except UserError as error:
        pytest.skip(str(error))
    traced = rays.render()
    assert (drawn.semantic == traced.semantic).mean() > 0.99
    assert np.median(np.abs(drawn.depth - traced.depth)) < 0.01
    opengl.close()


@pytest.mark.parametrize("degrees", [-170, -90, -20, 0, 45, 90, 135, 180])
def test_a_heading_survives_the_quaternion(degrees: int) -> None:
    half = math.radians(degrees) / 2
    assert yaw_of((0.0, math.sin(half), 0.0, math.cos(half))) == pytest.approx(wrapped(math.radians(degrees)))
