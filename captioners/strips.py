"""Several frames side by side in one image, the oldest first, each under a band of words that say when it was.

A strip is one image, so whatever takes one image takes it; `apart` gives its frames to judges and captioners that take
several.
"""

import textwrap
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from captioners.captioner import Image

BAND = 24  # rows above a frame: two lines of words
LINE, LETTER = 12, 6  # pixels of a line and of a letter of Pillow's own font


def strip_shape(frame: tuple[int, int], count: int) -> tuple[int, int]:
    """Height and width of a strip of `count` frames of the shape `frame`."""
    return frame[0] + BAND, frame[1] * count


def labelled(frame: Image, words: str) -> Image:
    """The frame under a band with `words`, as many as there is room for."""
    return np.vstack([_band(frame.shape[1], words), frame])


@lru_cache(maxsize=256)
def _band(width: int, words: str) -> Image:
    band = Picture.new("RGB", (width, BAND), "white")
    draw, font = ImageDraw.Draw(band), ImageFont.load_default_imagefont()
    for i, line in enumerate(textwrap.wrap(words, max(width // LETTER, 1))[: BAND // LINE]):
        draw.text((1, i * LINE), line, "black", font=font)
    return np.array(band)


def apart(strip: Image, count: int) -> tuple[Image, ...]:
    """The `count` frames of a strip, the oldest first; ValueError where its width is no multiple of that."""
    return (strip,) if count == 1 else tuple(np.ascontiguousarray(part) for part in np.split(strip, count, axis=1))


def together(images: Sequence[Image]) -> Image:
    """The strip of frames of one height; a single image as it is."""
    return images[0] if len(images) == 1 else np.hstack(images)
