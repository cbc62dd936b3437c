"""Episode files: what loads, and what a broken one says."""

import copy
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.halves import object_split
from apps.housekeep.episodes.load import load_episodes, load_many, load_readable, select
from lmgt_core.errors import UserError
from tests.apps.housekeep.episodes.raw import KEYS, UNREAD, raw_episode, write
from tests.shared_data import HOUSEKEEP, needs_shared


def refused(path: Path) -> str:
    """The message that `load_episodes` gives under strict; it must be one line that names the file."""
    with pytest.raises(UserError) as caught:
        load_episodes(path, strict=True)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.mark.parametrize("name", ["Home.json.gz", "Home.json"])
def test_an_episode_is_read_field_by_field(tmp_path: Path, name: str) -> None:
    (episode,) = load_episodes(write(tmp_path / name, raw_episode()))
    assert (episode.episode_id, episode.scene, episode.oracle_steps) == (7, "Home_0_int", 123)
    assert episode.source == str(tmp_path / name)
    assert episode.start_position == (0.5, 0.15, 1.0) and episode.start_rotation == (0.0, 0.6, 0.0, 0.8)
    counter, bed, window = episode.receptacles
    assert (counter.key, counter.category, counter.room_id) == (KEYS[0], "counter", "kitchen_0")
    assert (counter.room, counter.place) == ("kitchen", "kitchen|counter")
    assert counter.position == (0.5, 0.45, 0.3) and counter.nav_position == (0.5, 0.15, 1.0)
    assert bed.footprint == (1.0, 0.0, 1.2, 0.6) and bed.rotation == (0.0, 0.0, 0.0, 1.0)
    assert (window.room_id, window.place) == ("", "|window")
    toaster, pillow = episode.items
    assert (toaster.key, toaster.category, toaster.file) == ("toaster_1", "toaster", "models/toaster.obj")
    assert pillow.position == (0.1, 0.9, 0.2) and pillow.rotation == (0.0, 0.0, 0.0, 1.0)
    assert episode.start.tolist() == [[True, False], [False, True], [False, False]]
    assert episode.end.tolist() == [[False, False], [True, True], [False, False]]
    assert episode.misplaced.tolist() == [True, False]


def test_fields_that_nobody_reads_may_be_missing(tmp_path: Path) -> None:
    raw = raw_episode()
    for name in UNREAD:
        del raw[name]
    (episode,) = load_episodes(write(tmp_path / "Home.json", raw))
    assert episode.oracle_steps is None


def test_episodes_in_the_same_furniture_share_it_and_others_do_not(tmp_path: Path) -> None:
    other = raw_episode(9)
    other["recs_pos"] = [[0.5, 0.45, 0.4], *other["recs_pos"][1:]]
    strips = raw_episode(10)
    strips["recs_packers"][KEYS[0]]["shelves"] = [{"idx": 0}]
    first, second, third, fourth = load_episodes(
        write(tmp_path / "Home.json", raw_episode(7), raw_episode(8), other, strips)
    )
    assert first.receptacles is second.receptacles is fourth.receptacles
    assert third.receptacles is not first.receptacles and third.receptacles[0].position == (0.5, 0.45, 0.4)


def test_episodes_of_one_file_may_have_different_furniture(tmp_path: Path) -> None:
    small = raw_episode(8)
    small["recs_packers"].pop(KEYS[2])
    for name in ("recs_keys", "recs_cats", "recs_pos", "recs_rot", "nav_recs_pos", "start_matrix", "end_matrix"):
        small[name] = small[name][:2]
    episodes = load_episodes(write(tmp_path / "Home.json", raw_episode(7), small))
    assert [len(episode.receptacles) for episode in episodes] == [3, 2]


NAN, INFINITY = float("nan"), float("inf")
FOUR_COLUMNS = [[1.0, 0.0, 0.0, 0.0]] * 3
BROKEN: list[tuple[str, Any, str]] = [
    ("start_position", [0.5, NAN, 1.0], "NaN"),
    ("start_position", [0.5, 1.0], "1 x 3"),
    ("start_rotation", [0, 0, 0, 0], "length 0"),
    ("objs_pos", [[0, INFINITY, 0], [0, 0, 0]], "infinity"),
    ("objs_pos", [[0, 1e9, 0], [0, 0, 0]], "1000 m"),
    ("objs_pos", [[0, 1, 0], [0, 0]], "different lengths"),
    ("objs_pos", [[0, "1", 0], [0, 0, 0]], "no number"),
    ("objs_pos", [[0, None, 0], [0, 0, 0]], "no number"),
    ("objs_rot", [[0, 0, 0, 1]], "1 entries; it must have 2"),
    ("objs_cats", ["toaster"], "1 entries; it must have 2"),
    ("objs_cats", ["toaster", 3], "number 3"),
    ("objs_cats", ["toaster", ""], "empty"),
    ("objs_cats", ["toaster", "two\nlines"], "not printable"),
    ("objs_keys", [], "0 entries"),
    ("objs_keys", ["toaster_1", "toaster_1"], "'toaster_1' twice"),
    ("objs_files", "models", "text"),
    ("recs_keys", [KEYS[0], KEYS[0], KEYS[2]], "twice"),
    ("recs_keys", "kitchen", "text"),
    ("recs_pos", [[0, 0, 0], [0, 0, 0], [500, 0, 0]], "500 m"),
    ("recs_packers", [], "a list"),
    ("recs_packers", {KEYS[0]: {}, KEYS[1]: {}}, KEYS[2]),
    ("start_matrix", FOUR_COLUMNS, "3 x 4 numbers; it must be 3 x 2 (receptacles x objects)"),
    ("start_matrix", [[1, 0], [0, 1]], "2 x 2 numbers; it must be 3 x 2"),
    ("start_matrix", [[1, 0], [1, 1], [0, 0]], "'toaster_1' on 2"),
    ("start_matrix", [[0, 0], [0, 1], [0, 0]], "'toaster_1' on 0"),
    ("start_matrix", [[0.5, 0], [0.5, 1], [0, 0]], "other than 0 and 1"),
    ("end_matrix", [[2, 0], [0, 1], [0, 0]], "other than 0 and 1"),
    ("episode_id", "seven", "text"),
    ("episode_id", True, "true or false"),
    ("scene_id", 5, "number 5"),
    ("oracle_steps_solve", 2.5, "number"),
]


@pytest.mark.parametrize(("field", "value", "says"), BROKEN)
def test_a_broken_field_is_named_with_its_episode(tmp_path: Path, field: str, value: Any, says: str) -> None:
    raw = raw_episode(8) | {field: value}
    message = refused(write(tmp_path / "Home.json.gz", raw_episode(7), raw))
    assert f"{field}" in message and says in message and "(position 1)" in message
    if field != "episode_id":
        assert "episode 8 (position 1)" in message


@pytest.mark.parametrize("field", [name for name in raw_episode() if name not in UNREAD])
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    raw = raw_episode()
    del raw[field]
    assert f"{field}: is missing" in refused(write(tmp_path / "Home.json.gz", raw))


@pytest.mark.parametrize("change", ["unknown", "renamed", "no dash", "negative size", "text size", "NaN corner"])
def test_a_broken_packer_is_named(tmp_path: Path, change: str) -> None:
    raw = raw_episode()
    packers = raw["recs_packers"]
    if change == "unknown":
        packers["attic_0-chest_9_0.urdf"] = packers[KEYS[0]]
    elif change == "renamed":
        packers["attic_0-chest_9_0.urdf"] = packers.pop(KEYS[0])
    elif change == "no dash":
        raw["recs_keys"][0] = "counter"
        packers["counter"] = packers.pop(KEYS[0])
    elif change == "negative size":
        packers[KEYS[0]]["size"] = [1, -1]
    elif change == "text size":
        packers[KEYS[0]]["size"] = ["1", "1"]
    else:
        packers[KEYS[0]]["bottom_left"] = [0, NAN]
    message = refused(write(tmp_path / "Home.json.gz", raw))
    assert ("recs_keys" if change == "no dash" else "recs_packers") in message and "episode 7" in message


def test_two_episodes_with_one_id_are_named(tmp_path: Path) -> None:
    message = refused(write(tmp_path / "Home.json", raw_episode(3), raw_episode(4), raw_episode(3)))
    assert "episode 3 (position 2)" in message and "position 0" in message


def test_an_episode_that_is_no_object_is_named_by_position(tmp_path: Path) -> None:
    assert "(position 1)" in refused(write(tmp_path / "Home.json", raw_episode(), [1]))


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "Home.json.gz", raw_episode())
    path.write_bytes(path.read_bytes()[:-20])
    assert "cut off" in refused(path)


def test_a_damaged_gzip_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "Home.json.gz", raw_episode())
    content = bytearray(path.read_bytes())
    content[40:60] = bytes(20)
    path.write_bytes(content)
    assert "gzip" in refused(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("page.json.gz", b"<html>not found</html>", "gzip"),
        ("empty.json.gz", b"", "JSON"),
        ("bad.json", b'{"episodes": [', "JSON"),
        ("latin.json", b'{"episodes": "\xff"}', "JSON"),
        ("deep.json", b"[" * 100_000, "JSON"),
        ("long.json", b'{"episodes": ' + b"9" * 10_000 + b"}", "JSON"),
        ("list.json", b"[]", "episodes is missing"),
        ("none.json", b'{"episodes": []}', "1 to"),
        ("number.json", b'{"episodes": 3}', "1 to"),
    ],
)
def test_a_file_of_something_else_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert says in refused(tmp_path / name)


def test_a_missing_file_and_an_unreadable_one_are_named(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.json.gz")
    (tmp_path / "folder.json").mkdir()
    assert "cannot be read" in refused(tmp_path / "folder.json")


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.housekeep.episodes.raw_file.MAX_BYTES", 2**20)
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(bytes(2**21)))
    assert "more than 1 MB" in refused(tmp_path / "bomb.json.gz")


def numbered(tmp_path: Path, name: str, count: int) -> Path:
    return write(tmp_path / name, *(raw_episode(i) for i in range(count)))


@pytest.mark.parametrize(
    ("which", "ids"),
    [
        (None, [0, 1, 2, 3, 4]),
        ("0:2", [0, 1]),
        ("3:", [3, 4]),
        (":", [0, 1, 2, 3, 4]),
        ("-2:", [3, 4]),
        ("2:800", [2, 3, 4]),
        ("0:5:2", [0, 2, 4]),
        ("4", [4]),
        ("-5", [0]),
    ],
)
def test_select_counts_positions_as_python_does(tmp_path: Path, which: str | None, ids: list[int]) -> None:
    episodes = load_episodes(numbered(tmp_path, "Home.json", 5))
    assert [e.episode_id for e in select(episodes, which)] == ids


@pytest.mark.parametrize("which", ["", "a", "1:2:3:4", "0:4:0", "1,2", "1.5", "5", "-6", "7:9", "__import__('os')"])
def test_a_selection_that_takes_nothing_names_the_flag(tmp_path: Path, which: str) -> None:
    episodes = load_episodes(numbered(tmp_path, "Home.json", 5))
    with pytest.raises(UserError, match="--select"):
        select(episodes, which)


def test_a_selection_is_taken_of_each_file_and_names_the_one_that_is_too_short(tmp_path: Path) -> None:
    long, short = numbered(tmp_path, "A.json.gz", 5), numbered(tmp_path, "B.json.gz", 2)
    assert [e.episode_id for e in load_many([long, short], "1:3")] == [1, 2, 1]
    with pytest.raises(UserError, match=r"3:5: takes nothing of .*B\.json\.gz, which holds 2"):
        load_many([long, short], "3:5")


def test_a_folder_means_its_files_and_builtin_the_files_of_the_project(tmp_path: Path) -> None:
    numbered(tmp_path, "B.json.gz", 2), numbered(tmp_path, "A.json.gz", 1)
    (tmp_path / "notes.txt").write_text("no episodes")
    assert [Path(e.source).name for e in load_many([tmp_path])] == ["A.json.gz", "B.json.gz", "B.json.gz"]
    train, val = load_many(["builtin:train"], "0:1"), load_many(["builtin:val"], "0:1")
    assert [e.scene for e in load_many(["builtin"], "0:1")] == [e.scene for e in [*train, *val]]
    assert len(train) >= 2 and len(val) >= 1


def test_no_file_an_empty_folder_and_a_file_named_twice_are_errors(tmp_path: Path) -> None:
    path = numbered(tmp_path, "A.json.gz", 1)
    (tmp_path / "empty").mkdir()
    for paths, says in (([], "no file"), ([tmp_path / "empty"], "holds no"), ([path, tmp_path], "twice")):
        with pytest.raises(UserError, match=says):
            load_many(paths)


def test_good_files_load_beside_broken_ones(tmp_path: Path) -> None:
    good = numbered(tmp_path, "Good.json.gz", 2)
    bad = write(tmp_path / "Bad.json.gz", raw_episode() | {"objs_pos": None})
    episodes, problems = load_readable([tmp_path / "none.json", tmp_path, "nowhere/"])
    assert {e.source for e in episodes} == {str(good)} and len(episodes) == 2
    assert len(problems) == 3 and all("\n" not in problem for problem in problems)
    assert problems[1].startswith(f"{bad}: holds no usable episode") and "(position 0): objs_pos" in problems[1]


def with_objects(tmp_path: Path, objects: list[tuple[int, str]]) -> list[Episode]:
    return load_episodes(write(tmp_path / "Home.json", *(raw_episode(i, (name, "cup")) for i, name in objects)))


def test_unseen_objects_are_in_the_half_of_the_ids_where_the_objects_change(tmp_path: Path) -> None:
    raws = [raw_episode(i, ("apple", "cup") if i < 20 else ("pear", "bowl")) for i in (25, 3, 1, 2, 24, 21, 22, 23)]
    episodes = load_episodes(write(tmp_path / "Home.json", *raws))
    assert object_split(episodes) == {"seen": [1, 2, 3], "unseen": [0, 4, 5, 6, 7]}
    assert object_split(select(episodes, "4:")) == {"seen": [], "unseen": [0, 1, 2, 3]}


def test_a_file_whose_objects_never_change_has_no_unseen_half(tmp_path: Path) -> None:
    episodes = with_objects(tmp_path, [(i, "apple" if i < 4 else "pear") for i in range(8)])  # the cup is in both
    assert object_split(episodes) == {"seen": list(range(8)), "unseen": []}


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=2), st.lists(st.floats(), max_size=3)), max_size=4),
    st.dictionaries(st.text(max_size=3), st.floats(), max_size=2),
)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for key, child in inner for p in [(*path, key), *paths_in(child, (*path, key))]]


PATHS = paths_in(raw_episode())


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), st.one_of(st.just("drop"), st.tuples(JUNK)))
def test_any_one_value_turned_to_junk_loads_or_is_a_user_error(tmp_path: Path, path: tuple, change: Any) -> None:
    raw = copy.deepcopy(raw_episode())
    holder = raw
    for key in path[:-1]:
        holder = holder[key]
    if change == "drop":
        del holder[path[-1]]
    else:
        holder[path[-1]] = change[0]
    file = write(tmp_path / "Home.json", raw_episode(1), raw)
    try:
        episodes = load_episodes(file, strict=True)
    except UserError as error:
        assert str(file) in str(error) and "\n" not in str(error) and "(position 1)" in str(error)
    else:
        assert all(np.isfinite(r.position).all() and np.isfinite(r.footprint).all() for r in episodes[1].receptacles)


@needs_shared
@pytest.mark.parametrize(("name", "count", "unseen"), [("val/Ihlen_1_int", 200, 100), ("test/Ihlen_0_int", 400, 200)])
def test_the_real_files_load_with_their_halves(name: str, count: int, unseen: int) -> None:
    episodes = load_many([HOUSEKEEP / f"episodes/{name}.json.gz"])
    split = object_split(episodes)
    assert len(episodes) == count
    assert split == {"seen": list(range(count - unseen)), "unseen": list(range(count - unseen, count))}
    assert len({id(episode.receptacles) for episode in episodes}) == 2
    assert 3 <= np.mean([episode.misplaced.sum() for episode in episodes]) <= 5
