"""The `objects` captioner of games: what the emulator's memory held when a frame was shown, in words.

Privileged: it does not look at the pixels but looks the frame up among those that a running game has shown. It is the
ceiling for captioning, and the way to score other captioners.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from captioners.captioner import Caption, CaptionFailure, Image, Images, check_images, image_digest

REMEMBERED = 100_000  # frames; a memory is at most a few hundred bytes


class FrameMemory:
    """What a game's memory held behind each frame it has shown lately; the last one, where two looked alike."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self.limit = limit
        self._held: OrderedDict[str, Any] = OrderedDict()

    def remember(self, image: Image, memory: Any) -> None:
        """Notes that `image` was shown while the game's memory was `memory`."""
        digest = image_digest(image)
        self._held[digest] = memory
        self._held.move_to_end(digest)
        if len(self._held) > self.limit:
            self._held.popitem(last=False)

    def recall(self, image: Image) -> Any:
        """The memory behind `image`; LookupError where no running game has shown it."""
        digest = image_digest(image)
        if digest not in self._held:
            raise LookupError("no running game has shown this frame, so there is no memory to read")
        return self._held[digest]


class MemoryCaptioner:
    """Puts into words what a `FrameMemory` knows of a frame."""

    privileged = True

    def __init__(self, memory: FrameMemory, words: Callable[[Any], str], name: str) -> None:
        self.memory = memory
        self.words = words
        self.id = f"objects:{name}"

    def caption(self, images: Images) -> list[Caption]:
        """Captions of frames that a running game has shown; any other frame is a failure."""
        check_images(images)
        return [self._caption(image) for image in images]

    def _caption(self, image: Image) -> Caption:
        try:
            return self.words(self.memory.recall(image))
        except LookupError as error:
            return CaptionFailure(str(error))
