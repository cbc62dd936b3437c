"""Headings: radians, 0 looks along -z, positive turns left."""

from __future__ import annotations  # worlds in a worker process import this file under Python 3.9

import math
from collections.abc import Sequence


def wrapped(yaw: float) -> float:
    """`yaw` in (-pi, pi]."""
    return math.pi - (math.pi - yaw) % (2 * math.pi)


def yaw_of(rotation: Sequence[float]) -> float:
    """Heading (radians, 0 looks along -z, positive turns left) of a quaternion x, y, z, w that turns -z ahead."""
    x, y, z, w = rotation
    ahead_x, ahead_z = -2 * (x * z + w * y), -(1 - 2 * (x * x + y * y))
    return math.atan2(-ahead_x, -ahead_z)
