"""One episode's JSON object, checked field by field, as an `Episode`.

The input is a user's download: every number, shape, name and size is checked here, so that nothing behind this file
needs to. Where a home can be furnished without what is missing or wrong (rotations, paths of models, one of two names
of a thing), a substitute is read and noted in `Repairs`; places and matrices have none. What the project does not
read (`misplaced_count`, the packers' strips, ...) is ignored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.episode import Episode, Item, Receptacle
from apps.housekeep.episodes.names import object_files, object_names, read_id, read_scene, receptacle_names
from apps.housekeep.episodes.repairs import Repairs
from apps.housekeep.episodes.rotations import read_rotation, read_rotations
from apps.housekeep.episodes.values import FieldError, as_numbers, as_whole, described, read

MAX_COORDINATE = 1000.0  # metres from the origin
MAX_EXTENT = 100.0  # metres across the apartment; walk grids grow with its square
FURNITURE = ("recs_keys", "recs_cats", "recs_pos", "recs_rot", "nav_recs_pos")


@dataclass
class FurnitureCache:
    """The receptacles read so far, so that episodes set in the same furniture share one tuple."""

    known: list[tuple[tuple[Any, ...], tuple[Receptacle, ...], tuple[str, ...]]] = field(default_factory=list)

    def get(self, raw: tuple[Any, ...]) -> tuple[tuple[Receptacle, ...], tuple[str, ...]] | None:
        """(the receptacles that were read from equal JSON, the repairs that it took); None when there are none yet."""
        return next(((receptacles, made) for seen, receptacles, made in reversed(self.known) if seen == raw), None)

    def add(self, raw: tuple[Any, ...], receptacles: tuple[Receptacle, ...], made: tuple[str, ...]) -> None:
        """Keeps `receptacles`, and forgets the oldest: a scene has a handful of sets, and looking costs time."""
        self.known = [*self.known[-7:], (raw, receptacles, made)]


def parse_episode(raw: Mapping[str, Any], source: str, cache: FurnitureCache, free: int, repairs: Repairs) -> Episode:
    """The episode that `raw` says; FieldError for the first field that it cannot be without and that is wrong.

    `free` is an episode number for an episode without one.
    """
    receptacles = _receptacles(raw, cache, repairs)
    items = _items(raw, repairs)
    shape = (len(receptacles), len(items))
    return Episode(
        episode_id=read_id(raw, free, repairs),
        scene=read_scene(raw, source, repairs),
        source=source,
        start_position=_three(_coordinates({"start_position": [read(raw, "start_position")]}, "start_position", 1)[0]),
        start_rotation=_four(read_rotation(raw, "start_rotation", repairs)),
        receptacles=receptacles,
        items=items,
        start=_start_matrix(raw, shape, items),
        end=_matrix(raw, "end_matrix", shape),
        oracle_steps=_oracle_steps(raw, repairs),
    )


def _receptacles(raw: Mapping[str, Any], cache: FurnitureCache, repairs: Repairs) -> tuple[Receptacle, ...]:
    own = Repairs(repairs.strict)
    keys, categories, rooms = receptacle_names(raw, own)
    footprints = [(packer.get("bottom_left"), packer.get("size")) for packer in _packers(raw, keys, own)]
    same = (*(raw.get(name) for name in FURNITURE), footprints)
    known = cache.get(same)
    if known is None:
        read_now = _read_receptacles(raw, keys, categories, rooms, _footprints(keys, footprints), own)
        known = (read_now, tuple(own.made))
        cache.add(same, *known)
    receptacles, made = known
    repairs.repeat([*own.made, *made])
    return receptacles


def _read_receptacles(
    raw: Mapping[str, Any],
    keys: Sequence[str],
    categories: Sequence[str],
    rooms: Sequence[str],
    footprints: NDArray[np.float64],
    repairs: Repairs,
) -> tuple[Receptacle, ...]:
    count = len(keys)
    positions = _coordinates(raw, "recs_pos", count)
    standing = _coordinates(raw, "nav_recs_pos", count)
    _check_extent(positions, standing, footprints)
    rotations = read_rotations(raw, "recs_rot", count, repairs)
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


def _packers(raw: Mapping[str, Any], keys: Sequence[str], repairs: Repairs) -> list[Mapping[str, Any]]:
    """The packer of every receptacle, in the order of `keys`."""
    name = "recs_packers"
    packers = read(raw, name)
    if not isinstance(packers, dict):
        raise FieldError(name, f"is {described(packers)}, not an object")
    if unknown := packers.keys() - set(keys):
        wrong = f"has {min(unknown)!r}, a receptacle that recs_keys does not know"
        repairs.make(name, wrong, "without a receptacle that recs_keys does not know")
    for key in keys:
        if not isinstance(packers.get(key), dict):
            raise FieldError(name, f"has no entry (an object) for the receptacle {key!r}")
    return [packers[key] for key in keys]


def _footprints(keys: Sequence[str], footprints: Sequence[tuple[Any, Any]]) -> NDArray[np.float64]:
    """[receptacle, 4] x_min, z_min, dx, dz in metres."""
    out = np.empty((len(keys), 4))
    for row, key, (corner, size) in zip(out, keys, footprints, strict=True):
        row[:2] = as_numbers(corner, f"recs_packers[{key!r}].bottom_left", (2,))
        row[2:] = as_numbers(size, f"recs_packers[{key!r}].size", (2,))
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


def _items(raw: Mapping[str, Any], repairs: Repairs) -> tuple[Item, ...]:
    keys, categories = object_names(raw, repairs)
    files = object_files(raw, len(keys), repairs)
    positions = _coordinates(raw, "objs_pos", len(keys))
    rotations = read_rotations(raw, "objs_rot", len(keys), repairs)
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
    values = as_numbers(read(raw, name), name, shape, " (receptacles x objects)")
    out: NDArray[np.bool_] = values == 1
    if not (out | (values == 0)).all():
        raise FieldError(name, "holds something other than 0 and 1")
    return out


def _coordinates(raw: Mapping[str, Any], name: str, count: int) -> NDArray[np.float64]:
    """[row, 3] in metres."""
    values = as_numbers(read(raw, name), name, (count, 3))
    if np.abs(values).max(initial=0) > MAX_COORDINATE:
        raise FieldError(name, f"lies further than {MAX_COORDINATE:.0f} m from the origin")
    return values


def _oracle_steps(raw: Mapping[str, Any], repairs: Repairs) -> int | None:
    """What the benchmark's oracle needed, which only readers of results look at."""
    name = "oracle_steps_solve"
    if raw.get(name) is None:
        return None
    try:
        return as_whole(raw[name], name)
    except FieldError as error:
        repairs.make(name, error.wrong, "no number in place of one that cannot be read")
        return None
