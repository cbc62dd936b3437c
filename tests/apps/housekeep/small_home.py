"""A home that fits into the head: one room, three pieces of furniture in front of the agent, three objects.

The agent starts at the origin and looks along -z at all of it, within reach:

    shelf 0 (left)        table 1 (middle)      chest 2 (right)
    book 1: right         mug 0: belongs        toy 2: belongs
                          on the shelf          on the table or the shelf
"""

from collections.abc import Sequence

import numpy as np

from apps.housekeep.episodes.episode import Episode, Item, Receptacle

SHELF, TABLE, CHEST = range(3)
MUG, BOOK, TOY = range(3)
START = {MUG: TABLE, BOOK: SHELF, TOY: CHEST}
RIGHT = {MUG: (SHELF,), BOOK: (SHELF,), TOY: (TABLE, SHELF)}
MIDDLES = (-1.2, 0.0, 1.2)  # x of shelf, table, chest, metres
HALF_HEIGHT = 0.4


def receptacle(number: int, category: str, x: float, room: str = "living_room_0") -> Receptacle:
    """A piece of furniture 0.8 m wide, 0.6 m deep and 0.8 m high, 1.8 m in front of the start."""
    return Receptacle(
        key=f"{room}-{category}_{number}.urdf",
        category=category,
        room_id=room,
        position=(x, HALF_HEIGHT, -2.1),
        rotation=(0.0, 0.0, 0.0, 1.0),
        nav_position=(x, 0.0, -1.2),
        footprint=(x - 0.4, -2.4, 0.8, 0.6),
    )


def item(key: str, x: float, z: float = -2.1) -> Item:
    """An object on top of the furniture at `x`."""
    return Item(key, key.rsplit("_", 1)[0], (x, 2 * HALF_HEIGHT + 0.08, z), (0.0, 0.0, 0.0, 1.0), f"{key}.glb")


def home(
    start: dict[int, int] | None = None, right: dict[int, Sequence[int]] | None = None, episode_id: int = 0
) -> Episode:
    """The home with objects as `start` says, {object: receptacle}, and `right`, {object: receptacles}."""
    on, wanted = START | (start or {}), {**RIGHT, **(right or {})}
    begin, end = np.zeros((3, 3), bool), np.zeros((3, 3), bool)
    crowd = dict.fromkeys(range(3), 0)
    items = []
    for n, key in enumerate(("mug_0", "book_0", "toy_0")):
        begin[on[n], n] = True
        end[list(wanted[n]), n] = True
        items.append(item(key, MIDDLES[on[n]] + 0.25 * crowd[on[n]]))
        crowd[on[n]] += 1
    return Episode(
        episode_id=episode_id,
        scene="Small_0_int",
        source="small_home.py",
        start_position=(0.0, 0.0, 0.0),
        start_rotation=(0.0, 0.0, 0.0, 1.0),
        receptacles=tuple(receptacle(k, c, MIDDLES[k]) for k, c in enumerate(("shelf", "table", "chest"))),
        items=tuple(items),
        start=begin,
        end=end,
    )


def instance(item: int) -> int:
    """The simulator's id of an object."""
    return 1 + 3 + item
