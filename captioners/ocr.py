"""The `ocr` captioner: reads what is written in a frame with RapidOCR (its models come with its package).

Finding text takes most of an optical reader's time, and where a game writes is known: so the regions are given, cut to
their ink, painted black on white and scaled to the reader's height, and only the reading is left. Equal ink is read
once. What was read goes through a grammar (`compose`): it repairs what can only have been one thing (1O where digits
stand), and refuses the rest with its reason.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from captioners.captioner import Caption, CaptionFailure, Image, Images, check_images, image_digest
from lmgt_core.extras import need

HEIGHT = 48  # pixels of a line, as the reading model was trained
INK = 60  # sum of the differences of three channels from the paper's from which on a pixel is ink
MARGIN = 0.15  # of paper around the ink, in its height
BATCH = 16  # lines read together
DOUBT = 0.5  # RapidOCR's text_score
REMEMBERED = 50_000  # pieces of ink


@dataclass(frozen=True)
class Region:
    """Where something may be written: [top, bottom) and [left, right) as shares of the frame's height and width."""

    name: str
    top: float
    bottom: float
    left: float
    right: float

    def cut(self, image: Image) -> Image:
        """That part of the image, which may be empty."""
        height, width = image.shape[:2]
        rows = slice(round(self.top * height), round(self.bottom * height))
        piece: Image = image[rows, round(self.left * width) : round(self.right * width)]
        return piece


class Text(NamedTuple):
    """What the model read in a region, "" where nothing is written, and how sure it is, in [0, 1]."""

    text: str
    confidence: float

    @property
    def doubtful(self) -> bool:
        """Whether it is less sure than the package's own limit for showing a text at all."""
        return bool(self.text) and self.confidence < DOUBT


@dataclass(frozen=True)
class Reading:
    """What a grammar made of the texts of a frame's regions: the caption, and how many texts had to be repaired."""

    caption: Caption
    repaired: int = 0


Compose = Callable[[Mapping[str, Text]], Reading]  # of the texts by region


@dataclass
class OcrStats:
    """`lines` read by the model, frames `repaired` by the grammar and `refused` by it."""

    lines: int = 0
    repaired: int = 0
    refused: int = 0


@dataclass
class OcrCaptioner:
    """Reads `regions` and composes a caption of their texts; without regions there is nothing to read."""

    regions: Sequence[Region]
    compose: Compose
    name: str
    privileged: bool = False
    stats: OcrStats = field(default_factory=OcrStats)
    _known: dict[str, Text] = field(default_factory=dict, repr=False)  # by digest of ink
    _reader: Any = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """`ocr:` and the grammar's name."""
        return f"ocr:{self.name}"

    def caption(self, images: Images) -> list[Caption]:
        """Captions of frames; one that has nothing to read, or what the grammar refuses, is a failure."""
        check_images(images)
        if not self.regions:
            return [CaptionFailure("nothing is written in frames of this kind") for _ in images]
        inks = [{region.name: find_ink(region.cut(image)) for region in self.regions} for image in images]
        self._read([ink for frame in inks for ink in frame.values() if ink is not None])
        return [self._caption({name: self._text(ink) for name, ink in frame.items()}) for frame in inks]

    def _caption(self, texts: Mapping[str, Text]) -> Caption:
        reading = self.compose(texts)
        self.stats.repaired += reading.repaired > 0
        self.stats.refused += isinstance(reading.caption, CaptionFailure)
        return reading.caption

    def _text(self, ink: Image | None) -> Text:
        return Text("", 1.0) if ink is None else self._known[image_digest(ink)]

    def _read(self, inks: Sequence[Image]) -> None:
        """Reads those that are new. Each is padded to its own width, so that its text does not depend on the others."""
        new = {digest: ink for ink in inks if (digest := image_digest(ink)) not in self._known}
        if not new:
            return
        if len(self._known) > REMEMBERED:
            self._known = {d: self._known[d] for d in map(image_digest, inks) if d in self._known}
        if self._reader is None:
            self._reader = load_reader()
        self.stats.lines += len(new)
        widths: dict[int, list[str]] = {}
        for digest, ink in new.items():
            widths.setdefault(ink.shape[1], []).append(digest)
        for alike in widths.values():
            for start in range(0, len(alike), BATCH):
                some = alike[start : start + BATCH]
                read, _ = self._reader([new[digest] for digest in some])
                self._known |= {d: Text(str(text), float(sure)) for d, (text, sure) in zip(some, read, strict=True)}


def find_ink(piece: Image) -> Image | None:
    """What is written, black on white, HEIGHT pixels high; None for a piece of nothing but paper.

    The paper's colour is the piece's most frequent one.
    """
    if piece.size == 0:
        return None
    ink = np.abs(piece.astype(np.int16) - _paper(piece)).sum(-1) > INK
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):
        return None
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    margin = max(1, round(MARGIN * len(ink)))
    page = np.pad(np.where(ink, 0, 255).astype(np.uint8), ((margin, margin), (2 * margin, 2 * margin)), "constant",
                  constant_values=255)  # fmt: skip
    return _scaled(page)


def _paper(piece: Image) -> NDArray[np.int16]:
    channels = piece.reshape(-1, 3).astype(np.int32)
    colours, counts = np.unique(channels @ np.array([1 << 16, 1 << 8, 1]), return_counts=True)
    most = int(colours[counts.argmax()])
    return np.array([most >> 16, most >> 8 & 255, most & 255], dtype=np.int16)


def _scaled(page: NDArray[np.uint8]) -> Image:
    from PIL import Image as Picture

    width = max(8, round(page.shape[1] * HEIGHT / page.shape[0]))
    scaled = np.asarray(Picture.fromarray(page).resize((width, HEIGHT), Picture.Resampling.BICUBIC))
    return np.repeat(scaled[..., None], 3, axis=-1)


def load_reader() -> Any:
    """RapidOCR's reading model: list of images -> list of (text, confidence), seconds."""
    need("the captioner ocr", "rapidocr_onnxruntime", "cv2")
    rapidocr: Any = importlib.import_module("rapidocr_onnxruntime")
    return rapidocr.RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1, rec_batch_num=BATCH).text_rec
