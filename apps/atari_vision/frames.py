"""Different frames of play that is half random and half the expert's, with the memory behind each."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.atari_vision.oracle import expert_action
from apps.atari_vision.simulator.seen import FRAME, MEMORY
from apps.atari_vision.worlds import World
from captioners.captioner import Image, image_digest
from lmgt_core.errors import UserError

RANDOMNESS = 0.5  # share of random decisions: learners see more than an expert's own states
MOST = 40  # decisions looked at for each frame wanted, before it is said that there are no more


@dataclass(frozen=True)
class Frames:
    """Frames [frame, height, width, 3], the memory behind each, and their digests."""

    images: NDArray[np.uint8]
    memories: list[Any]
    digests: frozenset[str]


def collect(world: World, count: int, seed: int, without: Set[str] = frozenset()) -> Frames:
    """`count` frames, all different and none of them in `without`; UserError where play shows fewer.

    Seeds of episodes follow from `seed`, so that different seeds see different episodes.
    """
    rng = np.random.default_rng(seed)
    env = world.make()
    found: dict[str, tuple[Image, Any]] = {}
    observation, _ = env.reset(seed=int(rng.integers(2**31)))
    for _ in range(MOST * count):
        digest = image_digest(observation[FRAME])
        if digest not in without:
            found.setdefault(digest, (observation[FRAME], observation[MEMORY]))
        if len(found) == count:
            break
        random = int(rng.integers(len(world.knowledge.actions)))
        wild = rng.random() < RANDOMNESS
        action = random if wild else expert_action(world, observation[MEMORY], rng)
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            observation, _ = env.reset(seed=int(rng.integers(2**31)))
    env.close()
    if len(found) < count:
        raise UserError(f"--frames {count}: play of {world.name} showed only {len(found)} new frames; ask for fewer")
    images, memories = zip(*found.values(), strict=True)
    return Frames(np.stack(images), list(memories), frozenset(found))
