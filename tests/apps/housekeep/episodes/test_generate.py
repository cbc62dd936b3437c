"""Generated apartments: the format, the geometry, the common sense, and that a seed decides everything."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import label

from apps.housekeep.config import GenerateConfig
from apps.housekeep.episodes.episode import Episode, Receptacle
from apps.housekeep.episodes.floor_plan import DOORWAY, FloorPlan, draw_plan
from apps.housekeep.episodes.furnish import KINDS, furnish
from apps.housekeep.episodes.generate import BUILTIN_SET, generate, main
from apps.housekeep.episodes.load import BUILTIN_FOLDER, load_episodes
from apps.housekeep.knowledge.common_sense import HOLDERS, OBJECTS, PLACES, PLACES_OF, SIZE, SPLITS, belongs
from apps.housekeep.simulator.geometry import Rect
from apps.housekeep.simulator.grid import Grid
from apps.housekeep.simulator.protocol import AGENT_RADIUS_METRES, REACH_METRES
from lmgt_core.errors import UserError
from tests.shared_data import HOUSEKEEP, needs_shared

FLAT = ("window", "door", "mirror", "picture", "towel_rack")  # on walls
OVERHEAD = (*FLAT, "top_cabinet", "carpet")  # one walks beneath, beside or over them


@pytest.fixture(scope="module")
def builtin() -> dict[str, list[Episode]]:
    """The committed episodes by file."""
    return {path.name.partition(".")[0]: load_episodes(path) for path in sorted(BUILTIN_FOLDER.glob("*.json.gz"))}


def unpacked(folder: Path) -> dict[str, bytes]:
    return {path.name: gzip.decompress(path.read_bytes()) for path in sorted(folder.glob("*.json.gz"))}


def footprint(receptacle: Receptacle) -> Rect:
    x, z, dx, dz = receptacle.footprint
    return Rect(x, z, x + dx, z + dz)


def test_the_committed_files_are_what_their_settings_generate(tmp_path: Path) -> None:
    generate(tmp_path, BUILTIN_SET.scenes, BUILTIN_SET.episodes, BUILTIN_SET.seed)
    assert unpacked(tmp_path) == unpacked(BUILTIN_FOLDER)  # other builds of zlib pack the same text differently
    assert sum(path.stat().st_size for path in BUILTIN_FOLDER.iterdir()) < 600_000


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_home(tmp_path: Path) -> None:
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        generate(tmp_path / folder, 1, 2, seed)
    a, b, c = ((tmp_path / folder / "train_home_0.json.gz").read_bytes() for folder in "abc")
    assert a == b and a != c


def test_more_episodes_do_not_change_the_first_ones(tmp_path: Path) -> None:
    few = load_episodes(generate(tmp_path / "few", 1, 2, 7)[0])
    many = load_episodes(generate(tmp_path / "many", 1, 4, 7)[0])
    assert [e.items for e in few] == [e.items for e in many[:2]]


@pytest.mark.parametrize(("scenes", "evaluation"), [(1, 0), (2, 1), (6, 2)])
def test_the_last_third_of_the_scenes_is_for_evaluation(tmp_path: Path, scenes: int, evaluation: int) -> None:
    names = [path.name for path in generate(tmp_path, scenes, 1, 3)]
    train = [f"train_home_{i}.json.gz" for i in range(scenes - evaluation)]
    assert names == train + [f"val_home_{i}.json.gz" for i in range(scenes - evaluation, scenes)]


@pytest.mark.parametrize("flag", ["scenes", "episodes", "seed"])
def test_a_number_that_makes_no_sense_names_its_flag(tmp_path: Path, flag: str) -> None:
    with pytest.raises(UserError, match=f"--{flag} -1"):
        main(GenerateConfig(**({"out": tmp_path} | {flag: -1})))


def test_counts_are_like_those_of_the_benchmark(builtin: dict[str, list[Episode]]) -> None:
    assert (
        sum(name.startswith("train") for name in builtin) >= 2 and sum(name.startswith("val") for name in builtin) >= 1
    )
    for episodes in builtin.values():
        assert 20 <= len(episodes[0].receptacles) <= 35
        assert {len(e.items) for e in episodes} == {7, 8, 9, 10}
        assert {int(e.misplaced.sum()) for e in episodes} == {3, 4, 5}
        assert 3.7 < np.mean([e.misplaced.sum() for e in episodes]) < 4.3
        assert 2 < np.mean([e.end.sum(axis=0).mean() for e in episodes]) < 8
        assert 150 < np.mean([e.oracle_steps for e in episodes]) < 500
        rooms = {r.room for r in episodes[0].receptacles}
        assert 4 <= len(rooms - {""}) <= 6 and {"kitchen", "bathroom", "bedroom", "living_room", ""} <= rooms
        assert {r.category for r in episodes[0].receptacles if not r.room_id} == {"window", "door"}


def test_training_and_evaluation_share_no_object(builtin: dict[str, list[Episode]]) -> None:
    for name, episodes in builtin.items():
        objects = {item.category for e in episodes for item in e.items}
        split = set(SPLITS["train" if name.startswith("train") else "test"])
        assert objects <= split
        assert len(objects) > 0.75 * len(split)


def test_end_matrices_follow_the_table(builtin: dict[str, list[Episode]]) -> None:
    for episodes in builtin.values():
        for e in episodes[:20]:
            expected = [[belongs(item.category, r.place) for item in e.items] for r in e.receptacles]
            assert e.end.tolist() == expected
            assert e.end.any(axis=0).all()


def reachable(e: Episode) -> tuple[Grid, np.ndarray]:
    """Floor that an agent reaches from the start past the furniture (walls are not in the file)."""
    boxes = [footprint(r) for r in e.receptacles]
    bounds = Rect(
        min(b.x0 for b in boxes), min(b.z0 for b in boxes), max(b.x1 for b in boxes), max(b.z1 for b in boxes)
    )
    grid = Grid.over(bounds)
    standing = [footprint(r) for r in e.receptacles if r.category not in OVERHEAD]
    free = ~grid.near(standing, AGENT_RADIUS_METRES)
    labels, _ = label(free)
    return grid, (labels == labels[grid.cell(e.start_position[0], e.start_position[2])]) & free


def test_every_receptacle_is_in_reach_of_a_standing_place_that_the_start_is_joined_to(
    builtin: dict[str, list[Episode]],
) -> None:
    for episodes in builtin.values():
        e = episodes[0]
        grid, free = reachable(e)
        for r in e.receptacles:
            x, y, z = r.nav_position
            near = footprint(r).nearest(x, z)
            assert free[grid.cell(x, z)], r.key
            assert y == pytest.approx(0.146)
            assert 0.25 < math.dist(near, (x, z)) < 2.0 < REACH_METRES
            centre = (r.position[0], r.position[2])
            assert math.dist(centre, (x, z)) < REACH_METRES


@pytest.mark.parametrize("seed", range(6))
def test_walls_leave_every_standing_place_reachable(seed: int) -> None:
    rng = np.random.default_rng([99, seed])
    plan, furnished = None, None
    while furnished is None:
        plan = draw_plan(rng)
        furnished = furnish(plan, rng)
    assert plan is not None
    pieces, start = furnished
    rects = [room.rect for room in plan.rooms]
    grid = Grid.over(Rect(0.0, 0.0, max(r.x1 for r in rects), max(r.z1 for r in rects)))
    solid = [p.rect for p in pieces if p.category not in OVERHEAD] + [wall.rect(0.05) for wall in plan.walls]
    labels, _ = label(grid.near(rects, 1e-6) & ~grid.near(solid, AGENT_RADIUS_METRES))
    home = labels[grid.cell(*start)]
    assert home > 0
    assert all(labels[grid.cell(*p.standing)] == home for p in pieces)
    assert not any(p.rect.overlaps(door.rect(0.4)) for p in pieces for door in plan.doorways if p.category != "carpet")
    check_rooms(plan)


def check_rooms(plan: FloorPlan) -> None:
    """Rooms tile the plan without overlap, and a doorway of 0.9 m or more leads into every one."""
    assert 4 <= len(plan.rooms) <= 6
    for i, room in enumerate(plan.rooms):
        assert not any(room.rect.overlaps(other.rect) for other in plan.rooms[i + 1 :])
        assert any(room.rect.overlaps(door.rect(0.05)) for door in plan.doorways)
    assert DOORWAY >= 0.9 and len(plan.doorways) == len(plan.rooms) - 1
    assert all(door.high - door.low == pytest.approx(DOORWAY) for door in plan.doorways)


def test_furniture_stands_in_its_room_and_nothing_stands_in_another_thing(builtin: dict[str, list[Episode]]) -> None:
    for episodes in builtin.values():
        standing = [r for r in episodes[0].receptacles if r.category not in (*FLAT, "top_cabinet")]
        for i, r in enumerate(standing):
            assert not any(footprint(r).overlaps(footprint(other)) for other in standing[i + 1 :]), r.key
            assert r.position[1] > 0 and r.key.startswith(f"{r.room_id}-{r.category}_")


def test_objects_rest_inside_the_top_of_their_receptacle(builtin: dict[str, list[Episode]]) -> None:
    for episodes in builtin.values():
        for e in episodes[:20]:
            for item, k in zip(e.items, e.start_receptacle, strict=True):
                r = e.receptacles[k]
                width, depth, height = SIZE[item.category]
                turned = abs(item.rotation[1]) > 0.5
                x, z = (depth, width) if turned else (width, depth)
                on = Rect(
                    item.position[0] - x / 2,
                    item.position[2] - z / 2,
                    item.position[0] + x / 2,
                    item.position[2] + z / 2,
                )
                top = footprint(r)
                assert top.x0 <= on.x0 and on.x1 <= top.x1 and top.z0 <= on.z0 and on.z1 <= top.z1
                rests_at = item.position[1] - height / 2
                assert 0 < rests_at <= (2.25 if r.category == "top_cabinet" else 2 * r.position[1] + 0.05)


def test_objects_on_one_receptacle_do_not_overlap_and_lie_in_its_occupied_strips() -> None:
    for path in sorted(BUILTIN_FOLDER.glob("*.json.gz")):
        for e in raw(path)[:20]:
            packers: dict[str, Any] = e["recs_packers"]
            assert sum(len(p["matches"]) for p in packers.values()) == len(e["objs_keys"])
            for packer in packers.values():
                for shelf in packer["shelves"]:
                    edges = [edge for space in shelf["spaces"] for edge in space["dims"]]
                    assert edges == sorted(edges)
                    assert edges[0] == packer["bottom_left"][0]
                    assert edges[-1] == pytest.approx(packer["bottom_left"][0] + packer["size"][0])
                for match in packer["matches"]:
                    space = packer["shelves"][match["shelf_idx"]]["spaces"][match["space_idx"]]
                    low, high = match["rect"]["bottom_left"][0], sum(a[0] for a in _corner_and_size(match))
                    assert space["kind"] == "occupied" and space["dims"][0] <= low and high <= space["dims"][1]


def _corner_and_size(match: dict[str, Any]) -> tuple[list[float], list[float]]:
    return match["rect"]["bottom_left"], match["rect"]["size"]


def raw(path: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads(gzip.decompress(path.read_bytes()))["episodes"]
    return content


def kinds(value: Any) -> Any:
    """The shape of a JSON value: types, and for lists and objects those of what is in them."""
    if isinstance(value, dict):
        return {key: kinds(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return {str(kinds(inner)) for inner in value}
    return type(value).__name__


@needs_shared
def test_generated_episodes_have_the_fields_and_types_of_real_ones() -> None:
    real = raw(HOUSEKEEP / "episodes/val/Ihlen_1_int.json.gz")[0]
    ours = raw(BUILTIN_FOLDER / "train_home_0.json.gz")[0]
    assert list(ours) == list(real)
    for name in ours:
        if name != "recs_packers":
            assert kinds(ours[name]) == kinds(real[name]), name
    for episode in (ours, real):
        assert set(episode["recs_packers"]) == set(episode["recs_keys"])
    filled = [next(p for p in e["recs_packers"].values() if p["matches"]) for e in (ours, real)]
    assert filled[0].keys() == filled[1].keys()
    assert filled[0]["shelves"][0].keys() == filled[1]["shelves"][0].keys()
    assert filled[0]["matches"][0].keys() == filled[1]["matches"][0].keys()
    assert filled[0]["matches"][0]["rect"].keys() == filled[1]["matches"][0]["rect"].keys()


def test_the_table_knows_an_answer_for_every_object_and_every_place() -> None:
    assert len(OBJECTS) == len(set(OBJECTS)) >= 60
    assert sorted(o for names in SPLITS.values() for o in names) == sorted(OBJECTS)
    assert [len(SPLITS[split]) / len(OBJECTS) for split in ("train", "val", "test")] == pytest.approx(
        [0.6, 0.2, 0.2], abs=0.05
    )
    assert all(PLACES_OF[o] and PLACES_OF[o] < set(PLACES) for o in OBJECTS)
    assert belongs("toothbrush", "bathroom|sink") and not belongs("toothbrush", "kitchen|oven")
    assert not belongs("toothbrush", "bathroom|window")
    with pytest.raises(KeyError):
        belongs("unicorn", "bathroom|sink")


def test_every_object_fits_on_one_of_its_places() -> None:
    for name in OBJECTS:
        width, depth, _ = SIZE[name]
        for kind in (KINDS[place.partition("|")[2]] for place in PLACES_OF[name]):
            if max(width, depth) + 0.02 <= max(kind.width / 2, kind.depth) and min(width, depth) + 0.02 <= kind.depth:
                break
        else:
            raise AssertionError(name)


def test_what_holds_things_is_furniture_with_a_top() -> None:
    assert all(KINDS[category].top > 0 for holders in HOLDERS.values() for category in holders)
