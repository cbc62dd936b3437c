"""Small decision problems, each with a way in which a wrong shift can mislead."""

from collections.abc import Callable, Mapping

import numpy as np

from apps.tabular.mdp import FiniteMDP, Floats
from lmgt_core.errors import UserError

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left, as (row, column)
LEFT, RIGHT = 0, 1


def chain(length: int = 6, discount: float = 0.95) -> FiniteMDP:
    """A corridor from its left end, with a reward of 1 behind its right end and of 0.1 behind its left one."""
    states = length + 2  # and the two ends
    transitions, rewards = _empty(states, 2)
    for state in range(length):
        transitions[state, LEFT, state - 1 if state else length] = 1
        transitions[state, RIGHT, state + 1 if state + 1 < length else length + 1] = 1
    rewards[0, LEFT, length], rewards[length - 1, RIGHT, length + 1] = 0.1, 1
    return _mdp("chain", transitions, rewards, (length, length + 1), 0, discount)


def cliff(rows: int = 3, columns: int = 5, discount: float = 0.98) -> FiniteMDP:
    """Sutton and Barto 2018, example 6.6: -1 a step along a cliff; falling costs 100 and leads back to the start."""
    edge = rows - 1
    start, goal = edge * columns, rows * columns - 1
    transitions, rewards = _empty(rows * columns, 4)
    for row, column, action, (to_row, to_column) in _grid_moves(rows, columns):
        state, to = row * columns + column, to_row * columns + to_column
        falls = to_row == edge and 0 < to_column < columns - 1
        transitions[state, action, start if falls else to] = 1
        rewards[state, action, start if falls else to] = -100 if falls else -1
    return _mdp("cliff", transitions, rewards, (goal,), start, discount)


def trap(size: int = 4, slip: float = 0.1, discount: float = 0.95) -> FiniteMDP:
    """A square with a goal (+1) in one corner and a trap (-1) beside it; a move slips sideways with chance `slip`."""
    goal, hole = size - 1, 2 * size - 1
    transitions, rewards = _empty(size * size, 4)
    targets = {(row * size + column, action): to for row, column, action, to in _grid_moves(size, size)}
    for (state, action), _ in targets.items():
        for moved, chance in ((action, 1 - slip), ((action + 1) % 4, slip / 2), ((action + 3) % 4, slip / 2)):
            row, column = targets[state, moved]
            transitions[state, action, row * size + column] += chance
    rewards[:, :, goal], rewards[:, :, hole] = 1, -1
    return _mdp("trap", transitions, rewards, (goal, hole), size * (size - 1), discount)


def early_end(length: int = 4, discount: float = 0.9) -> FiniteMDP:
    """Rooms in a row, each with a way out (+1) and a way on (0.05; the last one leads to itself): ending early is best.

    Whoever is paid for every step, by however little, may never leave.
    """
    transitions, rewards = _empty(length + 1, 2)
    for state in range(length):
        transitions[state, 0, min(state + 1, length - 1)], rewards[state, 0, min(state + 1, length - 1)] = 1, 0.05
        transitions[state, 1, length], rewards[state, 1, length] = 1, 1
    return _mdp("early_end", transitions, rewards, (length,), 0, discount)


def river(length: int = 5, discount: float = 0.95) -> FiniteMDP:
    """RiverSwim (Strehl, Littman 2008), which never ends: drifting pays 0.005, swimming up to the far end pays 1."""
    transitions, rewards = _empty(length, 2)
    for state in range(length):
        transitions[state, LEFT, max(state - 1, 0)] = 1
        last = state == length - 1
        ahead, back = (0.3, 0.0 if state == 0 else (0.7 if last else 0.1))
        transitions[state, RIGHT, min(state + 1, length - 1)] += ahead
        transitions[state, RIGHT, max(state - 1, 0)] += back
        transitions[state, RIGHT, state] += 1 - ahead - back
    rewards[0, LEFT, 0], rewards[length - 1, RIGHT, length - 1] = 0.005, 1
    return _mdp("river", transitions, rewards, (), 0, discount)


def wide_chain(length: int = 8, actions: int = 4, discount: float = 0.95) -> FiniteMDP:
    """A corridor where one of several actions leads on and every other leads back to the start; 1 at its end."""
    transitions, rewards = _empty(length + 1, actions)
    for state in range(length):
        right = (state * 7 + 3) % actions  # another one in every state, so that no action is right everywhere
        transitions[state, :, 0] = 1
        transitions[state, right, 0], transitions[state, right, state + 1] = 0, 1
    rewards[length - 1, :, length] = 1
    return _mdp("wide_chain", transitions, rewards, (length,), 0, discount)


WORLDS: Mapping[str, Callable[..., FiniteMDP]] = {
    "chain": chain,
    "cliff": cliff,
    "trap": trap,
    "early_end": early_end,
    "river": river,
    "wide_chain": wide_chain,
}


def make_world(name: str, **sizes: float) -> FiniteMDP:
    """The world called `name`, with other sizes than its own where given; UserError for an unknown one."""
    if name not in WORLDS:
        raise UserError(f"world {name}: no such tabular world; choose one of {', '.join(WORLDS)}")
    return WORLDS[name](**sizes)


def _empty(states: int, actions: int) -> tuple[Floats, Floats]:
    return np.zeros((states, actions, states)), np.zeros((states, actions, states))


def _grid_moves(rows: int, columns: int) -> list[tuple[int, int, int, tuple[int, int]]]:
    """(row, column, action, where it leads) of every move on a grid with walls around it."""
    return [
        (row, column, action, (min(max(row + down, 0), rows - 1), min(max(column + right, 0), columns - 1)))
        for row in range(rows)
        for column in range(columns)
        for action, (down, right) in enumerate(MOVES)
    ]


def _mdp(
    name: str, transitions: Floats, rewards: Floats, ends: tuple[int, ...], start: int, discount: float
) -> FiniteMDP:
    terminal = np.zeros(len(transitions), dtype=bool)
    for end in ends:
        terminal[end] = True
        transitions[end], rewards[end] = 0, 0
        transitions[end, :, end] = 1
    return FiniteMDP(name, transitions, rewards, terminal, np.eye(len(transitions))[start], discount)
