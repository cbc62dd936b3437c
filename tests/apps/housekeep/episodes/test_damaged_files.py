"""Files with damaged episodes: what can be read is read, what cannot is left out, and one line a file says both."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps import cli
from apps.housekeep.config import WatchConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_entries, load_episodes, load_many
from apps.housekeep.episodes.raw_file import raw_episodes
from apps.housekeep.episodes.read_file import LeftOut, read_file
from apps.housekeep.simulator.episode_wire import from_wire, to_wire
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import Action
from apps.housekeep.watch.command import choose
from lmgt_core.errors import UserError
from tests.apps.housekeep.episodes.raw import KEYS, raw_episode, write
from tests.apps.housekeep.homes import builtin_files, real_files
from tests.shared_data import HOUSEKEEP, needs_shared

NO_ROTATION = (0.0, 0.0, 0.0, 1.0)
NAN, HUGE = float("nan"), 1e300
ROW = list(NO_ROTATION)
Look = Callable[[Episode], Any]

# field, value, what the episode then holds, what the message says
REPAIRED: list[tuple[str, Any, Look, Any, str]] = [
    ("objs_rot", [[0, 0, 0, 0], ROW], lambda e: e.items[0].rotation, NO_ROTATION, "quaternion of length 0"),
    ("objs_rot", [[NAN, 0, 0, 1], ROW], lambda e: e.items[0].rotation, NO_ROTATION, "no quaternion"),
    ("objs_rot", [None, ROW], lambda e: e.items[0].rotation, NO_ROTATION, "no quaternion"),
    ("objs_rot", [[], ROW], lambda e: e.items[0].rotation, NO_ROTATION, "no quaternion"),
    ("objs_rot", [ROW], lambda e: e.items[1].rotation, NO_ROTATION, "no rotations"),
    ("objs_rot", {}, lambda e: e.items[1].rotation, NO_ROTATION, "no rotations"),
    ("objs_rot", [[0, 3, 0, 4], ROW], lambda e: e.items[0].rotation, (0, 0.6, 0, 0.8), "length 1"),
    ("objs_rot", [[0, 3 * HUGE, 0, 4 * HUGE], ROW], lambda e: e.items[0].rotation, (0, 0.6, 0, 0.8), "length 1"),
    ("recs_rot", [ROW, [0, 0, 0, 0], ROW], lambda e: e.receptacles[1].rotation, NO_ROTATION, "recs_rot"),
    ("start_rotation", [0, 0, 0, 0], lambda e: e.start_rotation, NO_ROTATION, "start_rotation"),
    ("start_rotation", None, lambda e: e.start_rotation, NO_ROTATION, "start_rotation"),
    ("objs_files", ["a.obj", None], lambda e: [i.file for i in e.items], ["a.obj", ""], "no model"),
    ("objs_files", {}, lambda e: [i.file for i in e.items], ["", ""], "no models"),
    ("objs_cats", ["", None], lambda e: [i.category for i in e.items], ["toaster", "pillow"], "objs_cats"),
    ("objs_cats", [], lambda e: [i.category for i in e.items], ["toaster", "pillow"], "objs_cats"),
    ("objs_keys", [], lambda e: [i.key for i in e.items], ["toaster_0", "pillow_1"], "objs_keys"),
    ("objs_keys", ["cup_1", "cup_1"], lambda e: [i.key for i in e.items], ["cup_1", "cup_1"], "two objects share"),
    ("recs_cats", None, lambda e: [r.category for r in e.receptacles], ["counter", "bed", "window"], "recs_cats"),
    ("scene_id", 5, lambda e: e.scene, "Home", "the file's name"),
    ("scene_id", "", lambda e: e.scene, "Home", "the file's name"),
    ("episode_id", "seven", lambda e: e.episode_id, 8, "episode_id"),
    ("oracle_steps_solve", -1.5, lambda e: e.oracle_steps, None, "oracle_steps_solve"),
]
DROPPED = ["objs_rot", "recs_rot", "start_rotation", "objs_files", "objs_cats", "recs_cats", "scene_id", "episode_id"]


def read_one(tmp_path: Path, raw: dict[str, Any]) -> tuple[Episode | LeftOut, str]:
    """The entry of a raw episode behind a sound one, and what is said of the file."""
    file = read_file(write(tmp_path / "Home.json.gz", raw_episode(7), raw))
    assert "\n" not in file.summary
    return file.entries[1], file.summary


@pytest.mark.parametrize(("field", "value", "look", "held", "says"), REPAIRED)
def test_what_a_home_can_do_without_is_replaced_and_said(
    tmp_path: Path, field: str, value: Any, look: Look, held: Any, says: str
) -> None:
    raw = raw_episode(3) | {field: value}
    episode, summary = read_one(tmp_path, raw)
    assert isinstance(episode, Episode)
    got = look(episode)
    assert got == (pytest.approx(held) if isinstance(held, tuple) else held)
    assert says in summary and "of 2 episodes read with" in summary and " in 1;" in summary
    with pytest.raises(UserError, match=rf"\(position 1\): {'recs|objs|' if 'keys' in field else ''}{field}"):
        load_episodes(tmp_path / "Home.json.gz", strict=True)


@pytest.mark.parametrize("field", DROPPED)
def test_a_missing_field_that_a_home_can_do_without_is_replaced(tmp_path: Path, field: str) -> None:
    raw = raw_episode(3)
    del raw[field]
    episode, summary = read_one(tmp_path, raw)
    assert isinstance(episode, Episode) and field in summary


def test_a_packer_of_a_receptacle_that_is_not_in_the_scene_is_ignored(tmp_path: Path) -> None:
    raw = raw_episode(3)
    raw["recs_packers"]["attic_0-chest_9_0.urdf"] = {}
    episode, summary = read_one(tmp_path, raw)
    assert isinstance(episode, Episode) and [r.key for r in episode.receptacles] == KEYS
    assert "recs_packers: without a receptacle that recs_keys does not know in 1" in summary


def test_a_receptacle_whose_key_names_no_room_has_none(tmp_path: Path) -> None:
    raw = raw_episode(3)
    raw["recs_keys"] = ["counter", *KEYS[1:]]
    raw["recs_packers"]["counter"] = raw["recs_packers"].pop(KEYS[0])
    episode, summary = read_one(tmp_path, raw)
    assert isinstance(episode, Episode) and episode.receptacles[0].place == "|counter" and "no room" in summary


def test_repairs_of_furniture_that_episodes_share_are_counted_in_each(tmp_path: Path) -> None:
    raws = [raw_episode(i) | {"recs_rot": [[0, 0, 0, 0]] * 3} for i in range(3)]
    file = read_file(write(tmp_path / "Home.json", *raws))
    first, second, third = file.entries
    assert isinstance(first, Episode) and isinstance(second, Episode) and isinstance(third, Episode)
    assert first.receptacles is second.receptacles is third.receptacles and "length 0 in 3;" in file.summary


UNUSABLE: list[tuple[str, Any]] = [
    ("start_position", None),
    ("objs_pos", [[0, NAN, 0], [0, 0, 0]]),
    ("recs_pos", []),
    ("nav_recs_pos", [[NAN] * 3] * 3),
    ("recs_packers", {}),
    ("recs_keys", [KEYS[0]] * 3),
    ("objs_keys", {}),  # with categories that are none either
    ("start_matrix", [[1, 1], [0, 1], [0, 0]]),
    ("end_matrix", None),
]


@pytest.mark.parametrize(("field", "value"), UNUSABLE)
def test_an_episode_without_what_a_home_needs_is_left_out_and_named(tmp_path: Path, field: str, value: Any) -> None:
    raw = raw_episode(3) | {field: value} | ({"objs_cats": None} if field == "objs_keys" else {})
    entry, summary = read_one(tmp_path, raw)
    assert isinstance(entry, LeftOut) and entry.reason.startswith("episode 3 (position 1): ")
    assert f"of 2 episodes 1 left out (the first: {entry.reason})" in summary
    assert [e.episode_id for e in load_episodes(tmp_path / "Home.json.gz")] == [7]


@pytest.mark.parametrize("entry", [{}, [], None, 3, "episode"])
def test_an_entry_that_is_no_episode_is_left_out(tmp_path: Path, entry: Any) -> None:
    left_out, summary = read_one(tmp_path, entry)
    assert isinstance(left_out, LeftOut) and "1 left out" in summary


def test_the_second_of_two_episodes_with_one_number_is_left_out(tmp_path: Path) -> None:
    file = read_file(write(tmp_path / "Home.json", raw_episode(3), raw_episode(4), raw_episode(3)))
    assert isinstance(file.entries[2], LeftOut) and "position 0 has it too" in file.entries[2].reason


def test_a_number_that_stands_in_is_no_other_episodes(tmp_path: Path) -> None:
    raws: list[dict[str, Any]] = [raw_episode() | {"episode_id": number} for number in (None, 0, 2, None, 1)]
    assert [e.episode_id for e in load_episodes(write(tmp_path / "Home.json", *raws))] == [3, 0, 2, 4, 1]


def damaged_file(tmp_path: Path, broken: int = 1) -> Path:
    """Five episodes, the one at position `broken` without a start."""
    raws = [raw_episode(i) | ({"start_position": None} if i == broken else {}) for i in range(5)]
    return write(tmp_path / "Home.json.gz", *raws)


def test_a_selection_means_positions_in_the_file_whatever_is_left_out(tmp_path: Path) -> None:
    path = damaged_file(tmp_path)
    assert [e.episode_id for e in load_many([path], "0:3")] == [0, 2]
    assert [e.episode_id for e in load_many([path], "3:")] == [3, 4]
    assert [isinstance(e, Episode) for e in load_entries([path], "0:2")] == [True, False]
    with pytest.raises(UserError, match=r"no usable episode at the positions --select 1; .*start_position"):
        load_many([path], "1")


def test_watch_counts_positions_in_the_file_and_names_an_episode_that_cannot_be_used(tmp_path: Path) -> None:
    path = str(damaged_file(tmp_path))
    assert choose(WatchConfig("random", episodes=(path,), episode=2), {}).episode_id == 2
    with pytest.raises(UserError, match=r"--episode 1: cannot be used: episode 1 \(position 1\): start_position"):
        choose(WatchConfig("random", episodes=(path,), episode=1), {})


def test_a_file_is_spoken_of_once_a_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = damaged_file(tmp_path)
    load_many([path]), load_many([path], "2:")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith(f"{path}: of 5 episodes 1 left out (the first: episode 1 (position 1)")


@pytest.mark.parametrize("strict", [False, True])
def test_a_file_without_a_usable_episode_ends_a_training_before_anything_is_written(
    tmp_path: Path, strict: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "Home.json.gz", raw_episode() | {"start_matrix": []})
    flags = ["housekeep", "train", "--judge", "none", "--episodes", str(path), "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", ["lmgt", *flags, *(["--strict"] if strict else [])])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and str(path) in line and "start_matrix" in line
    assert not (tmp_path / "run").exists()


def values_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for key, child in inner for p in [(*path, key), *values_in(child, (*path, key))]]


JUNK = st.one_of(
    st.none(),
    st.sampled_from(["drop", "twice", [], {}, [0, 0, 0, 0], [0, 0, 0, 5], NAN, math.inf, -1, 2, HUGE, 10**30, "", "x"]),
    st.floats(-20, 20),
    st.lists(st.floats(-5, 5), max_size=4),
    st.text(max_size=3),
)


def hurt(draw: st.DrawFn, raws: list[Any]) -> set[int]:
    """The positions of the episodes in `raws` that were damaged now, each in one to three places."""
    positions = draw(st.sets(st.integers(0, len(raws) - 1)))
    for position in positions:
        for _ in range(draw(st.integers(1, 3))):
            field = draw(st.sampled_from(sorted(raws[position]))) if raws[position] else None
            if field is None:
                break
            path, junk = draw(st.sampled_from([(field,), *values_in(raws[position][field], (field,))])), draw(JUNK)
            holder = raws[position]
            for key in path[:-1]:
                holder = holder[key]
            if junk == "drop":
                del holder[path[-1]]
            elif junk == "twice" and isinstance(holder, list):
                holder.append(copy.deepcopy(holder[path[-1]]))
            else:
                holder[path[-1]] = junk
    return positions


@st.composite
def damaged(draw: st.DrawFn) -> tuple[list[Any], set[int]]:
    """(raw episodes of one home, the positions of those that were damaged)."""
    raws: list[Any] = [copy.deepcopy(raw_episode(i)) for i in range(draw(st.integers(2, 5)))]
    return raws, hurt(draw, raws)


def alike(first: Episode, second: Episode) -> bool:
    """Whether two episodes hold the same, wherever they were read from and whichever half they count to."""
    names = [f.name for f in fields(Episode) if f.name not in ("source", "start", "end")]
    same = all(getattr(first, name) == getattr(second, name) for name in names)
    return same and np.array_equal(first.start, second.start) and np.array_equal(first.end, second.end)


def is_whole(episode: Episode) -> bool:
    """Whether every number and name of the episode can be used, and it goes over the wire unchanged."""
    furniture, items = episode.receptacles, episode.items
    points = [episode.start_position, *(r.position for r in furniture), *(i.position for i in items)]
    turns = [episode.start_rotation, *(r.rotation for r in furniture), *(i.rotation for i in items)]
    return (
        bool(np.isfinite(points).all() and np.allclose(np.linalg.norm(turns, axis=1), 1, atol=2e-3))
        and all(thing.category for thing in (*furniture, *items))
        and episode.start.shape == episode.end.shape == (len(furniture), len(items))
        and bool((episode.start.sum(axis=0) == 1).all())
        and from_wire(to_wire(episode)).receptacles == furniture
    )


def check(tmp_path: Path, sound: list[Any], raws: list[Any], positions: set[int]) -> None:
    """Damage to the episodes at `positions` costs at most these, and is counted; --strict refuses the file for it."""
    path = write(tmp_path / "Home.json", *raws)
    file, wholes = read_file(path), load_episodes(write(tmp_path / "Sound.json", *sound), strict=True)
    assert len(file.entries) == len(raws)
    left_out = [entry for entry in file.entries if isinstance(entry, LeftOut)]
    numbers = [raws[p].get("episode_id") for p in positions]  # damage can take another one's number
    for position, (entry, whole) in enumerate(zip(file.entries, wholes, strict=True)):
        if position not in positions and sound[position]["episode_id"] not in numbers:
            assert isinstance(entry, Episode) and alike(entry, whole)
        assert isinstance(entry, LeftOut) or is_whole(entry)
    assert len({e.episode_id for e in file.entries if isinstance(e, Episode)}) == len(raws) - len(left_out)
    assert ("left out" in file.summary) == bool(left_out) and "\n" not in file.summary
    assert not left_out or f"of {len(raws)} episodes {len(left_out)} left out" in file.summary
    assert positions or file.summary == ""
    try:
        read_file(path, strict=True)
    except UserError as error:
        assert file.summary and "(position " in str(error) and "\n" not in str(error)
    else:
        assert file.summary == ""


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged())
def test_random_damage_costs_only_the_episodes_that_it_makes_useless(
    tmp_path: Path, drawn: tuple[list[Any], set[int]]
) -> None:
    raws, positions = drawn
    check(tmp_path, [raw_episode(i) for i in range(len(raws))], raws, positions)


SOME = 3  # episodes of a file that are damaged at a time: a real one has a hundred kilobytes


@cache
def some_of(path: Path) -> str:
    """The first episodes of a file, as JSON."""
    return json.dumps(raw_episodes(path)[:SOME])


real = real_files() or [pytest.param(HOUSEKEEP, marks=needs_shared)]
files_of_homes = pytest.mark.parametrize(
    "path", [*builtin_files()[-1:], *real], ids=lambda path: path.name.partition(".")[0]
)


@files_of_homes
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_damage_to_a_file_as_it_ships_costs_the_damaged_episodes_at_most(
    tmp_path: Path, path: Path, data: st.DataObject
) -> None:
    raws = json.loads(some_of(path))
    positions = data.draw(st.composite(hurt)(raws))
    check(tmp_path, json.loads(some_of(path)), raws, positions)


@files_of_homes
@pytest.mark.parametrize("junk", ["drop", None, [], {}, "x", NAN, -1, [[0, 0, 0, 0]]], ids=str)
def test_no_field_of_a_file_as_it_ships_takes_the_other_episodes_along(tmp_path: Path, path: Path, junk: Any) -> None:
    for field in json.loads(some_of(path))[0]:
        raws = json.loads(some_of(path))
        if junk == "drop":
            del raws[1][field]
        else:
            raws[1][field] = junk
        check(tmp_path, json.loads(some_of(path)), raws, {1})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged())
def test_what_is_read_of_a_damaged_file_can_be_played(tmp_path: Path, drawn: tuple[list[Any], set[int]]) -> None:
    file = read_file(write(tmp_path / "Home.json", *drawn[0]))
    simulator = MujocoSimulator((8, 8))
    for episode in (entry for entry in file.entries if isinstance(entry, Episode)):
        simulator.load(episode)
        for action in (Action.TURN_LEFT, Action.MOVE_FORWARD):
            simulator.step(action)
        assert np.isfinite(simulator.pose.position).all() and np.isfinite(simulator.render().depth).all()
    simulator.close()


@needs_shared
def test_damage_to_a_real_file_costs_the_damaged_episodes_only(tmp_path: Path) -> None:
    raws = raw_episodes(HOUSEKEEP / "episodes/test/Ihlen_0_int.json.gz")
    rng = np.random.default_rng(0)
    turned, useless = np.split(rng.choice(len(raws), 31, replace=False), [11])  # 11 as in one of the benchmark's files
    for p in turned:
        raws[p]["objs_rot"][int(rng.integers(len(raws[p]["objs_rot"])))] = [0, 0, 0, 0]
    for p in useless:
        del raws[p][str(rng.choice(["objs_pos", "recs_pos", "start_matrix", "end_matrix", "nav_recs_pos"]))]
    file = read_file(write(tmp_path / "Ihlen_0_int.json.gz", *raws))
    left_out = {p for p, entry in enumerate(file.entries) if isinstance(entry, LeftOut)}
    assert left_out == set(useless.tolist())
    assert "of 400 episodes 20 left out" in file.summary
    assert "objs_rot: no rotation in place of a quaternion of length 0 in 11;" in file.summary
