"""One episode's JSON object, checked field by field, as an `Episode`.

The input is a user's download: every number, shape, name and size is checked here, so that nothing behind this file
needs to. What the project does not read (`misplaced_count`, the packers' strips, ...) is ignored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.episode import Episode, Item, Receptacle

MAX_RECEPTACLES = 1000  # the benchmark's scenes have 28 to 89
MAX_OBJECTS = 200  # its episodes 7 to 10
MAX_NAME = 300  # characters
MAX_COORDINATE = 1000.0  # metres from the origin
MAX_EXTENT = 100.0  # metres across the apartment; walk grids grow with its square
NO_ROOM = "None"


class FieldError(ValueError):
    """A field of an episode that cannot be used: its name, and what is wrong with it."""

    def __init__(self, name: str, wrong: str) -> None:
        super().__init__(f"{name}: {wrong}")


@dataclass
class FurnitureCache:
    """The receptacles read so far, so that episodes set in the same furniture share one tuple."""

    known: list[tuple[tuple[Any, ...], tuple[Receptacle, ...]]] = field(default_factory=list)

    def get(self, raw: tuple[Any, ...]) -> tuple[Receptacle, ...] | None:
        """The receptacles that were read from equal JSON; None when there are none yet."""
        return next((receptacles for seen, receptacles in reversed(self.known) if seen == raw), None)

    def add(self, raw: tuple[Any, ...], receptacles: tuple[Receptacle, ...]) -> None:
        """Keeps `receptacles`, and forgets the oldest: a scene has a handful of sets, and looking costs time."""
        self.known = [*self.known[-7:], (raw, receptacles)]


def parse_episode(raw: Mapping[str, Any], source: str, cache: FurnitureCache) -> Episode:
    """The episode that `raw` says; FieldError for the first field that is missing or wrong."""
    receptacles = _receptacles(raw, cache)
    items = _items(raw)
    shape = (len(receptacles), len(items))
    return Episode(
        episode_id=_whole(raw, "episode_id"),
        scene=PurePosixPath(_text(_get(raw, "scene_id"), "scene_id")).stem,
        source=source,
        start_position=_point(raw, "start_position"),
        start_rotation=_rotation(raw, "start_rotation"),
        receptacles=receptacles,
        items=items,
        start=_start_matrix(raw, shape, items),
        end=_matrix(raw, "end_matrix", shape),
        oracle_steps=None if raw.get("oracle_steps_solve") is None else _whole(raw, "oracle_steps_solve"),
    )


def _receptacles(raw: Mapping[str, Any], cache: FurnitureCache) -> tuple[Receptacle, ...]:
    keys = _names(raw, "recs_keys", MAX_RECEPTACLES)
    packers = _packers(raw, keys)
    footprints = [(packer.get("bottom_left"), packer.get("size")) for packer in packers]
    names = ("recs_cats", "recs_pos", "recs_rot", "nav_recs_pos")
    same = (keys, *(_get(raw, name) for name in names), footprints)
    receptacles = cache.get(same)
    if receptacles is None:
        receptacles = _read_receptacles(raw, keys, _footprints(keys, footprints))
        cache.add(same, receptacles)
    return receptacles


def _read_receptacles(
    raw: Mapping[str, Any], keys: Sequence[str], footprints: NDArray[np.float64]
) -> tuple[Receptacle, ...]:
    count = len(keys)
    categories = _texts(raw, "recs_cats", count)
    positions = _coordinates(raw, "recs_pos", count)
    standing = _coordinates(raw, "nav_recs_pos", count)
    _check_extent(positions, standing, footprints)
    rotations = _rotations(raw, "recs_rot", count)
    rooms = [_room(key) for key in keys]
    return tuple(
        Receptacle(
            key=keys[k],
            category=categories[k],
            room_id=rooms[k],
            position=_three(positions[k]),
            rotation=_four(rotations[k]),
            nav_position=_three(standing[k]),
            footprint=_four(footprints[k]),
        )
        for k in range(count)
    )


def _three(row: NDArray[np.float64]) -> tuple[float, float, float]:
    a, b, c = row.tolist()
    return a, b, c


def _four(row: NDArray[np.float64]) -> tuple[float, float, float, float]:
    a, b, c, d = row.tolist()
    return a, b, c, d


def _room(key: str) -> str:
    room, dash, rest = key.partition("-")
    if not dash or not room or not rest:
        raise FieldError("recs_keys", f"{key!r} does not read ROOM-RECEPTACLE, like kitchen_0-counter_64_0.urdf")
    return "" if room == NO_ROOM else room


def _packers(raw: Mapping[str, Any], keys: Sequence[str]) -> list[Mapping[str, Any]]:
    """The packer of every receptacle, in the order of `keys`."""
    packers = _get(raw, "recs_packers")
    if not isinstance(packers, dict):
        raise FieldError("recs_packers", f"is {_kind(packers)}, not an object")
    unknown = packers.keys() - set(keys)
    if unknown:
        raise FieldError("recs_packers", f"has {min(unknown)!r}, a receptacle that recs_keys does not know")
    for key in keys:
        if not isinstance(packers.get(key), dict):
            raise FieldError("recs_packers", f"has no entry (an object) for the receptacle {key!r}")
    return [packers[key] for key in keys]


def _footprints(keys: Sequence[str], footprints: Sequence[tuple[Any, Any]]) -> NDArray[np.float64]:
    """[receptacle, 4] x_min, z_min, dx, dz in metres."""
    out = np.empty((len(keys), 4))
    for row, key, (corner, size) in zip(out, keys, footprints, strict=True):
        row[:2] = _numbers(corner, f"recs_packers[{key!r}].bottom_left", (2,))
        row[2:] = _numbers(size, f"recs_packers[{key!r}].size", (2,))
        if (row[2:] < 0).any():
            raise FieldError(f"recs_packers[{key!r}].size", f"is negative: {size}")
    return out


def _check_extent(
    positions: NDArray[np.float64], standing: NDArray[np.float64], footprints: NDArray[np.float64]
) -> None:
    corners = footprints[:, :2]
    ground = np.concatenate([positions[:, [0, 2]], standing[:, [0, 2]], corners, corners + footprints[:, 2:]])
    extent = float(np.ptp(ground, axis=0).max())
    if extent > MAX_EXTENT:
        wrong = f"spread over {extent:.0f} m; an apartment has at most {MAX_EXTENT:.0f}"
        raise FieldError("recs_pos, nav_recs_pos or recs_packers", wrong)


def _items(raw: Mapping[str, Any]) -> tuple[Item, ...]:
    keys = _names(raw, "objs_keys", MAX_OBJECTS)
    categories = _texts(raw, "objs_cats", len(keys))
    files = _texts(raw, "objs_files", len(keys))
    positions = _coordinates(raw, "objs_pos", len(keys))
    rotations = _rotations(raw, "objs_rot", len(keys))
    return tuple(
        Item(keys[n], categories[n], _three(positions[n]), _four(rotations[n]), files[n]) for n in range(len(keys))
    )


def _start_matrix(raw: Mapping[str, Any], shape: tuple[int, int], items: Sequence[Item]) -> NDArray[np.bool_]:
    start = _matrix(raw, "start_matrix", shape)
    for item, count in zip(items, start.sum(axis=0), strict=True):
        if count != 1:
            raise FieldError("start_matrix", f"puts the object {item.key!r} on {count} receptacles: it must be on one")
    return start


def _matrix(raw: Mapping[str, Any], name: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """[receptacle, object] where the matrix is 1."""
    values = _numbers(_get(raw, name), name, shape, " (receptacles x objects)")
    out: NDArray[np.bool_] = values == 1
    if not (out | (values == 0)).all():
        raise FieldError(name, "holds something other than 0 and 1")
    return out


def _coordinates(raw: Mapping[str, Any], name: str, count: int) -> NDArray[np.float64]:
    """[row, 3] in metres."""
    values = _numbers(_get(raw, name), name, (count, 3))
    if np.abs(values).max(initial=0) > MAX_COORDINATE:
        raise FieldError(name, f"lies further than {MAX_COORDINATE:.0f} m from the origin")
    return values


def _rotations(raw: Mapping[str, Any], name: str, count: int) -> NDArray[np.float64]:
    """[row, 4] quaternions x, y, z, w."""
    values = _numbers(_get(raw, name), name, (count, 4))
    if (np.linalg.norm(values, axis=1) < 1e-3).any():
        raise FieldError(name, "holds a quaternion of length 0, which is no rotation")
    return values


def _point(raw: Mapping[str, Any], name: str) -> tuple[float, float, float]:
    return _three(_coordinates({name: [_get(raw, name)]}, name, 1)[0])


def _rotation(raw: Mapping[str, Any], name: str) -> tuple[float, float, float, float]:
    return _four(_rotations({name: [_get(raw, name)]}, name, 1)[0])


def _numbers(value: Any, name: str, shape: tuple[int, ...], meaning: str = "") -> NDArray[np.float64]:
    """`value` as finite numbers of exactly this shape."""
    if not isinstance(value, list):
        raise FieldError(name, f"is {_kind(value)}, not a list of numbers")
    try:
        numbers = np.array(value)
    except (ValueError, OverflowError):
        raise FieldError(name, f"has rows of different lengths; it must be {_times(shape)}{meaning}") from None
    if numbers.dtype.kind not in "fiub":  # a list with text in it becomes an array of text, one with null of objects
        raise FieldError(name, "holds something that is no number")
    if numbers.shape != shape:
        raise FieldError(name, f"is {_times(numbers.shape)} numbers; it must be {_times(shape)}{meaning}")
    if not np.isfinite(numbers).all():
        raise FieldError(name, "holds NaN or an infinity")
    return numbers.astype(np.float64)


def _names(raw: Mapping[str, Any], name: str, most: int) -> list[str]:
    """One to `most` different names."""
    value = _get(raw, name)
    if not isinstance(value, list):
        raise FieldError(name, f"is {_kind(value)}, not a list of names")
    if not 1 <= len(value) <= most:
        raise FieldError(name, f"has {len(value)} entries; it must have 1 to {most}")
    names = _texts(raw, name, len(value))
    if len(set(names)) < len(names):
        twice = next(n for i, n in enumerate(names) if n in names[:i])
        raise FieldError(name, f"has {twice!r} twice")
    return names


def _texts(raw: Mapping[str, Any], name: str, count: int) -> list[str]:
    value = _get(raw, name)
    if not isinstance(value, list):
        raise FieldError(name, f"is {_kind(value)}, not a list of names")
    if len(value) != count:
        raise FieldError(name, f"has {len(value)} entries; it must have {count}")
    return [_text(text, name) for text in value]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise FieldError(name, f"holds {_kind(value)} where a name must be")
    if not 0 < len(value) <= MAX_NAME or not value.isprintable():
        raise FieldError(name, f"holds a name that is empty, longer than {MAX_NAME} characters or not printable")
    return value


def _whole(raw: Mapping[str, Any], name: str) -> int:
    value = _get(raw, name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise FieldError(name, f"is {_kind(value)}; it must be a whole number from 0 on")
    return value


def _get(raw: Mapping[str, Any], name: str) -> Any:
    if name not in raw:
        raise FieldError(name, "is missing")
    return raw[name]


def _kind(value: Any) -> str:
    """What a JSON value is, in JSON's words."""
    kinds = {str: "text", dict: "an object", list: "a list", type(None): "null", bool: "true or false"}
    return kinds.get(type(value), "a number" if not isinstance(value, int) else "the number " + str(value)[:20])


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
