"""The control tasks: what each is called, how it is made, described and judged."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from apps.control import describe, exact, oracle
from apps.control.describe import BinnedDescriber, BlackjackDescriber, WatchDescriber
from apps.control.watch_repair import BRANDS, WatchRepairEnv
from lmgt_core.errors import UserError
from lmgt_core.judging.description import Description
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt


class EnumerableDescriber(Protocol):
    """A describer that can list everything it may ever say."""

    def __call__(self, observation: Any, action: Any) -> Description | None: ...

    def everything(self) -> Iterator[Description]: ...


@dataclass(frozen=True)
class World:
    """A task and what belongs to it."""

    name: str
    folder: str
    """Of its prompts, inside `prompts/`."""
    make: Callable[[], gym.Env[Any, Any]]
    describer: EnumerableDescriber
    expert: oracle.Expert
    actions: Sequence[Any]
    """Every action that words tell apart: the discrete ones, or a torque for each range."""
    fields: Mapping[str, str]
    """What `lmgt judge ask --state` needs: field -> what it is, in its unit."""
    observe: Callable[[Mapping[str, float]], Any]
    """Those fields -> observation."""
    episodes: int = 20
    """Episodes of an evaluation, where it is not exact."""
    exactly: Callable[[exact.Policy], dict[str, float]] | None = None
    """Calculates an evaluation from the rules."""
    block: int = 1
    """Episodes of training that share a row of episodes.csv: their mean."""

    @property
    def discrete(self) -> bool:
        """Whether actions are numbers from a list."""
        return not isinstance(self.actions[0], np.ndarray)

    def judge(self, prompt: Prompt) -> Verdict:
        """The expert's verdict on a rendered prompt; LookupError where its facts are another task's."""
        return self.expert(prompt.facts)


class Integers(gym.ObservationWrapper[NDArray[np.int64], int, tuple[int, ...]]):
    """A tuple of discrete observations as one array of integers, which learners can take (one-hot, by themselves)."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        spaces = env.observation_space
        assert isinstance(spaces, gym.spaces.Tuple)
        self.observation_space = gym.spaces.MultiDiscrete([space.n for space in spaces])  # type: ignore[attr-defined]

    def observation(self, observation: tuple[int, ...]) -> NDArray[np.int64]:
        return np.array(observation, dtype=np.int64)


def make_watch_repair() -> gym.Env[Any, Any]:
    """Pocket Watch Repair."""
    return WatchRepairEnv()


def make_blackjack() -> gym.Env[Any, Any]:
    """Blackjack with observations [sum, dealer's card, usable ace]."""
    return Integers(gym.make("Blackjack-v1", disable_env_checker=True))


def _gym(name: str) -> Callable[[], gym.Env[Any, Any]]:
    return lambda: gym.make(name, disable_env_checker=True)


def _radians(degrees: float) -> tuple[float, float]:
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


WORLDS = {
    w.name: w
    for w in (
        World(
            "CartPole-v1",
            "cartpole",
            _gym("CartPole-v1"),
            describe.CARTPOLE,
            oracle.cartpole,
            (0, 1),
            {
                "angle": "degrees, positive to the right",
                "angular velocity": "degrees per second",
                "position": "metres from the middle",
                "velocity": "metres per second",
            },
            lambda f: (f["position"], f["velocity"], math.radians(f["angle"]), math.radians(f["angular velocity"])),
        ),
        World(
            "Pendulum-v1",
            "pendulum",
            _gym("Pendulum-v1"),
            describe.PENDULUM,
            oracle.pendulum,
            tuple(np.array([torque], dtype=np.float32) for torque in describe.PENDULUM.action.centres),
            {
                "angle": "degrees from upright, positive counter-clockwise",
                "angular velocity": "radians per second",
            },
            lambda f: (*_radians(f["angle"]), f["angular velocity"]),
        ),
        World(
            "Blackjack-v1",
            "blackjack",
            make_blackjack,
            describe.BLACKJACK,
            oracle.blackjack,
            (0, 1),
            {"sum": "4 to 21", "dealer": "1 (ace) to 10", "ace": "1 if an ace counts as 11, else 0"},
            lambda f: (int(f["sum"]), int(f["dealer"]), int(f["ace"])),
            exactly=exact.blackjack,
            block=100,
        ),
        World(
            "Acrobot-v1",
            "acrobot",
            _gym("Acrobot-v1"),
            describe.ACROBOT,
            oracle.acrobot,
            (0, 1, 2),
            {
                "upper link": "degrees from hanging down, positive to the right",
                "upper turn": "radians per second",
                "lower link": "degrees from the upper link's direction, positive to the right",
                "lower turn": "radians per second",
            },
            lambda f: (*_radians(f["upper link"]), *_radians(f["lower link"]), f["upper turn"], f["lower turn"]),
        ),
        World(
            "MountainCar-v0",
            "mountain_car",
            _gym("MountainCar-v0"),
            describe.MOUNTAIN_CAR,
            oracle.mountain_car,
            (0, 1, 2),
            {"position": "from -1.2 (left) to 0.6 (right)", "velocity": "from -0.07 to 0.07"},
            lambda f: (f["position"], f["velocity"]),
        ),
        World(
            "PocketWatch-v0",
            "watch_repair",
            make_watch_repair,
            WatchDescriber([int(b.price) for b in BRANDS]),
            oracle.watch,
            (0, 1),
            {"brand": "0 to 3"},
            lambda f: (int(f["brand"]), 0, 0, 0, 0),
            exactly=exact.watch,
            block=50,
        ),
    )
}


def world(name: str) -> World:
    """The task called `name`; UserError with the list of names."""
    if name not in WORLDS:
        raise UserError(f"--env {name}: no such control task; choose one of {', '.join(WORLDS)}")
    return WORLDS[name]


def read_state(task: World, text: str) -> Any:
    """The observation that `text` describes: "field value, field value"; UserError naming what is wrong or missing.

    "dealer ace", "no ace" and "usable ace" are understood for Blackjack.
    """
    if task.folder == "blackjack":
        text = re.sub(r"\bdealer (?:an )?ace\b", "dealer 1", text, flags=re.IGNORECASE)
        text = re.sub(r"\bno (?:usable )?ace\b", "ace 0", text, flags=re.IGNORECASE)
        text = re.sub(r"\b(?:an |a )?usable ace\b", "ace 1", text, flags=re.IGNORECASE)
    values: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        match = re.fullmatch(r"([a-z ]+?)\s*[=:]?\s*([-+]?\d*\.?\d+)", part, flags=re.IGNORECASE)
        if match is None or match[1].lower() not in task.fields:
            raise UserError(f"--state: {part!r} is not understood; {_form(task)}")
        values[match[1].lower()] = float(match[2])
    if missing := [name for name in task.fields if name not in values]:
        raise UserError(f"--state: {missing[0]} is missing; {_form(task)}")
    return _checked(task, values)


def read_action(task: World, text: str) -> Any:
    """The action that `text` names: its number, or a part of its words that no other action has; UserError if none."""
    labels = action_labels(task)
    wanted = text.strip().lower()
    if not task.discrete and re.fullmatch(r"[-+]?\d*\.?\d+", wanted):
        return np.array([float(wanted)], dtype=np.float32)
    if wanted in [str(action) for action in task.actions]:
        return task.actions[[str(action) for action in task.actions].index(wanted)]
    fitting = [i for i, label in enumerate(labels) if re.search(rf"\b{re.escape(wanted)}\b", label)] if wanted else []
    if len(fitting) != 1:
        numbered = ", ".join(f"{i} ({label})" for i, label in enumerate(labels))
        raise UserError(f"--action {text!r}: fits {len(fitting)} actions; there are: {numbered}")
    return task.actions[fitting[0]]


def action_labels(task: World) -> list[str]:
    """The words for each of the task's actions."""
    describer = task.describer
    if isinstance(describer, BinnedDescriber):
        return list(describer.action.labels)
    assert isinstance(describer, BlackjackDescriber | WatchDescriber)
    return list(describer.actions)


def _form(task: World) -> str:
    fields = ", ".join(f"{name} ({what})" for name, what in task.fields.items())
    example = ", ".join(f"{name} 0" for name in task.fields)
    return f"{task.name} needs numbers for {fields}, divided by commas, as in {example!r}"


def _checked(task: World, values: Mapping[str, float]) -> Any:
    """The observation, unless a whole number is out of range."""
    limits = {"blackjack": {"sum": (4, 21), "dealer": (1, 10), "ace": (0, 1)}, "watch_repair": {"brand": (0, 3)}}
    for name, (low, high) in limits.get(task.folder, {}).items():
        if values[name] != int(values[name]) or not low <= values[name] <= high:
            raise UserError(f"--state: {name} is a whole number from {low} to {high}, not {values[name]:g}")
    if task.folder == "blackjack" and values["ace"] and values["sum"] < 12:
        raise UserError(f"--state: a hand with an ace that counts as 11 sums to 12 or more, not {values['sum']:g}")
    return task.observe(values)
