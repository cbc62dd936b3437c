"""Furniture, walls and doorways inferred from an episode's receptacles."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from apps.housekeep.simulator.apartment import apartment_of
from apps.housekeep.simulator.doorways import DOOR_METRES
from apps.housekeep.simulator.fitting import fit
from apps.housekeep.simulator.geometry import Rect, furniture_of, vertical_extent
from apps.housekeep.simulator.navigation import WalkMap
from apps.housekeep.simulator.surfaces import free_spot
from apps.housekeep.simulator.walls import Segment
from tests.apps.housekeep.furnished import box, furnished, two_rooms
from tests.apps.housekeep.homes import builtin_files, distinct_homes, real_files
from tests.shared_data import needs_shared

WHICH = [pytest.param(builtin_files, id="builtin"), pytest.param(real_files, id="real", marks=needs_shared)]


@pytest.mark.parametrize(
    ("category", "y", "bottom", "top"),
    [
        ("bottom_cabinet", 0.5, 0.0, 0.97),
        ("table", 0.5, 0.0, 0.86),  # objects stand 14 % lower than twice the centre
        ("carpet", 0.004, 0.0, 0.01),
        ("counter", 0.9, 0.875, 0.925),  # a worktop
        ("counter", 0.45, 0.0, 0.873),
        ("shelf", 1.08, 0.0, 2.16),
        ("shelf", 1.4, 0.0, 2.5),  # never more than 1.1 m above its middle
        ("shelf", 1.7, 1.54, 1.86),  # a board on a wall
        ("window", 1.4, 0.8, 2.0),
        ("door", 1.0, 0.0, 2.0),
        ("top_cabinet", 1.8, 1.42, 2.18),
        ("dryer", 1.4, 1.0, 1.8),  # on a washer
        ("chest", 0.01, 0.0, 0.45),  # its origin is at its bottom
    ],
)
def test_heights_follow_the_rules(category: str, y: float, bottom: float, top: float) -> None:
    assert vertical_extent(category, y) == pytest.approx((bottom, top))


@pytest.mark.parametrize(
    ("category", "height", "obstacle"),
    [
        ("table", 0.8, True),
        ("carpet", 0.01, False),
        ("picture", 3.2, False),
        ("window", 2.8, False),
        ("door", 2.0, False),
        ("counter", 2.8, True),
        ("top_cabinet", 4.2, False),
        ("shelf", 0.6, True),
    ],
)
def test_what_one_walks_into_is_an_obstacle(category: str, height: float, obstacle: bool) -> None:
    assert furniture_of(box(0, category, "r_0", (0, 0, 1, 1), (2, 2), height)).obstacle is obstacle


def test_things_are_put_in_front_of_what_hangs_flat_on_a_wall() -> None:
    picture = furniture_of(box(0, "picture", "r_0", (1.0, 2.0, 0.8, 0.02), (1.4, 1.2), 3.2))
    assert picture.surface == Rect(1.0, 1.75, 1.8, 2.0)
    assert picture.surface_height == picture.bottom == pytest.approx(1.3)


def test_a_wall_parts_two_rooms_and_a_doorway_joins_them() -> None:
    apartment = apartment_of(two_rooms())
    assert sorted(sorted(s.rooms) for s in apartment.spaces) == [["bedroom_0"], ["kitchen_0"]]
    (door,) = apartment.doorways
    assert door.vertical and -0.2 < door.at < 1.0
    assert door.high - door.low == pytest.approx(DOOR_METRES)
    inner = [w for w in apartment.walls if w.vertical and w.at == door.at]
    assert all(w.high <= door.low or w.low >= door.high for w in inner)


def test_the_wall_is_where_a_picture_hangs_in_the_gap() -> None:
    picture = box(9, "picture", "", (0.5, -1.0, 0.02, 0.6), (0.1, -0.7), 3.2)
    apartment = apartment_of(two_rooms(picture))
    assert apartment.doorways[0].at == pytest.approx(0.52, abs=0.021)  # its back: the agent stands before it at x = 0.1


def test_a_doorway_is_moved_into_line_with_a_door_of_the_data() -> None:
    (plain,) = apartment_of(two_rooms()).doorways
    low = (plain.low + plain.high) / 2 + 0.2
    door = box(9, "door", "", (plain.at - 0.05, low, 0.1, 0.8), (plain.at - 0.6, low + 0.4), 2.0)
    (moved,) = apartment_of(two_rooms(door)).doorways
    assert (moved.low + moved.high) / 2 == pytest.approx(low + 0.4, abs=0.05)


def test_rooms_that_no_line_parts_stay_one_space() -> None:
    island = box(9, "table", "bedroom_0", (-2.6, 0.6, 0.8, 0.6), (-2.2, 0.2))
    apartment = apartment_of(two_rooms(island))
    assert len(apartment.spaces) == 1
    assert apartment.doorways == ()


def test_no_wall_parts_furniture_from_its_standing_place() -> None:
    episode = two_rooms(box(9, "chest", "bedroom_0", (0.6, 1.2, 0.3, 0.3), (0.3, 1.35)))
    apartment = apartment_of(episode)
    for furniture in apartment.furniture:
        for wall in apartment.walls:
            across = 0 if wall.vertical else 1
            assert (furniture.nav[across] - wall.at) * (furniture.rect.centre[across] - wall.at) > 0 or not (
                wall.low < furniture.nav[1 - across] < wall.high
            )


def test_a_window_lies_on_the_outer_wall_and_stands_out_of_it() -> None:
    window = box(9, "window", "", (-3.0, -2.5, 1.0, 0.1), (-2.5, -1.2), 2.8)
    apartment = apartment_of(two_rooms(window))
    wall = min((w for w in apartment.walls if not w.vertical), key=lambda w: w.at)
    assert wall.at == pytest.approx(-2.45)
    drawn = apartment.furniture[-1].rect
    assert drawn.z0 < wall.rect.z0 and drawn.z1 > wall.rect.z1


def test_one_receptacle_is_an_apartment() -> None:
    apartment = apartment_of(furnished([box(0, "bed", "bedroom_0", (1.0, 1.0, 1.0, 1.0), (0.5, 0.5))]))
    assert len(apartment.spaces) == 1
    assert len(apartment.walls) == 4


@pytest.mark.parametrize("files", WHICH)
def test_every_standing_place_of_every_apartment_is_reachable(files: Callable[[], list]) -> None:
    homes = distinct_homes(files())
    assert len(homes) >= 3
    for episode in homes:
        apartment = apartment_of(episode)
        walk = WalkMap(apartment)
        for furniture in apartment.furniture:
            assert walk.snap(*furniture.nav) == furniture.nav
            assert walk.path(apartment.start, furniture.nav)[-1] == furniture.nav


@pytest.mark.parametrize("files", WHICH)
def test_every_receptacle_is_inside_and_doorways_are_as_wide_as_doors(files: Callable[[], list]) -> None:
    for episode in distinct_homes(files()):
        apartment = apartment_of(episode)
        for furniture in apartment.furniture:
            assert any(s.rect.grown(0.3).overlaps(furniture.rect) for s in apartment.spaces)
        for door in apartment.doorways:
            assert 0.7 <= door.high - door.low <= DOOR_METRES + 1e-9


def test_the_walls_of_generated_apartments_are_found_again() -> None:
    """Rooms that lie apart become spaces of their own: walls are inferred from furniture alone."""
    for episode in distinct_homes(builtin_files()):
        rooms = {r.room_id for r in episode.receptacles if r.room_id}
        spaces = apartment_of(episode).spaces
        assert sum(len(s.rooms) == 1 for s in spaces) >= 0.6 * len(rooms)


def test_a_segment_as_a_rectangle_is_ten_centimetres_thick() -> None:
    assert Segment(True, 1.0, 0.0, 2.0).rect == Rect(0.95, -0.05, 1.05, 2.05)


def test_a_high_top_comes_down_until_its_objects_can_be_seen() -> None:
    """From 0.5 m before a shelf, an object 0.2 m behind its edge at 2.3 m: sight meets the edge at 2.07 m."""
    apartment = apartment_of(furnished([box(0, "shelf", "r_0", (-0.5, -1.0, 1.0, 0.5), (0.0, 0.0), 2.2)]))
    bottoms, tops, half = fit(apartment, np.array([[0.0, 2.3, -0.7]]), [0], eye=1.5)
    assert tops[0] == pytest.approx(1.5 + 0.8 * 0.5 / 0.7 - 0.02)
    assert bottoms[0] == 0.0
    assert half[0] == pytest.approx(2.3 - 2.2)


def test_furniture_over_an_object_is_drawn_from_higher_up() -> None:
    washer = box(0, "washer", "r_0", (0.0, 0.0, 0.8, 0.8), (0.4, 1.2), 1.0)
    dryer = box(1, "dryer", "r_0", (0.0, 0.0, 0.8, 0.8), (0.4, 1.2), 2.8)
    apartment = apartment_of(furnished([washer, dryer], start=(0.4, 1.6)))
    bottoms, tops, half = fit(apartment, np.array([[0.4, 1.05, 0.4]]), [0], eye=1.5)
    assert bottoms[1] >= 1.05 + half[0] > 1.0
    assert tops[1] == apartment.furniture[1].top


def test_a_spot_is_free_near_the_wish_and_on_the_surface() -> None:
    surface, half = Rect(0.0, 0.0, 1.0, 0.5), (0.1, 0.1, 0.1)
    taken = [Rect(0.4, 0.0, 0.6, 0.5)]
    x, z = free_spot(surface, half, taken, [], (0.5, 0.25)) or (math.nan, math.nan)
    assert 0.1 <= x <= 0.9 and 0.1 <= z <= 0.4
    assert x + 0.075 <= 0.4 or x - 0.075 >= 0.6
    assert free_spot(surface, half, [surface], [], (0.5, 0.25)) is None
    assert free_spot(surface, half, [], [surface], (0.5, 0.25)) is not None  # inside other furniture, if it must be
