"""Different frames of play that is half random and half the expert's or a trained agent's, with the memory behind."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.atari_vision.oracle import expert_action
from apps.atari_vision.simulator.seen import AGENT, FRAME, MEMORY, Seen
from apps.atari_vision.worlds import World
from captioners.captioner import Image, image_digest
from lmgt_core.errors import UserError

RANDOMNESS = 0.5  # share of random decisions: learners see more than an expert's own states
TRAIN, VALIDATION, TEST = "train", "validation", "test"
MOST = 40  # decisions looked at for each frame wanted, before it is said that there are no more


@dataclass(frozen=True)
class Frames:
    """Frames [frame, height, width, 3], the memory behind each, and their digests."""

    images: NDArray[np.uint8]
    memories: list[Any]
    digests: frozenset[str]


def collect(
    world: World,
    count: int,
    seed: int,
    without: Set[str] = frozenset(),
    learned: Callable[[Any], int] | None = None,
    least: int | None = None,
    wanted: str | None = None,
) -> Frames:
    """`count` frames, all different and none of them in `without`, or as many as play shows.

    UserError where those are fewer than `least` (default: `count`). Seeds of episodes follow from `seed`, so that
    different seeds see different episodes. Where a trained agent is given (view -> action) it takes the expert's place
    after half of the frames, in new episodes. `wanted` takes frames of one `part` alone.
    """
    rng = np.random.default_rng(seed)
    env = world.make()
    found: dict[str, tuple[Image, Any]] = {}
    observation, _ = env.reset(seed=int(rng.integers(2**31)))
    player = None
    for _ in range(MOST * count):
        digest = image_digest(observation[FRAME])
        if digest not in without and wanted in (None, part_of(digest)):
            found.setdefault(digest, (observation[FRAME], observation[MEMORY]))
        if len(found) == count:
            break
        observation, _, terminated, truncated, _ = env.step(_action(world, observation, rng, player))
        takes_over = player is not learned and 2 * len(found) >= count
        if terminated or truncated or takes_over:
            observation, _ = env.reset(seed=int(rng.integers(2**31)))
            player = learned if takes_over else player
    env.close()
    if len(found) < (count if least is None else least):
        shown = f"play of {world.name} showed only {len(found)} new frames of {count} that were asked for"
        raise UserError(f"--frames, --train-frames: {shown}; ask for fewer")
    images, memories = zip(*found.values(), strict=True)
    return Frames(np.stack(images), list(memories), frozenset(found))


def part(image: Image) -> str:
    """The part that a frame belongs to wherever it comes up: eight tenths train, one validation, one test."""
    return part_of(image_digest(image))


def part_of(digest: str) -> str:
    """The part of a frame with this digest."""
    return {0: TEST, 1: VALIDATION}.get(int(digest[:8], 16) % 10, TRAIN)


def _action(world: World, observation: Seen, rng: np.random.Generator, learned: Callable[[Any], int] | None) -> int:
    random = int(rng.integers(len(world.knowledge.actions)))
    if rng.random() < RANDOMNESS:
        return random
    return expert_action(world, observation[MEMORY], rng) if learned is None else learned(observation[AGENT])
