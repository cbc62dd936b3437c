"""What every Housekeep simulator must do: inherit `SimulatorContract` and give one factory method.

class TestMySimulator(SimulatorContract):
    def make_simulator(self) -> Simulator:
        return MySimulator()
"""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.protocol import (
    CELL_METRES,
    FORWARD_METRES,
    LOOK_LIMIT_DEGREES,
    REACH_METRES,
    SIGHT_METRES,
    START_LOOK_DEGREES,
    TURN_DEGREES,
    Action,
    Simulator,
    StepResult,
    path_length,
)
from tests.apps.housekeep.small_home import BOOK, CHEST, MUG, SHELF, START, TABLE, TOY, home, instance


def ground(simulator: Simulator) -> tuple[float, float]:
    """Where the agent stands (x, z)."""
    x, _, z = simulator.pose.position
    return (x, z)


def state(simulator: Simulator) -> tuple[object, ...]:
    """All that an action may change."""
    items = range(len(simulator.episode.items))
    return (
        simulator.pose,
        simulator.held,
        tuple(simulator.receptacle_of(n) for n in items),
        tuple(simulator.item_position(n) for n in items),
        simulator.visible(),
    )


def run(simulator: Simulator, actions: Sequence[Action]) -> list[StepResult]:
    return [simulator.step(action) for action in actions]


class SimulatorContract:
    """The contract of `apps.housekeep.simulator.protocol.Simulator`; override `make_simulator`."""

    def make_simulator(self) -> Simulator:
        raise NotImplementedError("give the simulator to be tested")

    def loaded(self, episode: Episode | None = None) -> Simulator:
        simulator = self.make_simulator()
        simulator.load(home() if episode is None else episode)
        return simulator

    def test_loading_puts_the_agent_at_the_start_with_an_empty_hand(self) -> None:
        simulator = self.loaded()
        assert simulator.pose.position == (0.0, 0.0, 0.0)
        assert simulator.pose.yaw == pytest.approx(0.0)
        assert simulator.pose.tilt == START_LOOK_DEGREES
        assert simulator.held is None

    def test_objects_are_where_the_episode_says(self) -> None:
        simulator = self.loaded()
        for n, item in enumerate(simulator.episode.items):
            assert simulator.item_position(n) == pytest.approx(item.position, abs=1e-3)
            assert simulator.receptacle_of(n) == START[n]

    def test_the_start_heading_is_read_from_the_quaternion(self) -> None:
        half = math.radians(50) / 2
        episode = home()
        object.__setattr__(episode, "start_rotation", (0.0, math.sin(half), 0.0, math.cos(half)))
        assert self.loaded(episode).pose.yaw == pytest.approx(math.radians(50))

    def test_a_turn_is_twenty_degrees_left_is_positive_and_eighteen_come_round(self) -> None:
        simulator = self.loaded()
        simulator.step(Action.TURN_LEFT)
        assert simulator.pose.yaw == pytest.approx(math.radians(TURN_DEGREES))
        run(simulator, [Action.TURN_RIGHT] * 2)
        assert simulator.pose.yaw == pytest.approx(-math.radians(TURN_DEGREES))
        run(simulator, [Action.TURN_LEFT] * 19)
        assert simulator.pose.yaw == pytest.approx(0.0, abs=1e-9)

    def test_looks_stop_at_the_limit(self) -> None:
        simulator = self.loaded()
        run(simulator, [Action.LOOK_UP] * 9)
        assert simulator.pose.tilt == LOOK_LIMIT_DEGREES
        run(simulator, [Action.LOOK_DOWN] * 9)
        assert simulator.pose.tilt == -LOOK_LIMIT_DEGREES

    def test_a_free_step_goes_straight_ahead(self) -> None:
        simulator = self.loaded()
        simulator.step(Action.TURN_LEFT)
        result = simulator.step(Action.MOVE_FORWARD)
        yaw = math.radians(TURN_DEGREES)
        assert ground(simulator) == pytest.approx((-FORWARD_METRES * math.sin(yaw), -FORWARD_METRES * math.cos(yaw)))
        assert not result.collided

    def test_furniture_stops_the_agent_and_says_so(self) -> None:
        simulator = self.loaded()
        results = run(simulator, [Action.MOVE_FORWARD] * 12)
        assert results[-1].collided
        assert -1.8 < ground(simulator)[1] < -1.2  # the table's front is at z = -1.8

    def test_the_apartment_ends_somewhere(self) -> None:
        simulator = self.loaded()
        run(simulator, [Action.TURN_LEFT] * 9)
        results = run(simulator, [Action.MOVE_FORWARD] * 200)
        assert results[-1].collided
        assert ground(simulator)[1] < 40

    def test_the_same_actions_give_the_same_everything(self) -> None:
        actions = [Action(int(a)) for a in np.random.default_rng(0).integers(0, 6, size=120)]
        first, second = self.loaded(), self.loaded()
        assert run(first, actions) == run(second, actions)
        assert state(first) == state(second)
        assert (first.render().rgb == second.render().rgb).all()

    def test_loading_again_undoes_everything(self) -> None:
        fresh, used = self.loaded(), self.loaded()
        run(used, [Action.TURN_LEFT, Action.MOVE_FORWARD])
        used.grab_release(instance(MUG))
        used.load(home({MUG: SHELF}))
        used.load(home())
        assert state(used) == state(fresh)
        assert (used.render().rgb == fresh.render().rgb).all()

    def test_a_frame_holds_what_it_says(self) -> None:
        simulator = self.loaded()
        frame = simulator.render()
        height, width, _ = frame.rgb.shape
        assert (frame.rgb.dtype, frame.semantic.dtype, frame.depth.dtype) == (np.uint8, np.int32, np.float32)
        assert frame.semantic.shape == frame.depth.shape == (height, width)
        assert frame.semantic.min() >= 0
        assert frame.semantic.max() <= len(simulator.episode.receptacles) + len(simulator.episode.items)
        assert np.isfinite(frame.depth).all()
        assert (frame.depth > 0).all()  # a room is closed on all sides
        assert frame.rgb.std() > 5

    def test_furniture_and_objects_in_front_are_visible_and_in_the_image(self) -> None:
        simulator = self.loaded()
        expected = {1 + SHELF, 1 + TABLE, 1 + CHEST, instance(MUG), instance(BOOK), instance(TOY)}
        assert simulator.visible() == expected
        assert expected <= set(np.unique(simulator.render().semantic).tolist())

    def test_nothing_behind_the_agent_is_visible(self) -> None:
        simulator = self.loaded()
        run(simulator, [Action.TURN_LEFT] * 9)
        assert simulator.visible() == frozenset()
        assert (simulator.render().semantic == 0).all()

    def test_asking_about_some_gives_the_visible_ones_among_them(self) -> None:
        simulator = self.loaded()
        for asked in ({1 + TABLE, instance(TOY)}, set(), {instance(BOOK)}):
            mask = np.zeros(7, bool)
            mask[list(asked)] = True
            assert simulator.visible(mask) == simulator.visible() & asked

    def test_an_object_is_picked_and_gone_from_the_scene(self) -> None:
        simulator = self.loaded()
        assert simulator.grab_release(instance(MUG)) == StepResult(picked=MUG)
        assert (simulator.held, simulator.receptacle_of(MUG)) == (MUG, None)
        assert instance(MUG) not in simulator.visible()
        assert instance(MUG) not in simulator.render().semantic

    def test_a_held_object_is_placed_on_a_receptacle(self) -> None:
        simulator = self.loaded()
        simulator.grab_release(instance(MUG))
        assert simulator.grab_release(1 + SHELF) == StepResult(placed=(MUG, SHELF))
        assert (simulator.held, simulator.receptacle_of(MUG)) == (None, SHELF)
        x, _, z = simulator.item_position(MUG)
        assert -1.6 <= x <= -0.8 and -2.4 <= z <= -1.8
        assert instance(MUG) in simulator.visible()

    def test_what_cannot_be_done_fails_with_a_reason_and_changes_nothing(self) -> None:
        simulator = self.loaded()
        assert simulator.grab_release(1 + TABLE).failure == "hand empty"
        for nobody in (0, -1, 99):
            assert simulator.grab_release(nobody).failure == "nothing there"
        before = state(simulator)
        simulator.grab_release(instance(TOY))
        holding = state(simulator)
        assert simulator.grab_release(instance(MUG)).failure == "hand full"
        assert simulator.grab_release(instance(TOY)).failure == "not in view"
        assert state(simulator) == holding != before

    def test_what_is_not_in_view_or_too_far_is_out_of_reach(self) -> None:
        simulator = self.loaded()
        run(simulator, [Action.TURN_LEFT] * 9)
        assert simulator.grab_release(instance(MUG)).failure == "not in view"
        far = Episode(**{**vars(home()), "start_position": (0.0, 0.0, 3.0)})
        assert self.loaded(far).grab_release(instance(MUG)).failure == "too far"

    def test_the_crosshair_acts_on_the_middle_of_the_image(self) -> None:
        simulator, rng, acted = self.loaded(), np.random.default_rng(3), set()
        for turn in range(400):
            if turn % 20 == 0:
                simulator.load(home())
            aim = [Action.TURN_LEFT, Action.TURN_RIGHT, Action.LOOK_UP, Action.LOOK_DOWN, Action.MOVE_FORWARD]
            simulator.step(aim[int(rng.choice(5, p=[0.25, 0.25, 0.2, 0.2, 0.1]))])
            frame = simulator.render()
            height, width = frame.semantic.shape
            middle = np.s_[(height - 1) // 2 : height // 2 + 1, (width - 1) // 2 : width // 2 + 1]
            ids, distance = set(frame.semantic[middle].ravel().tolist()), frame.depth[middle]
            if len(ids) > 1 or abs(float(distance.mean()) - REACH_METRES) < 0.1:
                continue  # an edge: a ray through the middle may go either way
            (under,) = ids
            held, result = simulator.held, simulator.step(Action.GRAB_RELEASE)
            if under == 0:
                assert result.failure == "nothing there"
            elif distance.mean() > REACH_METRES:
                assert result.failure == "too far"
            elif under > 3:
                assert result == (StepResult(picked=under - 4) if held is None else StepResult(failure="hand full"))
            elif held is None:
                assert result.failure == "hand empty"
            else:
                assert result.placed == (held, under - 1) or result.failure == "no space"
            acted.add("placed" if result.placed else "picked" if result.picked is not None else result.failure)
        assert {"picked", "placed", "hand empty", "nothing there"} <= acted

    def test_a_receptacle_has_room_for_some_but_not_for_ever(self) -> None:
        crowd = home()
        many = 60
        start = np.zeros((3, many), bool)
        start[SHELF] = True
        full = Episode(
            **{**vars(crowd), "items": crowd.items[:1] * many, "start": start, "end": np.zeros((3, many), bool)}
        )
        simulator = self.loaded(full)
        placed = 0
        for n in range(many):
            simulator.grab_release(1 + 3 + n)
            result = simulator.grab_release(1 + TABLE)
            if result.failure:
                break
            placed += 1
        assert result.failure == "no space"
        assert simulator.held == n
        assert 5 <= placed < many
        assert simulator.grab_release(1 + CHEST).placed == (n, CHEST)

    def test_a_path_leads_from_the_agent_to_every_standing_place(self) -> None:
        simulator = self.loaded()
        for receptacle in simulator.episode.receptacles:
            goal = receptacle.nav_position
            path = simulator.path(goal)
            assert path[0] == ground(simulator)
            assert path[-1] == pytest.approx((goal[0], goal[2]), abs=0.1)
            straight = math.dist(path[0], path[-1])
            assert straight - 1e-9 <= path_length(path) <= 1.5 * straight + 0.2

    def test_a_path_between_two_points_is_as_long_both_ways(self) -> None:
        simulator = self.loaded()
        a, b = (-1.2, 0.0, -1.2), (1.2, 0.0, 0.3)
        assert path_length(simulator.path(a, b)) == pytest.approx(path_length(simulator.path(b, a)), rel=0.05)

    def test_following_the_course_arrives(self) -> None:
        simulator = self.loaded()
        for receptacle in simulator.episode.receptacles:
            x, _, z = receptacle.nav_position
            for _ in range(40):
                if math.dist(ground(simulator), (x, z)) <= 0.2:
                    break
                turns = simulator.course((x, 0.0, z))
                assert turns is not None
                run(simulator, [Action.TURN_LEFT if turns > 0 else Action.TURN_RIGHT] * abs(turns))
                simulator.step(Action.MOVE_FORWARD)
            assert math.dist(ground(simulator), (x, z)) <= 0.2

    def test_snapping_keeps_what_is_walkable_and_brings_the_rest_there(self) -> None:
        simulator = self.loaded()
        assert simulator.snap((0.0, 0.0, 0.0)) == pytest.approx((0.0, 0.0), abs=1e-4)
        inside_the_table = simulator.snap((0.0, 0.0, -2.1))
        assert simulator.snap((*inside_the_table,)) == pytest.approx(inside_the_table, abs=1e-4)
        assert math.dist(inside_the_table, (0.0, -2.1)) < 1.0

    def test_floor_cells_can_be_stood_on_and_lie_on_a_grid(self) -> None:
        cells = self.loaded().floor_cells()
        simulator = self.loaded()
        assert all(simulator.snap((x, 0.0, z)) == pytest.approx((x, z)) for x, z in cells)
        steps = (cells - cells[0]) / CELL_METRES
        assert np.allclose(steps, np.round(steps))
        assert len(np.unique(cells, axis=0)) == len(cells) > 20

    def test_seen_floor_is_ahead_and_near_and_all_of_it_is_seen_in_the_end(self) -> None:
        simulator = self.loaded()
        cells, (x, z), yaw = simulator.floor_cells(), ground(simulator), simulator.pose.yaw
        seen = cells[simulator.seen_floor()]
        away = np.hypot(seen[:, 0] - x, seen[:, 1] - z)
        bearing = np.arctan2(-(seen[:, 0] - x), -(seen[:, 1] - z))
        assert away.max() <= SIGHT_METRES + CELL_METRES
        assert (np.abs(bearing - yaw)[away > 0.5] < math.radians(55)).all()
        around = set()
        for _ in range(18):
            around |= set(simulator.seen_floor().tolist())
            simulator.step(Action.TURN_LEFT)
        assert around == set(range(len(cells)))  # one room, and it is smaller than one can see
