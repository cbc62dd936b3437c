"""The small worlds, and actors that go on where they were."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest

from apps.atari_vision.actors import Actors, make_envs
from apps.atari_vision.memory_tasks import BlindCartPole, LockedChain, Maze, SmallWorlds, TMaze
from lmgt_core.errors import UserError

CARTPOLE = partial(gym.make, "CartPole-v1", disable_env_checker=True)


def walk(actors: Actors, steps: int, rng: np.random.Generator) -> list[np.ndarray]:
    seen = []
    for _ in range(steps):
        actors.begin()
        rewards, _, _ = actors.step(rng.integers(2, size=actors.count))
        seen.append(np.concatenate([actors.view.ravel(), rewards]))
    return seen


def test_the_t_maze_pays_for_the_turn_that_its_sign_told() -> None:
    maze = TMaze(8, length=2)
    first, _ = maze.reset(seed=0)
    up = first[:, 0] == 1
    assert 0 < up.sum() < 8 and first[:, :2].sum(axis=1).tolist() == [1] * 8
    for _ in range(2):
        seen, rewards, terminated, _, _ = maze.step(np.zeros(8, int))
        assert not rewards.any() and not terminated.any() and not seen[:, :2].any()  # the sign is out of sight
    _, rewards, terminated, _, _ = maze.step(np.full(8, TMaze.UP))
    assert rewards.tolist() == np.where(up, 1, -1).tolist() and terminated.all()


def test_blind_cartpole_is_gymnasiums_without_velocities() -> None:
    ours, theirs = BlindCartPole(1), CARTPOLE()
    ours.reset(seed=5)
    state, _ = theirs.reset(seed=5)
    for action in np.random.default_rng(0).integers(2, size=200):
        assert ours.observe()[0] * np.float32([2.4, 12 * 2 * np.pi / 360]) == pytest.approx(state[[0, 2]], abs=1e-5)
        _, reward, ended, _, _ = ours.step(np.array([action]))
        state, r, terminated, _, _ = theirs.step(int(action))
        assert (reward[0], ended[0]) == (r, terminated)
        if terminated:
            return
    raise AssertionError("the pole never fell")


def test_every_cell_of_the_maze_can_be_reached() -> None:
    maze = Maze(1, side=6)
    reached, todo = {0}, [0]
    while todo:
        todo += (new := [c for c in maze.neighbour[todo.pop()].tolist() if c not in reached])
        reached |= set(new)
    assert len(reached) == 36
    assert (maze.neighbour != np.arange(36)[:, None]).sum() == 2 * 35  # a tree: one way between any two cells


def test_the_chain_goes_on_by_its_key_and_else_back_to_the_start() -> None:
    chain = LockedChain(1, length=4)
    chain.reset(seed=0)
    for cell in range(3):
        seen, reward, terminated, _, _ = chain.step(chain.key[[cell]])
        assert seen[0].argmax() == cell + 1
    assert reward[0] == 1 and terminated[0] and chain.visited.all()
    chain.reset(seed=0)
    assert chain.step(1 - chain.key[[0]])[0][0].argmax() == 0


@pytest.mark.parametrize("make", [TMaze, BlindCartPole, LockedChain, Maze])
def test_equal_seeds_give_equal_episodes_and_only_masked_copies_begin(make: type[SmallWorlds]) -> None:
    first, second = (Actors(make(3), seed=1) for _ in range(2))
    for a, b in zip(walk(first, 80, np.random.default_rng(0)), walk(second, 80, np.random.default_rng(0)), strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(RuntimeError, match="reset"):
        envs = make(1)
        for _ in range(2):
            envs.step(np.zeros(1, int))


def test_actors_go_on_where_they_were() -> None:
    unbroken = Actors(make_envs(CARTPOLE, 3, processes=False), seed=7)
    rng = np.random.default_rng(0)
    walk(unbroken, 45, rng)
    state, draws = unbroken.state_dict(), rng.bit_generator.state
    resumed = Actors(make_envs(CARTPOLE, 3, processes=False), seed=7)
    resumed.load_state_dict(state)
    again = np.random.default_rng()
    again.bit_generator.state = draws
    for a, b in zip(walk(unbroken, 60, rng), walk(resumed, 60, again), strict=True):
        assert np.array_equal(a, b)


def test_a_world_that_does_not_repeat_itself_is_named() -> None:
    actors = Actors(make_envs(CARTPOLE, 1, processes=False), seed=7)
    walk(actors, 3, np.random.default_rng(0))
    with pytest.raises(UserError, match="--resume"):
        Actors(make_envs(CARTPOLE, 1, processes=False), seed=7).load_state_dict({**actors.state_dict(), "view": [[0]]})


@pytest.mark.slow
def test_actors_in_processes_do_what_actors_here_do() -> None:
    here, there = (Actors(make_envs(CARTPOLE, 2, processes), seed=3) for processes in (False, True))
    for a, b in zip(walk(here, 60, np.random.default_rng(0)), walk(there, 60, np.random.default_rng(0)), strict=True):
        assert np.array_equal(a, b)
    there.close()
