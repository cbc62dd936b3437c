"""A small convolutional network that reads frames of one world and fills the slots of its captions.

Position matters in a game's frame, so the last feature map is read whole instead of being averaged. Frames are shrunk
by a whole number (the mean of each block), which keeps pixel art apart, and where an edge lies between two pixels.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from captioners.captioner import Images

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 128
Pixels = NDArray[np.float32]  # [batch, 3, height, width]


def shrink(images: Images, side: int) -> Pixels:
    """Frames whose longer side is at most `side`, channels first, in [0, 1]; what no whole block fills is cut off."""
    height, width = images.shape[1:3]
    factor = max(1, -(-max(height, width) // side))
    rows, columns = max(height // factor, 1), max(width // factor, 1)
    block = (min(factor, height), min(factor, width))
    cut = images[:, : rows * block[0], : columns * block[1]]
    small = cut.reshape(len(images), rows, block[0], columns, block[1], 3).mean((2, 4), dtype=np.float32) / 255
    return np.ascontiguousarray(small.transpose(0, 3, 1, 2))


def make_network(shape: Sequence[int], slots: Mapping[str, Sequence[str]]) -> "nn.Module":
    """The network for shrunk frames of `shape` (height, width): one vector of logits for all slots' phrases."""
    from torch import nn

    def half(n: int) -> int:
        return (n + 1) // 2

    height, width = (half(half(half(n))) for n in shape)
    phrases = sum(len(p) for p in slots.values())
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, 2, 2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * height * width, 128),
        nn.ReLU(),
        nn.Linear(128, phrases),
    )


def logits(network: Any, pixels: Pixels, mean: Pixels) -> "Tensor":
    """What the network says of shrunk frames: [batch, phrase]; `mean` [3, height, width] is that of its training."""
    import torch

    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(pixels[start : start + BATCH] - mean)) for start in range(0, len(pixels), BATCH)
        ]
    return torch.cat(parts)
