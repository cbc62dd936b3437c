"""One apartment's fixed shape: furniture, walls, doorways, ceiling; built once per set of receptacles."""

from dataclasses import dataclass

from apps.housekeep.episode import Episode
from apps.housekeep.simulator.geometry import Furniture, Rect, furniture_of
from apps.housekeep.simulator.walls import Point, Segment, Space, borders, carve, partition


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
    rects = [s.rect for s in spaces]
    bounds = Rect(
        min(r.x0 for r in rects) - 0.5,
        min(r.z0 for r in rects) - 0.5,
        max(r.x1 for r in rects) + 0.5,
        max(r.z1 for r in rects) + 0.5,
    )
    ceiling = max(2.6, 0.7 + max((f.top for f in furniture), default=0.0))
    return Apartment(furniture, tuple(spaces), tuple(walls), tuple(doorways), start, bounds, ceiling)


def shape_key(episode: Episode) -> tuple:
    """What two episodes must share to be set in the same apartment: receptacles and the start position."""
    return (
        episode.start_position,
        tuple((r.key, r.position, r.footprint, r.nav_position) for r in episode.receptacles),
    )
