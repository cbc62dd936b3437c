"""The worlds of this app: how each is made, what is known about it, and how its learner sees it.

Every world is also an environment of Gymnasium, `lmgt/NAME-v0`, whose observation holds the agent's own view, the frame
and the privileged memory; `simulator/seen.py` says what is what.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from apps.atari_vision.knowledge import blackjack, breakout, cartpole, freeway, montezuma, pitfall, pong
from apps.atari_vision.knowledge.knowledge import Knowledge, nothing_written, nowhere
from apps.atari_vision.motion import LastFrames
from apps.atari_vision.simulator.atari import MOST_DECISIONS, SHAPE, AtariFrames
from apps.atari_vision.simulator.blackjack import BOX_SHAPE, CARDS_SHAPE, BlackjackFrames
from apps.atari_vision.simulator.cartpole import SHAPE as CARTPOLE_SHAPE
from apps.atari_vision.simulator.cartpole import CartPoleFrames
from apps.atari_vision.simulator.seen import AgentView, Seen
from captioners.phrasing import Phrasing
from captioners.strips import strip_shape
from lmgt_core.errors import UserError
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.judging.strategies import load_strategy

PROMPTS = Path(__file__).parent / "prompts"
CAPTIONS = PROMPTS.parent / "captions"  # what an image-text model is asked for

SEVERAL = "There are {count} moments, the oldest first; tell of the last."
MOST_FRAMES = 8  # side by side


class Integers(gym.ObservationWrapper[NDArray[np.int64], int, tuple[int, ...]]):
    """Blackjack's tuple of numbers as an array, as its frames' worlds have it."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = gym.spaces.MultiDiscrete([32, 11, 2])

    def observation(self, observation: tuple[int, ...]) -> NDArray[np.int64]:
        return np.array(observation, dtype=np.int64)


@dataclass(frozen=True)
class World:
    """A world and what belongs to it."""

    name: str
    folder: str
    """Of its prompts, inside `prompts/`."""
    knowledge: Knowledge
    make: Callable[..., gym.Env[Seen, Any]]
    """The world with frames."""
    plain: Callable[[], gym.Env[Any, Any]]
    """The same world as the learner sees it, without the cost of frames where they can be left out."""
    shape: tuple[int, int]
    """Height and width of its frames."""
    game: bool = False
    """Whether it is an Atari game: a learner of pixels, its rewards clipped to their signs."""
    episodes: int = 20
    """Episodes of an evaluation."""
    frames: int = 1
    """How many of the last frames are shown side by side; see motion.py."""

    @property
    def phrasing(self) -> Phrasing:
        """The sentence of its captions."""
        return self.knowledge.phrasing

    def template(
        self, strategy: str = "zero-shot", prompts: Path | None = None, documents: Path | None = None
    ) -> PromptTemplate:
        """The template that judges are asked with; UserError for a folder or strategy that is not there."""
        return load_strategy(prompts or PROMPTS / self.folder, strategy, documents)

    @cached_property
    def question(self) -> str:
        """What image-text models are asked for a caption."""
        asked = (CAPTIONS / f"{self.folder}.txt").read_text(encoding="utf-8").strip()
        return asked if self.frames == 1 else f"{asked} {SEVERAL.format(count=self.frames)}"

    def action(self, text: str) -> int:
        """The action that a user names: its number, its words, or an Atari action's name; UserError for others."""
        wanted = text.strip().lower()
        words = [w.lower() for w in self.knowledge.actions]
        names = _meanings(self)
        if wanted.isdigit() and int(wanted) < len(words):
            return int(wanted)
        fitting = [i for i, w in enumerate(words) if w == wanted or (i < len(names) and names[i].lower() == wanted)]
        fitting = fitting or [i for i, w in enumerate(words) if wanted and wanted in w]
        if len(fitting) != 1:
            listed = ", ".join(f"{i} ({w})" for i, w in enumerate(self.knowledge.actions))
            raise UserError(f"--action {text!r}: fits {len(fitting)} actions of {self.name}; there are: {listed}")
        return fitting[0]


def _meanings(world: World) -> list[str]:
    if not world.game:
        return []
    env = world.make()
    names = list(env.unwrapped.meanings)  # type: ignore[attr-defined]
    env.close()
    return names


def _plain_blackjack() -> gym.Env[Any, Any]:
    return Integers(gym.make("Blackjack-v1", disable_env_checker=True))


def _plain_cartpole() -> gym.Env[Any, Any]:
    return gym.make("CartPole-v1", disable_env_checker=True)


def _plain_atari(game: str) -> gym.Env[Any, Any]:
    return AgentView(AtariFrames(game))


def _atari(name: str, folder: str, knowledge: Knowledge) -> World:
    return World(name, folder, knowledge, partial(AtariFrames, name), partial(_plain_atari, name), SHAPE, True, 5)


BOX = World(
    "Blackjack-box",
    "blackjack",
    blackjack.BLACKJACK_BOX,
    BlackjackFrames,
    _plain_blackjack,
    BOX_SHAPE,
    episodes=2000,
)
CARDS = World(
    "Blackjack-cards",
    "blackjack",
    blackjack.BLACKJACK_CARDS,
    partial(BlackjackFrames, cards=True),
    _plain_blackjack,
    CARDS_SHAPE,
    episodes=2000,
)
WORLDS: Mapping[str, World] = {
    w.name: w
    for w in (
        BOX,
        CARDS,
        World("CartPole", "cartpole", cartpole.CARTPOLE, CartPoleFrames, _plain_cartpole, CARTPOLE_SHAPE),
        _atari("Pong", "pong", pong.PONG),
        _atari("Breakout", "breakout", breakout.BREAKOUT),
        _atari("Freeway", "freeway", freeway.FREEWAY),
        _atari("Pitfall", "pitfall", pitfall.PITFALL),
        _atari("MontezumaRevenge", "montezuma", montezuma.MONTEZUMA),
    )
}


def world(name: str) -> World:
    """The world called `name`, also as lmgt/NAME-v0; UserError with the list of names.

    NAME-4 is the world whose frame is the strip of its last four frames (2 to 8).
    """
    short = name.removeprefix("lmgt/").removesuffix("-v0")
    one, dash, count = short.rpartition("-")
    if dash and one in WORLDS and count.isdecimal() and 2 <= int(count) <= MOST_FRAMES:
        return _several(WORLDS[one], int(count))
    if short not in WORLDS:
        few = f"{', '.join(WORLDS)}, or NAME-4 for the last four frames of one (2 to {MOST_FRAMES})"
        raise UserError(f"--env {name}: no such world; choose one of {few}")
    return WORLDS[short]


def _several(one: World, count: int) -> World:
    """The world whose frame is the strip of the last `count` frames of `one`; nothing in it can be read by place."""
    know = replace(one.knowledge, regions=(), compose=nothing_written, positions=nowhere)

    def make(**settings: Any) -> gym.Env[Seen, Any]:
        return LastFrames(one.make(**settings), count, know.actions)

    shape = strip_shape(one.shape, count)
    return replace(one, name=f"{one.name}-{count}", knowledge=know, make=make, shape=shape, frames=count)


def environment(name: str, frames: bool, limit: int | None = None) -> gym.Env[Any, Any]:
    """The world called `name` for training: with `frames` whole observations for a judge, else the agent's view only.

    Both show the agent the same. Episodes of games end after `limit` decisions (None: 30 minutes of play).
    """
    made = world(name)
    if not made.game:
        return made.make() if frames else made.plain()
    env = made.make(limit=limit or MOST_DECISIONS)
    return env if frames else AgentView(env)


def register() -> None:
    """Makes the worlds known to Gymnasium as lmgt/NAME-v0, once."""
    for name, made in WORLDS.items():
        if f"lmgt/{name}-v0" not in gym.registry:
            gym.register(f"lmgt/{name}-v0", entry_point=made.make)


register()
