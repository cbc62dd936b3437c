"""How well CartPole's motion words can be told from what four frames draw, and the pushes between them.

Gymnasium draws in whole pixels: a pole's tip moves by one for .48 degrees, so that four frames show turning to a few
degrees a second. A network that is given the exact pixels of the drawn corners, where an image-text model has to find
them first, says what a reader of frames can hope for. Run `python -m benchmarks.cartpole_drawn`; about ten minutes.
"""

from collections import deque
from typing import Any

import numpy as np
import torch
import tyro

from apps.atari_vision.frames import RANDOMNESS
from apps.atari_vision.oracle import expert_action
from apps.atari_vision.simulator.cartpole import SCALE, WIDTH
from apps.atari_vision.worlds import world
from lmgt_core.training.statistics import bootstrap_ci

FRAMES = 4
POLE = ((-5, -5), (-5, 120), (5, 120), (5, -5))  # pixels from the axle, as Gymnasium draws it
AXLE, TRACK, CART = 7.5, 100, -25  # height of the axle over the cart's middle, of the track, and the cart's left edge
MOTION = ("tip", "roll")


def main(train: int = 120_000, test: int = 6000, epochs: int = 30, seed: int = 0) -> None:
    """Prints the share of `test` decisions whose motion words the network tells right, with 95 % intervals."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    seen, words = play(train, seed + 1)
    asked, truth = play(test, seed)
    mean, spread = seen.mean(0), seen.std(0) + 1e-6
    told = fit((seen - mean) / spread, words, (asked - mean) / spread, epochs)
    right = told == truth
    for name, values in (("tip", right[:, 0]), ("roll", right[:, 1]), ("tip and roll", right.all(1))):
        low, high = bootstrap_ci([float(v) for v in values], "mean") or (0.0, 1.0)
        print(f"{name}: {values.mean():.3f} [{low:.3f}, {high:.3f}]")


def play(decisions: int, seed: int) -> tuple[Any, Any]:
    """(features [decision, feature], numbers of the motion words [decision, 2]) of play, half random, half expert."""
    made, rng = world("CartPole"), np.random.default_rng(seed)
    env = made.plain()
    state, _ = env.reset(seed=seed)
    last = deque([[*corners(state), 0]] * FRAMES, maxlen=FRAMES)
    features, words = [], []
    for _ in range(decisions):
        random = rng.random() < RANDOMNESS
        push = int(rng.integers(2)) if random else expert_action(made, state, rng)
        state, _, terminated, truncated, _ = env.step(push)
        last.append([*corners(state), 2 * push - 1])
        left = last[-1][0]
        features.append([v - left if i < 1 + len(POLE) else v for frame in last for i, v in enumerate(frame)] + [left])
        facts = made.knowledge.facts(state)
        words.append([made.phrasing.slots[slot].index(facts[slot]) for slot in MOTION])
        if terminated or truncated:
            state, _ = env.reset(seed=int(rng.integers(2**31)))
            last.extend([[*corners(state), 0]] * FRAMES)
    return np.array(features, np.float32), np.array(words)


def corners(state: Any) -> list[int]:
    """Columns of the cart's left edge and of the pole's corners, then the corners' rows, in whole pixels."""
    position, _, angle, _ = (float(n) for n in state)
    middle = position * SCALE + WIDTH / 2
    turned = [(x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)) for x, y in POLE]
    return [int(CART + middle), *(int(x + middle) for x, _ in turned), *(int(y + TRACK + AXLE) for _, y in turned)]


def fit(seen: Any, words: Any, asked: Any, epochs: int, batch: int = 256) -> Any:
    """Numbers of the motion words [decision, 2] that a network taught with `seen` gives for `asked`."""
    sizes = [int(n) + 1 for n in words.max(0)]
    inputs, labels = torch.tensor(seen), torch.tensor(words)
    layers = torch.nn.Linear(inputs.shape[1], 128), torch.nn.ReLU(), torch.nn.Linear(128, 128), torch.nn.ReLU()
    network = torch.nn.Sequential(*layers, torch.nn.Linear(128, sum(sizes)))
    adam = torch.optim.Adam(network.parameters())
    steps = epochs * (len(inputs) // batch)
    rate: Any = torch.optim.lr_scheduler.OneCycleLR(adam, 4e-3, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs))[: len(inputs) // batch * batch].split(batch):
            parts = network(inputs[rows]).split(sizes, dim=1)
            losses = [torch.nn.functional.cross_entropy(part, labels[rows, i]) for i, part in enumerate(parts)]
            adam.zero_grad()
            torch.autograd.backward(torch.stack(losses).sum())
            adam.step()
            rate.step()
    with torch.inference_mode():
        return np.stack([part.argmax(1).numpy() for part in network(torch.tensor(asked)).split(sizes, dim=1)], axis=1)


if __name__ == "__main__":
    tyro.cli(main)
