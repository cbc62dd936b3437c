"""One apartment's fixed shape: furniture, walls, doorways, ceiling; built once per set of receptacles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.doorways import carve
from apps.housekeep.simulator.geometry import Furniture, Rect, around, furniture_of, strip_before
from apps.housekeep.simulator.walls import WALL_METRES, Point, Segment, Space, borders, partition

ShapeKey = tuple[Any, ...]
PROUD_METRES = 0.02  # by which a thing on a wall stands out of it


@dataclass(frozen=True, eq=False)
class Apartment:
    """What stands still. Metres, the episode's axes; the floor is at y = 0."""

    furniture: tuple[Furniture, ...]  # in the episode's order
    spaces: tuple[Space, ...]
    walls: tuple[Segment, ...]
    doorways: tuple[Segment, ...]
    start: Point
    bounds: Rect
    ceiling: float


def apartment_of(episode: Episode) -> Apartment:
    """The apartment of `episode`, by the rules that geometry.py and walls.py list."""
    furniture = tuple(furniture_of(r) for r in episode.receptacles)
    start = (episode.start_position[0], episode.start_position[2])
    points = [f.nav for f in furniture]
    spaces = partition(furniture, [start, *points])
    walls, doorways = carve(borders(spaces), spaces, furniture, start, points)
    furniture = tuple(_out_of_walls(f, walls) if f.flat else f for f in furniture)
    bounds = around([s.rect for s in spaces]).grown(0.5)
    ceiling = max(2.6, 0.7 + max((f.top for f in furniture), default=0.0))
    return Apartment(furniture, tuple(spaces), tuple(walls), tuple(doorways), start, bounds, ceiling)


def _out_of_walls(furniture: Furniture, walls: Sequence[Segment]) -> Furniture:
    """A flat thing made thick enough to be seen on both sides of the wall in which it lies."""
    rect = furniture.rect
    width, depth = rect.size
    for wall in walls:
        if wall.vertical != (depth > width) or not wall.rect.overlaps(rect):
            continue
        low, high = wall.at - WALL_METRES / 2 - PROUD_METRES, wall.at + WALL_METRES / 2 + PROUD_METRES
        if wall.vertical:
            rect = Rect(min(rect.x0, low), rect.z0, max(rect.x1, high), rect.z1)
        else:
            rect = Rect(rect.x0, min(rect.z0, low), rect.x1, max(rect.z1, high))
    return replace(furniture, rect=rect, surface=strip_before(rect, furniture.nav))


def shape_key(episode: Episode) -> ShapeKey:
    """What two episodes must share to be set in the same apartment: receptacles and the start position."""
    return (
        episode.start_position,
        tuple((r.key, r.position, r.footprint, r.nav_position) for r in episode.receptacles),
    )
