"""Labels by what happened: known answers in worlds of a few lines."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from lmgt_core.audit.rollouts import _bytes, label_by_rollouts
from lmgt_core.errors import UserError


class Doors(gym.Env[Any, Any]):
    """One decision; the observation is the number of a room, and `pay(room, action, luck, rng)` is earned."""

    action_space = Discrete(2)

    def __init__(self, pay: Any, rooms: int = 4) -> None:
        self.pay, self.rooms = pay, rooms
        self.observation_space = Discrete(rooms)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.room = int(self.np_random.integers(self.rooms))
        self.luck = float(self.np_random.random())  # hidden, and in every copy
        return np.array(self.room), {}

    def step(self, action: Any) -> Any:
        return np.array(self.room), self.pay(self.room, int(action), self.luck, self.np_random), True, False, {}


class Walk(gym.Env[Any, Any]):
    """Six steps on a line that ends two steps from 0; a moment in the middle earns 1."""

    action_space = Discrete(2)
    observation_space = Box(-9.0, 9.0, (2,), np.float64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.mark, self.at, self.left = float(self.np_random.random()), 0, 6
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self.at += 2 * int(action) - 1
        self.left -= 1
        return self._seen(), float(abs(self.at) < 2), abs(self.at) > 2 or self.left == 0, False, {}

    def _seen(self) -> Any:
        return np.array([self.mark, self.at])


def labels(env: gym.Env[Any, Any], **settings: Any) -> set[tuple[int, int, str]]:
    found = label_by_rollouts(env, lambda observation: 1, **({"states": 4, "rollouts": 32} | settings))
    return {(int(observation), int(action), label) for observation, action, label in found.labelled}


def test_what_pays_more_is_good_and_what_pays_less_is_bad() -> None:
    found = labels(Doors(lambda room, action, luck, rng: float(action == room % 2)))
    assert found == {(room, action, "good" if action == room % 2 else "bad") for room in range(4) for action in (0, 1)}


def test_what_pays_the_same_has_no_label() -> None:
    assert labels(Doors(lambda room, action, luck, rng: 1.0)) == set()


def test_hidden_luck_is_not_held_against_an_action() -> None:
    """Each copy knows its luck: by single ones the gamble would be good in half of the rooms."""
    gamble = Doors(lambda room, action, luck, rng: 0.7 if action else (1.0 if luck < 0.5 else -1.0))
    assert labels(gamble, rollouts=64) == {(room, a, "good" if a else "bad") for room in range(4) for a in (0, 1)}


def test_chance_earns_few_labels() -> None:
    """Of 60 rooms in which nothing differs but luck, the one or other may slip through; not three."""
    noise = Doors(lambda room, action, luck, rng: float(rng.normal()) * (1 if action else -1), rooms=60)
    assert len(labels(noise, states=60, rollouts=16)) <= 4


def test_where_the_stronger_policy_repairs_everything_the_weaker_one_shows_the_difference() -> None:
    def back(observation: Any) -> int:
        return int(observation[1] < 0)

    found = label_by_rollouts(Walk(), back, lambda observation: int(observation[1] > 0), states=20, rollouts=16)
    assert {(float(o[1]) > 0, a, label) for o, a, label in found.labelled if abs(o[1]) == 2} <= {
        (True, 0, "good"),
        (True, 1, "bad"),
        (False, 1, "good"),
        (False, 0, "bad"),
    }
    assert found.labelled


def test_an_environment_that_cannot_be_copied_is_reached_anew() -> None:
    class Glued(Doors):
        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("holds a window")

    def pay(room: int, action: int, luck: float, rng: np.random.Generator) -> float:
        return float(action == room % 2) + float(rng.normal())

    assert labels(Glued(pay), rollouts=64) == labels(Doors(pay), rollouts=64) != set()


def test_only_what_is_judged_is_compared() -> None:
    env = Doors(lambda room, action, luck, rng: float(action))
    found = label_by_rollouts(env, lambda o: 1, judged=lambda o, a: int(o) == 2, states=4, rollouts=16)
    assert {int(o) for o, _, _ in found.labelled} == {2}


def test_the_headline_says_how_and_how_wrong() -> None:
    env = Doors(lambda room, action, luck, rng: float(action))
    headline = label_by_rollouts(env, lambda o: 1, states=4, rollouts=16).headline
    assert headline.startswith("8 decisions in 4 states") and "16 times" in headline and "5 %" in headline


def test_an_environment_that_ignores_its_seed_is_refused() -> None:
    class Wild(Walk):
        count = 0

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            Wild.count += 1
            super().reset(seed=seed)
            self.mark = float(Wild.count)
            return self._seen(), {}

    with pytest.raises(UserError, match="went elsewhere"):
        label_by_rollouts(Wild(), lambda o: 1, states=4, rollouts=16)


def test_a_world_with_one_action_to_judge_is_refused() -> None:
    env = Doors(lambda room, action, luck, rng: 0.0)
    with pytest.raises(UserError, match="two actions"):
        label_by_rollouts(env, lambda o: 1, judged=lambda o, a: a == 0, states=4, rollouts=16)


def test_different_observations_are_not_taken_for_one() -> None:
    assert _bytes(("a", "bc")) != _bytes(("ab", "c"))
    assert _bytes(np.zeros((2, 1))) != _bytes(np.zeros((1, 2)))
    assert _bytes({"b": 1, "a": np.zeros(2)}) == _bytes({"a": np.zeros(2), "b": 1})
    assert _bytes(1) == _bytes(np.int64(1))
