"""Training the `trained` captioner, and measuring it on frames that it has not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from captioners.captioner import Images
from captioners.models.trained import TrainedCaptioner
from captioners.phrasing import Facts, Phrasing
from lmgt_core.judges.frame_network import make_network, shrink

HELD_OUT = 0.2  # share of the frames that report the exact match
FEWEST = 20  # frames; fewer teach nothing that could be checked


@dataclass(frozen=True)
class CaptionerSettings:
    """The network's input and training."""

    side: int = 100
    """Pixels of the longer side of the shrunk frames, at most."""
    epochs: int = 15
    batch: int = 32
    learning_rate: float = 1e-3


def train_captioner(
    world: str,
    phrasing: Phrasing,
    images: Images,
    facts: Sequence[Facts],
    rng: np.random.Generator,
    settings: CaptionerSettings = CaptionerSettings(),
    tick: Callable[[int], object] = lambda epochs: None,
) -> TrainedCaptioner:
    """A captioner trained on four fifths of the frames, its `exact` measured on the rest; ValueError for too few.

    `images` should be different from one another: a frame that is on both sides would be remembered, not read.
    """
    if len(images) < FEWEST or len(images) != len(facts):
        raise ValueError(f"{len(images)} frames with {len(facts)} descriptions; training takes {FEWEST} of both")
    order = rng.permutation(len(images))
    held = max(1, int(HELD_OUT * len(images)))
    captioner = _fit(world, phrasing, images[order[held:]], [facts[i] for i in order[held:]], rng, settings, tick)
    return replace(captioner, exact=exact_match(captioner, images[order[:held]], [facts[i] for i in order[:held]]))


def exact_match(captioner: TrainedCaptioner, images: Images, facts: Sequence[Facts]) -> float:
    """The share of frames whose caption is right in every word, in [0, 1]."""
    said = captioner.caption(images)
    return float(np.mean([s == captioner.phrasing.words(f) for s, f in zip(said, facts, strict=True)]))


def _fit(
    world: str,
    phrasing: Phrasing,
    images: Images,
    facts: Sequence[Facts],
    rng: np.random.Generator,
    settings: CaptionerSettings,
    tick: Callable[[int], object],
) -> TrainedCaptioner:
    import torch

    pixels = shrink(images, settings.side)
    mean = pixels.mean(0)
    slots = phrasing.slots
    targets = torch.tensor([[slots[name].index(f[name]) for name in slots] for f in facts])  # [frame, slot]
    sizes = [len(phrases) for phrases in slots.values()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        network = make_network(pixels.shape[2:], sum(sizes))
    inputs = torch.from_numpy(pixels - mean)
    steps = settings.epochs * -(-len(inputs) // settings.batch)
    adam = torch.optim.Adam(network.parameters(), settings.learning_rate)
    falling: Any = torch.optim.lr_scheduler.OneCycleLR(adam, 3 * settings.learning_rate, total_steps=steps)
    for _ in range(settings.epochs):
        order = rng.permutation(len(inputs))
        for batch in np.array_split(order, -(-len(inputs) // settings.batch)):
            parts = network(inputs[batch]).split(sizes, dim=1)
            losses = [torch.nn.functional.cross_entropy(p, targets[batch, i]) for i, p in enumerate(parts)]
            adam.zero_grad()
            torch.autograd.backward(torch.stack(losses).sum())
            adam.step()
            falling.step()
        tick(1)
    weights = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}
    frame = (int(images.shape[1]), int(images.shape[2]))
    return TrainedCaptioner(world, phrasing, frame, settings.side, mean, weights)
