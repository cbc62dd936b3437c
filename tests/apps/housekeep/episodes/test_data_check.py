"""Folders of 3D data: what is found, what is said of what is not, and what is built."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.housekeep.config import DataConfig
from apps.housekeep.episodes.data_check import EPISODES, build_stages, main, missing_objects, state_of
from apps.housekeep.episodes.episode import Episode, Item
from apps.housekeep.simulator.glb import boxes, glb
from apps.housekeep.simulator.habitat_files import HabitatFiles
from apps.housekeep.simulator.scene_files import IGIBSON, SceneFiles
from apps.housekeep.simulator.wavefront import read_obj
from lmgt_core.errors import UserError
from tests.apps.housekeep.episodes.raw import raw_episode, write
from tests.apps.housekeep.habitat_double import boxes_of
from tests.apps.housekeep.small_home import BOOK, MUG, TABLE, home

SQUARE = "mtllib wall.mtl\nv 0 0 0\nv 1 0 0\nv 1 2 0\nv 0 2 0\nusemtl paint\nf 1/1 2/2 3/3 4/4\n"
CUBE = glb([boxes([(0, 0, 0)], [(0.5, 0.5, 0.5)], (1, 0, 0))])


def episode() -> Episode:
    """The small home with objects of the benchmark's kinds of files."""
    files = ("data/objects/mug.object_config.json", "data/google_object_dataset/b.object_config.json", "../escape.glb")
    items = tuple(Item(i.key, i.category, i.position, i.rotation, f) for i, f in zip(home().items, files, strict=True))
    return Episode(**{**vars(home()), "items": items})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with the mug, the table and a navigation mesh."""
    put(tmp_path / "data/objects/mug.glb", CUBE)
    put(tmp_path / "data/objects/mug.object_config.json", b'{"render_asset": "mug.glb"}')
    put(tmp_path / IGIBSON / "assets_assemble/Small_0_int/table_1/model.obj", SQUARE.encode())
    put(tmp_path / "navmesh/Small_0_int_9_approx.navmesh", b"far")
    put(tmp_path / "navmesh/Small_0_int_4_approx.navmesh", b"near")
    put(tmp_path / "escape.glb", CUBE)
    return tmp_path


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_what_is_there_is_found_and_counted(root: Path) -> None:
    layout = SceneFiles(root)
    state = state_of(layout, "Small_0_int", [episode()])
    assert (state.furniture, state.objects, state.complete) == ("1/3", "1/3", 0)
    assert state.stage == "generated from the episodes"
    mesh = layout.navmesh(episode())
    assert mesh is not None and mesh.read_bytes() == b"near"


def test_an_object_outside_the_root_is_not_there(root: Path) -> None:
    (root / "inner").mkdir()
    (root / "data").rename(root / "inner/data")
    assert SceneFiles(root / "inner").item(episode().items[2]) is None


def test_a_pointer_in_place_of_a_file_is_not_there(root: Path) -> None:
    layout = SceneFiles(root)
    assert layout.item(episode().items[MUG]) is not None
    put(root / "data/objects/mug.glb", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert layout.item(episode().items[MUG]) is None


def test_missing_models_name_their_source_and_how_many_episodes_they_touch(root: Path) -> None:
    found = missing_objects(SceneFiles(root), [episode(), home()])
    assert found["data/google_object_dataset"] == {"models": 1, "episodes": 1}
    assert "data/objects" not in found


def test_the_scale_table_serves_models_that_have_none(root: Path) -> None:
    table = {"mug": {"scale": np.array([0.5, 0.5, 0.25]), "rotation": [0, 0, 0, 1]}, "b": {"scale": "large"}}
    (root / "cos_eor/scripts/dump").mkdir(parents=True)
    np.save(root / "cos_eor/scripts/dump/scale_rots_all.npy", table, allow_pickle=True)  # type: ignore[arg-type]
    model = SceneFiles(root).item(episode().items[MUG])
    assert model is not None and model.scale == (0.5, 0.5, 0.25)
    put(root / "data/objects/mug.object_config.json", b'{"render_asset": "mug.glb", "scale": [2, 2, 2]}')
    model = SceneFiles(root).item(episode().items[MUG])
    assert model is not None and model.scale is None  # its configuration has one


def test_habitat_is_told_of_models_where_they_are_and_of_boxes_where_not(root: Path) -> None:
    files = HabitatFiles(root)  # its generated files live as long as it does
    told = files(episode())
    table, chest = told["receptacles"][TABLE], told["receptacles"][2]
    assert table["measured"] and json.loads(Path(table["config"]).read_text())["render_asset"].endswith("model.obj")
    assert table["position"] == list(home().receptacles[TABLE].position)
    assert not chest["measured"] and chest["scale"] == pytest.approx([0.8, chest["top"], 0.6])
    mug, book = told["items"][MUG], told["items"][BOOK]
    assert mug["config"] == str(root / "data/objects/mug.object_config.json") and mug["half"] is None
    assert book["scale"] == pytest.approx([2 * half for half in book["half"]])
    assert told["navmesh"].endswith("Small_0_int_4_approx.navmesh")


def test_a_stage_is_built_of_walls_floor_and_ceiling_with_y_up(root: Path) -> None:
    folder = root / IGIBSON / "scenes/Small_0_int/shape/visual"
    layout = SceneFiles(root)
    for part in ("wall", "floor_0"):
        put(folder / f"{part}_vm.obj", SQUARE.encode())
    assert list(build_stages(layout, ["Small_0_int"])) == []  # no ceiling: half a room is none
    box = "".join(f"v {x} {y} {z}\n" for x in (0, 1) for y in (0, 2) for z in (0, 3))
    faces = "f 1 2 4 3\nf 5 7 8 6\nf 1 5 6 2\nf 3 4 8 7\nf 1 3 7 5\nf 2 6 8 4\n"
    for part in ("wall", "floor_0", "ceiling"):
        put(folder / f"{part}_vm.obj", (box + faces).encode())
    (path,) = build_stages(layout, ["Small_0_int"])
    assert json.loads(path.with_name("Small_0_int.stage_config.json").read_text())["up"] == [0, 1, 0]
    assert boxes_of(path)[0].tolist() == [[0, 0, -2], [1, 3, 0]]
    assert layout.stage("Small_0_int") == path and list(build_stages(layout, ["Small_0_int"])) == []


def test_materials_give_colours_and_broken_files_one_line(tmp_path: Path) -> None:
    put(tmp_path / "a.obj", SQUARE.encode())
    put(tmp_path / "wall.mtl", b"newmtl paint\nKd 0.2 0.4 0.6\n")
    (mesh,) = read_obj(tmp_path / "a.obj")
    assert mesh.colour == (0.2, 0.4, 0.6)
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3]] and mesh.flat[1][0].tolist() == [0, 0, 1]
    for content in (
        "v 0 0\nf 1 2 3\n",
        "v 0 0 0\nf 1 2 9\n",
        "v a b c\n",
        "v nan 0 0\nf 1 1 1\n",
        "version https://git-lfs\n",
    ):
        put(tmp_path / "b.obj", content.encode())
        with pytest.raises(UserError, match=r"b\.obj"):
            read_obj(tmp_path / "b.obj")


def test_the_command_prints_what_to_download(root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no"):
        main(DataConfig(root))
    result = main(DataConfig(root, episodes=("builtin:val",), json=tmp_path / "rows.json"))
    said = capsys.readouterr().out
    assert "stage or furniture incomplete" in said and "git lfs pull" in said
    assert all(row["complete"] == 0 for row in result["scenes"]) and (tmp_path / "rows.json").is_file()


def test_a_root_without_data_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--root .* there is no folder"):
        main(DataConfig(tmp_path / "nowhere"))


def test_the_scenes_own_navigation_mesh_is_found_and_named(root: Path) -> None:
    scene = DataConfig(root, episodes=(str(put_episodes(root, "a.json", raw_episode())),))
    assert main(scene)["scenes"][0]["navmesh"] == "computed when loaded"
    put(root / IGIBSON / "scenes/Home_0_int_approx.navmesh", b"mesh")
    assert main(scene)["scenes"][0]["navmesh"] == "Home_0_int_approx.navmesh"
    put(root / "navmesh/Home_0_int_3_approx.navmesh", b"of this furniture")
    assert main(scene)["scenes"][0]["navmesh"] == "Home_0_int_3_approx.navmesh"


def put_episodes(root: Path, name: str, *raws: Any) -> Path:
    path = root / EPISODES / "val" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, *raws)


def test_the_table_comes_whatever_the_files_hold(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    useless = raw_episode(8) | {"recs_pos": None}
    put_episodes(root, "a.json.gz", raw_episode(7), useless, raw_episode(9) | {"objs_files": None})
    put_episodes(root, "b.json.gz", useless)
    put_episodes(root, "c.json.gz").write_bytes(b"<html>")
    (root / "cos_eor/scripts/dump").mkdir(parents=True)
    put(root / "cos_eor/scripts/dump/scale_rots_all.npy", b"no table")
    rows = main(DataConfig(root))["scenes"]
    out, err = capsys.readouterr()
    assert [(row["scene"], row["episodes"]) for row in rows] == [("Home_0_int", 2)]
    shown = " ".join(out.split())  # the table's title is wrapped by the width of a screen
    assert "3D data of 2 episodes" in shown and "scale_rots_all.npy: is not read" in shown
    left_out, nothing, page = err.splitlines()
    assert "a.json.gz: of 3 episodes 1 left out (the first: episode 8 (position 1): recs_pos" in left_out
    assert "objs_files: no models" in left_out and "b.json.gz: holds no usable episode" in nothing
    assert "c.json.gz: is not a sound gzip file" in page
    with pytest.raises(UserError, match=r"a\.json\.gz: episode 8 \(position 1\): recs_pos"):
        main(DataConfig(root, strict=True))


def test_a_root_without_any_usable_episode_is_told_after_the_table(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_episodes(root, "a.json.gz", raw_episode() | {"recs_pos": None})
    with pytest.raises(UserError, match="none of the episode files holds a usable episode"):
        main(DataConfig(root))
    assert "3D data of 0 episodes: no rows" in capsys.readouterr().out


def test_a_stage_whose_meshes_are_broken_is_named_and_the_others_are_built(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for scene, content in (("Broken_0_int", "v 0 0\n"), ("Home_0_int", SQUARE)):
        for part in ("wall", "floor_0", "ceiling"):
            put(root / IGIBSON / f"scenes/{scene}/shape/visual/{part}_vm.obj", content.encode())
    (path,) = build_stages(SceneFiles(root), ["Broken_0_int", "Home_0_int"])
    assert path.name == "Home_0_int.glb" and not SceneFiles(root).built_stage("Broken_0_int").exists()
    assert "Broken_0_int: no stage could be built" in capsys.readouterr().err
