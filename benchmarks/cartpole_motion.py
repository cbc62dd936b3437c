"""How well CartPole's motion words could be told at best from frames alone, and from frames and the last push.

The last push changes the speed of now, but moves nothing before the next frame: whoever sees all frames up to now, and
measures them without error, still has to guess it. Run `python -m benchmarks.cartpole_motion`; half a minute.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import tyro

from apps.atari_vision.frames import RANDOMNESS
from apps.atari_vision.oracle import expert_action
from apps.atari_vision.worlds import world
from lmgt_core.training.statistics import bootstrap_ci

MOTION = ("tip", "roll")


def main(decisions: int = 6000, seed: int = 0) -> None:
    """Prints the share of decisions of play, half random and half the expert's, whose motion words can be told."""
    made, rng = world("CartPole"), np.random.default_rng(seed)
    env, game = made.plain(), gym.make("CartPole-v1", disable_env_checker=True)
    game.reset()
    told: dict[str, list[float]] = {"tip": [], "roll": [], "tip and roll": []}
    state, _ = env.reset(seed=seed)
    for _ in range(decisions):
        best = expert_action(made, state, rng)
        action = int(rng.integers(2)) if rng.random() < RANDOMNESS else best
        after = [made.knowledge.facts(_after(game.unwrapped, state, push)) for push in (0, 1)]
        chances = [RANDOMNESS / 2 + (1 - RANDOMNESS) * (push == best) for push in (0, 1)]
        for name, slots in (("tip", MOTION[:1]), ("roll", MOTION[1:]), ("tip and roll", MOTION)):
            told[name].append(_guess(after, chances, slots) == tuple(after[action][slot] for slot in slots))
        state, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            state, _ = env.reset(seed=int(rng.integers(2**31)))
    for name, right in told.items():
        low, high = bootstrap_ci(right, "mean") or (0.0, 1.0)
        print(f"{name}: {np.mean(right):.3f} [{low:.3f}, {high:.3f}] from frames; 1 with the last push")


def _after(game: Any, state: Any, push: int) -> Any:
    game.state, game.steps_beyond_terminated = np.array(state, np.float64), None
    return game.step(push)[0]


def _guess(after: Sequence[dict[str, str]], chances: Sequence[float], slots: Sequence[str]) -> tuple[str, ...]:
    """The likeliest words where the push that led here is not known."""
    weight: dict[tuple[str, ...], float] = defaultdict(float)
    for facts, chance in zip(after, chances, strict=True):
        weight[tuple(facts[slot] for slot in slots)] += chance
    return max(weight, key=lambda words: weight[words])


if __name__ == "__main__":
    tyro.cli(main)
