"""The walk grid: where the agent can stand, how it slides, which way is shortest."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from apps.housekeep.simulator.apartment import apartment_of
from apps.housekeep.simulator.geometry import Rect
from apps.housekeep.simulator.grid import Grid
from apps.housekeep.simulator.navigation import STANDING_DISC, WalkMap
from apps.housekeep.simulator.protocol import AGENT_RADIUS_METRES, path_length
from tests.apps.housekeep.furnished import Box, box, furnished, two_rooms
from tests.apps.housekeep.homes import builtin_files, distinct_homes

HALF_DIAGONAL = 0.05 * math.sqrt(2) / 2


def hall(*boxes: Box) -> WalkMap:
    """A hall of about 8 x 8 m around the origin, with chests at its corners and `boxes` in it."""
    corners = [(-4.0, -4.0), (3.6, -4.0), (-4.0, 3.6), (3.6, 3.6)]
    chests = [
        box(n, "chest", "hall_0", (x, z, 0.4, 0.4), (0.8 * x + 0.4, 0.8 * z + 0.4)) for n, (x, z) in enumerate(corners)
    ]
    inside = [box(9 + n, "table", "hall_0", b, (0.0, 0.0)) for n, b in enumerate(boxes)]
    return WalkMap(apartment_of(furnished([*chests, *inside])))


def test_a_cell_is_near_by_its_centre() -> None:
    grid = Grid(0.0, 0.0, 4, 4, 1.0)  # centres at 0.5, 1.5, 2.5, 3.5
    near = grid.near([Rect(0.0, 0.0, 1.0, 1.0)], 0.6)
    assert near.tolist() == [
        [True, True, False, False],
        [True, False, False, False],  # (1.5, 1.5) is 0.71 away from the corner
        [False] * 4,
        [False] * 4,
    ]


def test_a_step_in_the_open_is_a_quarter_of_a_metre() -> None:
    x, z, collided = hall().forward(0.0, 0.0, math.radians(30))
    assert (x, z) == pytest.approx((-0.125, -0.25 * math.sqrt(3) / 2))
    assert not collided


def test_a_step_into_a_flat_front_stops_before_it() -> None:
    walk = hall((-1.0, -1.0, 2.0, 0.5))  # its front is at z = -0.5
    x, z = 0.0, 0.0
    for _ in range(4):
        x, z, collided = walk.forward(x, z, 0.0)
    assert collided
    assert x == pytest.approx(0.0, abs=1e-9)
    assert -0.5 + AGENT_RADIUS_METRES - HALF_DIAGONAL <= z <= -0.5 + AGENT_RADIUS_METRES + 0.1


def test_a_slanted_step_slides_along_the_front() -> None:
    walk = hall((-1.0, -1.0, 2.0, 0.5))
    x, z = 0.3, -0.25
    for _ in range(3):
        x, z, collided = walk.forward(x, z, math.radians(60))  # mostly to the left
        assert collided
    assert x == pytest.approx(0.3 - 3 * 0.25 * math.sin(math.radians(60)), abs=0.01)
    assert z > -0.5 + AGENT_RADIUS_METRES - HALF_DIAGONAL


def test_a_corner_of_furniture_is_passed_by_sliding_and_a_pocket_is_not_left() -> None:
    walk = hall((-1.0, -1.0, 2.0, 0.5), (0.6, -1.0, 0.4, 2.0))  # an L
    x, z = 0.2, 0.0
    for _ in range(8):
        x, z, collided = walk.forward(x, z, math.radians(-45))  # into the L's inside corner
    assert collided
    assert x < 0.6 and z > -0.5


def test_a_path_in_the_open_is_the_straight_line() -> None:
    path = hall().path((-2.0, -2.0), (2.0, 1.0))
    assert path == [(-2.0, -2.0), (2.0, 1.0)]


def test_a_path_goes_around_and_is_not_much_longer_than_it_must_be() -> None:
    """Around the end of a 3 m table the shortest way, 0.18 m off its corner, is 2 * hypot(1.68, 1.25) by hand; ways
    keep off corners, so up to a fifth is added."""
    walk = hall((-1.5, -0.1, 3.0, 0.2))
    length, shortest = path_length(walk.path((0.0, -1.25), (0.0, 1.25))), 2 * math.hypot(1.68, 1.25)
    assert shortest - 0.1 <= length <= 1.2 * shortest


def test_there_is_no_path_through_a_wall_but_through_its_door() -> None:
    apartment = apartment_of(two_rooms())
    walk, (door,) = WalkMap(apartment), apartment.doorways
    path = walk.path((-2.0, 0.0), (3.0, 0.7))
    crossings = [
        a[1] + (b[1] - a[1]) * (door.at - a[0]) / (b[0] - a[0])
        for a, b in itertools.pairwise(path)
        if (a[0] - door.at) * (b[0] - door.at) < 0
    ]
    assert len(crossings) == 1
    assert door.low < crossings[0] < door.high


def test_a_standing_place_under_furniture_is_free_and_joined_to_the_floor() -> None:
    chair = box(5, "chair", "hall_0", (-0.3, 1.0, 0.6, 0.6), (0.0, 1.3))
    table = box(6, "table", "hall_0", (-1.0, 0.6, 2.0, 1.4), (0.0, 2.6))
    walk = WalkMap(apartment_of(furnished([chair, table])))
    assert walk.stands(0.0, 1.3)
    assert walk.path((0.0, 0.0), (0.0, 1.3))[-1] == (0.0, 1.3)
    assert walk.freed[walk.grid.cell(0.0, 1.3)]


def test_a_warm_path_is_the_cold_one() -> None:
    walk = hall((-1.5, -0.1, 3.0, 0.2))
    cold = walk.path((0.0, -1.25), (0.0, 1.25))
    assert walk.path((0.0, -1.25), (0.0, 1.25)) == cold
    assert hall((-1.5, -0.1, 3.0, 0.2)).path((0.0, -1.25), (0.0, 1.25)) == cold


def test_a_walker_with_twenty_degree_turns_reaches_every_standing_place_in_every_built_in_home() -> None:
    """Every course decomposes into steps that are really taken, and costs at most three steps for one that is free."""
    rng = np.random.default_rng(0)
    for episode in distinct_homes(builtin_files()):
        apartment = apartment_of(episode)
        walk, (x, z), yaw = WalkMap(apartment), apartment.start, 0.0
        for k in rng.permutation(len(apartment.furniture))[:12]:
            goal = apartment.furniture[k].nav
            least, steps = path_length(walk.path((x, z), goal)) / 0.25, 0
            while math.dist((x, z), goal) > 0.2:
                turns = walk.course(x, z, yaw, goal)
                assert turns is not None and steps < 3 * least + 30
                yaw += turns * math.radians(20)
                x, z, _ = walk.forward(x, z, yaw)
                steps += 1 + abs(turns)


def beside_the_floor(walk: WalkMap, x: float, z: float) -> bool:
    """Whether the agent may stand within 2 cm of (x, z), along each axis."""
    return any(walk.stands(x + dx, z + dz) for dx in (0, -0.02, 0.02) for dz in (0, -0.02, 0.02))


# Building a home takes some 50 ms: no minutes of shrinking
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
sides = st.floats(0.2, 1.5)
places = st.floats(-3.0, 2.5)
tables = st.lists(st.tuples(places, places, sides, sides), max_size=6)


@settings(max_examples=20, deadline=None, phases=QUICK)
@given(tables, st.integers(0, 1000))
@example(
    [
        (-0.2272839, -0.9053332, 1.3633537, 0.7232363),
        (0.0, 0.0, 1.2556380, 1.1442590),
        (-1.4252741, -0.3301829, 0.5422894, 1.2),
        (1.9839031, 1.1044154, 1.2525061, 1.3397528),
        (-0.8739165, 2.5, 1.2598257, 0.6996110),
        (0.0, 0.4643571, 0.7772026, 0.7185346),
    ],
    384,
)
def test_no_walk_and_no_path_ever_enters_an_obstacle(boxes: list[Box], seed: int) -> None:
    walk, rng = hall(*boxes), np.random.default_rng(seed)
    rects = [Rect(x, z, x + dx, z + dz) for x, z, dx, dz in boxes]

    def clear(x: float, z: float) -> bool:
        nearest = min((math.dist((x, z), r.nearest(x, z)) for r in rects), default=1.0)
        return nearest > AGENT_RADIUS_METRES - HALF_DIAGONAL - 1e-9 or bool(walk.freed[walk.grid.cell(x, z)])

    x, z, yaw = 0.0, 0.0, float(rng.uniform(-3, 3))
    for _ in range(60):
        yaw += float(rng.choice([-1, 0, 0, 1])) * math.radians(20)
        x, z, _ = walk.forward(x, z, yaw)
        assert walk.stands(x, z) and clear(x, z)
        assert abs(x) < 4.5 and abs(z) < 4.5
    for goal in rng.uniform(-3.5, 3.5, (4, 2)):
        path = walk.path((x, z), (float(goal[0]), float(goal[1])))
        for a, b in itertools.pairwise(path):
            for share in np.linspace(0, 1, 60):  # sight is sampled: a line may clip a blocked cell's corner by 2 cm
                assert beside_the_floor(walk, a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))


@settings(max_examples=20, deadline=None, phases=QUICK)
@given(tables)
def test_every_standing_place_is_joined_to_the_start_whatever_stands_there(boxes: list[Box]) -> None:
    walk = hall(*boxes)
    for x, z in [(-2.8, -2.8), (3.28, -2.8), (-2.8, 3.28), (3.28, 3.28)]:
        end = walk.path((0.0, 0.0), (x, z))[-1]
        assert math.dist(end, (x, z)) <= STANDING_DISC


@pytest.mark.parametrize("point", [(100.0, 100.0), (-100.0, 0.0), (0.0, -0.1)])
def test_snapping_always_gives_a_place_to_stand(point: tuple[float, float]) -> None:
    walk = hall((-1.0, -1.0, 2.0, 2.0))
    assert walk.stands(*walk.snap(*point))
