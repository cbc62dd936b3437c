"""The `trained` captioner: a small network that learnt one world's captions from frames whose truth was known."""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioners.captioner import Caption, CaptionerError, CaptionFailure, Images, check_images
from captioners.phrasing import Phrasing
from lmgt_core.judges.frame_network import digest, from_file, load_network, logits, shrink, to_file

FORMAT = "lmgt-captioner-1"


@dataclass(frozen=True, eq=False)
class TrainedCaptioner:
    """The network's numbers, the phrasing that it fills, and the size of the frames that it was trained on."""

    world: str
    phrasing: Phrasing
    frame: tuple[int, int]  # height and width of the frames
    side: int  # the longer side of the shrunk frames, at most
    mean: NDArray[np.float32]  # [3, height, width] of the shrunk frames
    weights: dict[str, NDArray[np.float32]]
    exact: float | None = None  # share of held-out frames whose caption was right in every word
    privileged: bool = False
    on_labels: bool = True

    @property
    def id(self) -> str:
        """`trained:`, its world, and a digest of the network."""
        return f"trained:{self.world}:{self.digest}"

    @cached_property
    def digest(self) -> str:
        """Names all that changes captions."""
        return digest((self.phrasing.digest, self.frame, self.side), self.mean, self.weights)

    def caption(self, images: Images) -> list[Caption]:
        """Captions of frames of the size that it was trained on; others are failures."""
        check_images(images)
        if not len(images):
            return []
        if images.shape[1:3] != self.frame:
            height, width = self.frame
            seen = f"{images.shape[2]}x{images.shape[1]}"
            return [CaptionFailure(f"it was trained on frames of {width}x{height} pixels, not {seen}") for _ in images]
        scores = logits(self._network, shrink(images, self.side), self.mean).numpy()
        ends = np.cumsum([len(phrases) for phrases in self.phrasing.slots.values()])
        chosen = [part.argmax(-1) for part in np.split(scores, ends[:-1], axis=1)]  # slot -> [batch]
        return [self._words([int(slot[i]) for slot in chosen]) for i in range(len(images))]

    def _words(self, chosen: list[int]) -> str:
        slots = self.phrasing.slots.items()
        return self.phrasing.words({name: phrases[i] for (name, phrases), i in zip(slots, chosen, strict=True)})

    @cached_property
    def _network(self) -> Any:
        phrases = sum(len(phrases) for phrases in self.phrasing.slots.values())
        return load_network(self.mean.shape[1:], phrases, self.weights)

    @property
    def content(self) -> bytes:
        """The file: an .npz of plain arrays, nothing in it is code."""
        about = {
            "format": FORMAT,
            "world": self.world,
            "template": self.phrasing.template,
            "slots": {name: list(phrases) for name, phrases in self.phrasing.slots.items()},
            "frame": list(self.frame),
            "side": self.side,
            "exact": self.exact,
        }
        return to_file(about, self.mean, self.weights)


def load_captioner(path: Path) -> TrainedCaptioner:
    """The captioner in `path`; CaptionerError for anything that is not one."""
    try:
        captioner = _made(*from_file(path, FORMAT))
        captioner._network  # noqa: B018 - weights that do not fit are a mistake of the file, to be told now
        return captioner
    except OSError as error:
        raise CaptionerError(f"{path}: cannot be read as a trained captioner ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:100]
        raise CaptionerError(
            f"{path}: no trained captioner, or a damaged one ({reason}); make one with: lmgt captioner train"
        ) from None


def _made(about: dict[str, Any], mean: Any, weights: dict[str, Any]) -> TrainedCaptioner:
    phrasing = Phrasing(about["template"], {name: tuple(phrases) for name, phrases in about["slots"].items()})
    height, width = (int(n) for n in about["frame"])
    exact = None if about["exact"] is None else float(about["exact"])
    return TrainedCaptioner(
        str(about["world"]), phrasing, (height, width), int(about["side"]), mean, weights, exact
    )  # fmt: skip
