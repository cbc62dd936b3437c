"""The MuJoCo world with furniture meshes: drawn where the boxes are, and nothing but the images changes."""

from pathlib import Path

import numpy as np
import pytest

from apps.housekeep.simulator.dressed import compiles, placed
from apps.housekeep.simulator.glb import Mesh, boxes
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import Action
from apps.housekeep.simulator.remote import RemoteSimulator
from apps.housekeep.simulator.scene_files import IGIBSON
from lmgt_core.errors import UserError
from tests.apps.housekeep.small_home import CHEST, MUG, SHELF, TABLE, home, instance
from tests.contracts.simulator import state


def write_box(path: Path, size: tuple[float, float, float]) -> None:
    """An .obj of a box of this size, off the origin."""
    mesh = boxes([(5, 5, 5)], [tuple(s / 2 for s in size)], (1, 0, 0))
    lines = [f"v {x} {y} {z}" for x, y, z in mesh.points.tolist()]
    lines += ["f " + " ".join(str(i + 1) for i in triangle) for triangle in mesh.triangles.tolist()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Meshes of the table and the chest, as large as their boxes; none of the shelf."""
    for name in ("table_1", "chest_2"):
        write_box(tmp_path / IGIBSON / f"assets_assemble/Small_0_int/{name}/model.obj", (0.8, 0.8, 0.6))
    return tmp_path


@pytest.fixture
def dressed(root: Path) -> MujocoSimulator:
    """The small home in its clothes, or a skip where there is no OpenGL."""
    simulator = MujocoSimulator((60, 60), "opengl", root=root)
    simulator.load(home())
    try:
        simulator.render()
    except UserError as error:
        pytest.skip(str(error))
    return simulator


@pytest.mark.filterwarnings("ignore:.*:Warning")  # GLFW warns before MuJoCo raises
def test_meshes_are_drawn_where_the_boxes_are(dressed: MujocoSimulator) -> None:
    plain = MujocoSimulator((60, 60))
    plain.load(home())
    assert dressed._gl.worn == {TABLE, CHEST}  # type: ignore[union-attr]
    for simulator in (plain, dressed):
        simulator.grab_release(instance(MUG))
        simulator.grab_release(1 + SHELF)
        simulator.step(Action.LOOK_UP)
    assert state(plain) == state(dressed)
    drawn, traced = dressed.render(), plain.render()
    assert (drawn.semantic == traced.semantic).mean() > 0.9  # a table's box has open legs, the mesh here has none
    assert set(np.unique(drawn.semantic)) == set(np.unique(traced.semantic))
    chest = (drawn.semantic == 1 + CHEST) & (traced.semantic == 1 + CHEST)
    assert chest.sum() > 20 and np.median(np.abs(drawn.depth - traced.depth)[chest]) < 0.05
    dressed.close()


def test_a_scene_without_furniture_is_refused_in_one_line_here_and_in_a_worker(root: Path) -> None:
    elsewhere = home()
    object.__setattr__(elsewhere, "scene", "Nowhere_0_int")
    remote = RemoteSimulator((8, 8), options={"renderer": "opengl", "root": str(root)})
    for simulator in (MujocoSimulator((8, 8), "opengl", root=root), remote):
        with pytest.raises(UserError, match="nothing is there of the scene Nowhere_0_int") as caught:
            simulator.load(elsewhere)
        assert "\n" not in str(caught.value)
        simulator.load(home())  # and another one is loaded all the same
    remote.close()


def test_meshes_want_opengl(root: Path) -> None:
    with pytest.raises(UserError, match="opengl"):
        MujocoSimulator((8, 8), root=root)


def test_a_mesh_is_turned_about_its_middle_and_put_at_its_position() -> None:
    table = home().receptacles[TABLE]
    tipped = type(table)(**{**vars(table), "rotation": (-(0.5**0.5), 0.0, 0.0, 0.5**0.5)})  # z up -> y up
    (mesh,) = placed([boxes([(3, 3, 3)], [(0.4, 0.3, 0.1)], (0.7, 0.7, 0.7))], tipped, (0.0, 0.0, 1.0))
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    assert (low + high) / 2 == pytest.approx(np.array(table.position), abs=1e-5)
    assert (high - low) / 2 == pytest.approx(np.array([0.4, 0.1, 0.3]), abs=1e-5)
    assert mesh.colour == (0.0, 0.0, 1.0)


def test_what_mujoco_refuses_keeps_its_box() -> None:
    assert compiles(boxes([(0, 0, 0)], [(1, 1, 1)], (1, 0, 0)))
    point = Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.uint32), (1, 0, 0))
    assert not compiles(point)
