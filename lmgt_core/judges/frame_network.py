"""A small convolutional network over frames of one world, under the judge `distilled` and the captioner `trained`.

Position matters in a game's frame, so the last feature map is read whole instead of being averaged. Frames are shrunk
by a whole number (the mean of each block), which keeps pixel art apart, and where an edge lies between two pixels.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 128
Pixels = NDArray[np.float32]  # [batch, 3, height, width]
Weights = Mapping[str, NDArray[np.float32]]


def shrink(frames: NDArray[np.uint8], side: int) -> Pixels:
    """Frames [batch, height, width, 3] whose longer side is at most `side`, channels first, in [0, 1].

    What no whole block fills is cut off.
    """
    height, width = frames.shape[1:3]
    factor = max(1, -(-max(height, width) // side))
    rows, columns = max(height // factor, 1), max(width // factor, 1)
    block = (min(factor, height), min(factor, width))
    cut = frames[:, : rows * block[0], : columns * block[1]]
    small = cut.reshape(len(frames), rows, block[0], columns, block[1], 3).mean((2, 4), dtype=np.float32) / 255
    return np.ascontiguousarray(small.transpose(0, 3, 1, 2))


def make_network(shape: Sequence[int], outputs: int) -> "nn.Module":
    """The network for shrunk frames of `shape` (height, width): logits [batch, output]."""
    from torch import nn

    height, width = (-(-n // 8) for n in shape)  # three layers of stride 2, each rounding up
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
        nn.Linear(128, outputs),
    )


def load_network(shape: Sequence[int], outputs: int, weights: Weights) -> "nn.Module":
    """The network with these weights, to be asked; RuntimeError where they do not fit."""
    import torch

    network = make_network(shape, outputs)
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
    return network.eval()


def logits(network: "nn.Module", pixels: Pixels, mean: Pixels) -> "Tensor":
    """What the network says of shrunk frames: [batch, output]; `mean` [3, height, width] is that of its training."""
    import torch

    with torch.inference_mode():
        parts = [network(torch.from_numpy(pixels[i : i + BATCH] - mean)) for i in range(0, len(pixels), BATCH)]
    return torch.cat(parts)


def digest(settings: object, mean: Pixels, weights: Weights) -> str:
    """The first 12 hex digits of a SHA-256 of all that changes a network's answers."""
    arrays = (mean, *(weights[name] for name in sorted(weights)))
    return hashlib.sha256(repr(settings).encode() + b"".join(a.tobytes() for a in arrays)).hexdigest()[:12]


def to_file(about: Mapping[str, Any], mean: Pixels, weights: Weights) -> bytes:
    """The content of an .npz of plain arrays, of which nothing is code."""
    text = np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), np.uint8)
    file = BytesIO()
    named: dict[str, Any] = {f"weights.{name}": array for name, array in weights.items()}
    np.savez(file, about=text, mean=mean, **named)
    return file.getvalue()


def from_file(path: Path, form: str) -> tuple[dict[str, Any], Pixels, dict[str, NDArray[np.float32]]]:
    """(about, mean, weights) of what `to_file` gave; ValueError for another `form` and for numbers that are none.

    A damaged file also raises what NumPy raises: KeyError, EOFError, zipfile.BadZipFile.
    """
    with np.load(path, allow_pickle=False) as file:
        about = json.loads(file["about"].tobytes())
        mean = file["mean"]
        weights = {name.removeprefix("weights."): file[name] for name in file.files if name.startswith("weights.")}
    if about["format"] != form:
        raise ValueError(f"format {about['format']}")
    if any(a.dtype != np.float32 or not np.isfinite(a).all() for a in (mean, *weights.values())):
        raise ValueError("its numbers are not finite floats")
    return about, mean, weights
