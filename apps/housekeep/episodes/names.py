"""Names of an episode. Each is written twice in the benchmark's files, so that one can stand in for the other:
the object `toaster_1` is a `toaster`, the receptacle `kitchen_0-counter_64_0.urdf` a `counter` of `kitchen_0`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from apps.housekeep.episodes.repairs import Repairs
from apps.housekeep.episodes.values import FieldError, as_text, as_whole, read, read_list, read_names

MAX_RECEPTACLES = 1000  # the benchmark's scenes have 28 to 89
MAX_OBJECTS = 200  # its episodes 7 to 10
NO_ROOM = "None"


def read_id(raw: Mapping[str, Any], free: int, repairs: Repairs) -> int:
    """The episode's number; `free`, which no other has, where it cannot be read."""
    name = "episode_id"
    try:
        return as_whole(read(raw, name), name)
    except FieldError as error:
        repairs.make(name, error.wrong, "a number in place of one that cannot be read")
        return free


def read_scene(raw: Mapping[str, Any], source: str, repairs: Repairs) -> str:
    """The scene's name; that of the file in its place, since the benchmark has a file a scene."""
    name = "scene_id"
    try:
        return as_text(PurePosixPath(as_text(read(raw, name), name)).stem, name)
    except FieldError as error:
        repairs.make(name, error.wrong, "the file's name in place of the scene's")
        return Path(source).name.removesuffix(".gz").removesuffix(".json")


def object_names(raw: Mapping[str, Any], repairs: Repairs) -> tuple[list[str], list[str]]:
    """(key, category) of every object, from either of the fields that hold them."""
    try:
        keys = read_names(raw, "objs_keys", MAX_OBJECTS)
    except FieldError as error:
        categories = read_names(raw, "objs_cats", MAX_OBJECTS)
        repairs.make("objs_keys", error.wrong, "numbered categories in place of names that cannot be read")
        return [f"{category}_{n}" for n, category in enumerate(categories)], categories
    if twice := _repeated(keys):
        repairs.make("objs_keys", f"has {twice!r} twice", "a name that two objects share")
    return keys, _categories(raw, "objs_cats", keys, object_category, repairs)


def receptacle_names(raw: Mapping[str, Any], repairs: Repairs) -> tuple[list[str], list[str], list[str]]:
    """(key, category, room id) of every receptacle; a room that cannot be read is none."""
    keys = read_names(raw, "recs_keys", MAX_RECEPTACLES)
    if twice := _repeated(keys):
        raise FieldError("recs_keys", f"has {twice!r} twice")
    return keys, _categories(raw, "recs_cats", keys, receptacle_category, repairs), [_room(k, repairs) for k in keys]


def object_files(raw: Mapping[str, Any], count: int, repairs: Repairs) -> list[str]:
    """The path of every object's 3D model; "", which is no model, where it cannot be read."""
    name = "objs_files"
    try:
        entries = read_list(raw, name, count)
    except FieldError as error:
        repairs.make(name, error.wrong, "no models in place of a field that is missing or no list of them")
        return [""] * count
    return [
        _or(entry, name, lambda: "", "no model in place of a path that cannot be read", repairs) for entry in entries
    ]


def object_category(key: str) -> str:
    """`toaster` of `toaster_1`; FieldError where the key reads otherwise."""
    return _matched(r"(.+)_\d+", key, "objs_keys")


def receptacle_category(key: str) -> str:
    """`counter` of `kitchen_0-counter_64_0.urdf`; FieldError where the key reads otherwise."""
    return _matched(r"[^-]+-(.+?)(?:_\d+){1,2}(?:\.urdf)?", key, "recs_keys")


def _matched(pattern: str, key: str, name: str) -> str:
    match = re.fullmatch(pattern, key)
    if match is None:
        raise FieldError(name, f"{key!r} does not say which category it is")
    return match[1]


def _categories(
    raw: Mapping[str, Any], name: str, keys: Sequence[str], category: Callable[[str], str], repairs: Repairs
) -> list[str]:
    instead = "the category in the key in place of one that cannot be read"
    try:
        entries = read_list(raw, name, len(keys))
    except FieldError as error:
        found = [category(key) for key in keys]
        repairs.make(name, error.wrong, instead)
        return found
    return [_or(e, name, lambda key=k: category(key), instead, repairs) for e, k in zip(entries, keys, strict=True)]


def _or(value: Any, name: str, other: Callable[[], str], instead: str, repairs: Repairs) -> str:
    """`value` as a name, else what `other` gives."""
    try:
        return as_text(value, name)
    except FieldError as error:
        repairs.make(name, error.wrong, instead)
        return other()


def _room(key: str, repairs: Repairs) -> str:
    room, dash, rest = key.partition("-")
    if not dash or not room or not rest:
        wrong = f"{key!r} does not read ROOM-RECEPTACLE, like kitchen_0-counter_64_0.urdf"
        repairs.make("recs_keys", wrong, "no room in place of one that a key does not name")
        return ""
    return "" if room == NO_ROOM else room


def _repeated(names: Sequence[str]) -> str | None:
    return next((name for i, name in enumerate(names) if name in names[:i]), None)
