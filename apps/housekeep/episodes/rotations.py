"""Rotations of an episode. Homes are furnished and robots start without them, so none is a reason to leave one out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.repairs import Repairs
from apps.housekeep.episodes.values import FieldError, as_numbers, read_list

NONE = (0.0, 0.0, 0.0, 1.0)  # no rotation, as a quaternion x, y, z, w
OFF_UNIT = 1e-3  # how far from 1 a length may be and pass for rounded


def read_rotations(raw: Mapping[str, Any], name: str, count: int, repairs: Repairs) -> NDArray[np.float64]:
    """[row, 4] unit quaternions x, y, z, w; no rotation stands in for what is none."""
    try:
        rows = read_list(raw, name, count)
    except FieldError as error:
        repairs.make(name, error.wrong, "no rotations in place of a field that is missing or no list of them")
        return np.tile(NONE, (count, 1))
    try:
        rotations = as_numbers(rows, name, (count, 4))
        if np.abs(rotations).max() < 2 and (np.abs(np.linalg.norm(rotations, axis=1) - 1) <= OFF_UNIT).all():
            return rotations
    except FieldError:
        pass
    return np.array([_rotation(row, name, repairs) for row in rows])


def read_rotation(raw: Mapping[str, Any], name: str, repairs: Repairs) -> NDArray[np.float64]:
    """The same of a field that is one quaternion."""
    if name not in raw:
        repairs.make(name, "is missing", "no rotation in place of a field that is missing")
        return np.array(NONE)
    return read_rotations({name: [raw[name]]}, name, 1, repairs)[0]


def _rotation(row: Any, name: str, repairs: Repairs) -> NDArray[np.float64]:
    try:
        rotation = as_numbers(row, name, (4,))
    except FieldError as error:
        repairs.make(name, error.wrong, "no rotation in place of what is no quaternion")
        return np.array(NONE)
    largest = np.abs(rotation).max()  # the squares of huge numbers are infinite
    length = float(largest * np.linalg.norm(rotation / largest)) if largest > 0 else 0.0
    if length < OFF_UNIT:
        repairs.make(name, "holds a quaternion of length 0", "no rotation in place of a quaternion of length 0")
        return np.array(NONE)
    if abs(length - 1) > OFF_UNIT:
        repairs.make(name, f"holds a quaternion of length {length:.3g}", "a rotation of length 1 in place of another's")
        rotation = rotation / largest
        rotation = rotation / np.linalg.norm(rotation)
    return rotation
