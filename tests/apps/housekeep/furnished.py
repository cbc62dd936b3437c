"""Episodes made of a few boxes, for tests of geometry."""

import numpy as np

from apps.housekeep.episodes.episode import Episode, Receptacle

Box = tuple[float, float, float, float]  # x_min, z_min, dx, dz


def box(
    number: int, category: str, room: str, footprint: Box, nav: tuple[float, float], height: float = 0.8
) -> Receptacle:
    """A receptacle `height` metres high (its y is half of that)."""
    x, z, dx, dz = footprint
    return Receptacle(
        key=f"{room or 'None'}-{category}_{number}.urdf",
        category=category,
        room_id=room,
        position=(x + dx / 2, height / 2, z + dz / 2),
        rotation=(0.0, 0.0, 0.0, 1.0),
        nav_position=(nav[0], 0.0, nav[1]),
        footprint=footprint,
    )


def furnished(receptacles: list[Receptacle], start: tuple[float, float] = (0.0, 0.0)) -> Episode:
    """An episode without objects."""
    none = np.zeros((len(receptacles), 0), bool)
    return Episode(
        episode_id=0,
        scene="Boxes_0_int",
        source="furnished.py",
        start_position=(start[0], 0.0, start[1]),
        start_rotation=(0.0, 0.0, 0.0, 1.0),
        receptacles=tuple(receptacles),
        items=(),
        start=none,
        end=none,
    )


def two_rooms(*more: Receptacle) -> Episode:
    """A kitchen (x < 0) and a bedroom (x > 0) with a shelf at each end of both; the agent starts in the kitchen."""
    return furnished(
        [
            box(0, "shelf", "kitchen_0", (-4.0, -2.0, 0.4, 1.0), (-3.2, -1.5)),
            box(1, "shelf", "kitchen_0", (-1.0, 1.5, 0.8, 0.4), (-0.8, 1.0)),
            box(2, "bed", "bedroom_0", (1.0, -2.0, 1.0, 1.5), (1.5, 0.0)),
            box(3, "shelf", "bedroom_0", (3.6, 0.0, 0.4, 1.5), (3.0, 0.7)),
            *more,
        ],
        start=(-2.0, 0.0),
    )
