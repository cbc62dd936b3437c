"""The Captioner protocol: images in, words out, batch first."""

import hashlib
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError

Image = NDArray[np.uint8]  # [height, width, 3], RGB
Images = NDArray[np.uint8]  # [batch, height, width, 3], RGB


class CaptionerError(UserError):
    """A captioner that cannot be made: one line that says what is missing, and the way out."""


@dataclass(frozen=True)
class CaptionFailure:
    """An image that could not be captioned, and why; never an empty string."""

    reason: str

    def __post_init__(self) -> None:
        if not self.reason:
            raise ValueError("a caption's failure has a reason")


Caption: TypeAlias = str | CaptionFailure


class Captioner(Protocol):
    """Turns images into words.

    `id` names everything that changes captions (model, revision, decoding, settings): it belongs to cache keys.
    `privileged` says that more than the pixels of an ordinary camera is read, such as a simulator's semantic sensor:
    whoever shows its captions says so.
    """

    @property
    def id(self) -> str: ...

    @property
    def privileged(self) -> bool: ...

    def caption(self, images: Images) -> list[Caption]:
        """A caption an image, in the same order; [] for an empty batch; ValueError for what is not a batch of images.

        An image that cannot be captioned is a `CaptionFailure` in its place: the others are captioned all the same.
        Equal images get equal captions.
        """
        ...


def check_images(images: Images) -> None:
    """ValueError unless `images` is uint8 [batch, height, width, 3]; an empty batch needs no pixels."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"images are uint8 [batch, height, width, 3], not {images.dtype} {list(images.shape)}")


def image_digest(image: Image) -> str:
    """A SHA-256 of the pixels and their arrangement, as hex digits: equal images have equal digests."""
    content = hashlib.sha256(repr((image.shape, image.dtype.str)).encode())
    content.update(np.ascontiguousarray(image).data)
    return content.hexdigest()
