"""The `objects` captioner: names what a semantic frame shows, where it is, and how far.

Privileged: it reads a simulator's semantic sensor, which gives every pixel the id of the thing that it shows. The same
ids can be painted as colours, so that it takes part wherever a captioner of images is wanted.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from captioners.captioner import Caption, CaptionFailure, Images, check_images

Ids = NDArray[np.int32]  # [batch, height, width]; 0 is background
Depths = NDArray[np.float32]  # [batch, height, width], metres; 0 where nothing was hit

NOTHING = "Nothing in view."
SIDES = ("left", "centre", "right")


@dataclass(frozen=True)
class Sighting:
    """One thing in a frame: its id and name, where in the image, share of the pixels, metres to it (None: unknown)."""

    id: int
    name: str
    side: str  # left, centre, right
    share: float
    metres: float | None

    @property
    def place(self) -> str:
        """`left`, or `left, 2 m` where the distance is known."""
        return self.side if self.metres is None else f"{self.side}, {_metres(self.metres)}"


def paint_ids(ids: Ids) -> Images:
    """Colours that stand for ids in [0, 2^24): red holds the highest eight bits  # [batch, height, width, 3]"""
    if ids.size and (ids.min() < 0 or ids.max() >= 1 << 24):
        raise ValueError(f"ids from {ids.min()} to {ids.max()} do not fit into a colour")
    colours: Images = np.stack([(ids >> shift) & 255 for shift in (16, 8, 0)], axis=-1).astype(np.uint8)
    return colours


def read_ids(images: Images) -> Ids:
    """The ids that `paint_ids` painted  # [batch, height, width]"""
    channels = images.astype(np.int32)
    ids: Ids = (channels[..., 0] << 16) | (channels[..., 1] << 8) | channels[..., 2]
    return ids


@dataclass(frozen=True)
class ObjectsCaptioner:
    """Says what is in view, the largest first: `In view: toaster on the shelf (left, 2 m); shelf (centre, 2.5 m).`

    `names` maps an id to its words; a caller that knows relations puts them into the words. Things smaller than
    `min_share` of the image are not mentioned, nor more than `limit` of them. Pixels of the background (0) are no
    thing; an id without a name makes the frame a failure, lest a thing be passed over in silence.
    """

    names: Mapping[int, str]
    min_share: float = 0.001
    limit: int = 8
    privileged: bool = True

    @cached_property
    def id(self) -> str:
        """`objects:` and a digest of the names and settings."""
        content = json.dumps([sorted(self.names.items()), self.min_share, self.limit])
        return f"objects:{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    def caption(self, images: Images) -> list[Caption]:
        """Captions of images whose colours are ids (`paint_ids`); there is no depth in them."""
        check_images(images)
        return self.caption_semantic(read_ids(images))

    def caption_semantic(self, frames: Ids, depths: Depths | None = None) -> list[Caption]:
        """Captions of semantic frames [batch, height, width], with distances where there are `depths`."""
        if frames.ndim != 3 or not np.issubdtype(frames.dtype, np.integer):
            raise ValueError(f"frames are integers [batch, height, width], not {frames.dtype} {list(frames.shape)}")
        if depths is not None and depths.shape != frames.shape:
            raise ValueError(f"depths {list(depths.shape)} do not fit frames {list(frames.shape)}")
        return [self._caption(frame, None if depths is None else depths[i]) for i, frame in enumerate(frames)]

    def sightings(self, frame: Ids, depth: Depths | None = None) -> list[Sighting] | CaptionFailure:
        """What one frame [height, width] shows, the largest first; equally large things in the order of their ids."""
        ids, counts = np.unique(frame, return_counts=True)
        if unnamed := [int(i) for i in ids if i != 0 and int(i) not in self.names]:
            return CaptionFailure(f"the frame shows id {unnamed[0]}, which has no name")
        shares = counts / max(frame.size, 1)
        seen = [(int(i), float(s)) for i, s in zip(ids, shares, strict=True) if i != 0 and s >= self.min_share]
        seen.sort(key=lambda pair: (-pair[1], pair[0]))
        return [self._sighting(frame, depth, *pair) for pair in seen[: self.limit]]

    def _sighting(self, frame: Ids, depth: Depths | None, thing: int, share: float) -> Sighting:
        mask = frame == thing
        third = int(np.nonzero(mask)[1].mean() * 3 / frame.shape[1])
        hits = depth[mask & (depth > 0)] if depth is not None else np.zeros(0)
        return Sighting(thing, self.names[thing], SIDES[third], share, float(np.median(hits)) if hits.size else None)

    def _caption(self, frame: Ids, depth: Depths | None) -> Caption:
        seen = self.sightings(frame, depth)
        return seen if isinstance(seen, CaptionFailure) else in_words(seen)


def in_words(seen: Sequence[Sighting]) -> str:
    """One sentence that lists `seen` in order."""
    return "In view: " + "; ".join(f"{s.name} ({s.place})" for s in seen) + "." if seen else NOTHING


def _metres(metres: float) -> str:
    """Rounded to half metres, as people estimate: `1.5 m`."""
    return f"{max(round(2 * metres), 1) / 2:g} m"
