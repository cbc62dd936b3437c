"""A frame and an action become a question: by a caption of the frame, or with the frame itself.

A caption of the world's own form is taken apart into facts, so that judges which are no language models can read it.
A frame that could not be captioned carries the reason in its facts; `lmgt_core.judging.uncaptioned` keeps it from the
judge and calls the answer unreadable.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.atari_vision.simulator.seen import FRAME, MEMORY, Seen
from apps.atari_vision.worlds import World
from captioners.captioner import Caption, Captioner, CaptionFailure, image_digest
from captioners.memory import FrameMemory
from captioners.strips import apart
from lmgt_core.judging.description import Description, Image
from lmgt_core.judging.uncaptioned import UNCAPTIONED

ACTION = "action"  # the fact that names the action
IN_THE_PICTURE = "The picture shows the state."
IN_THE_PICTURES = "The {count} pictures show the last moments, the oldest first, and what was done before each."


class FrameDescriber:
    """Describes decisions of one world; `captioner` is None where the judge looks at the frame itself.

    `memory` notes what was behind every frame that is shown: `objects` captions and oracles look it up there.
    """

    def __init__(self, world: World, captioner: Captioner | None, memory: FrameMemory) -> None:
        self.world, self.captioner, self.memory = world, captioner, memory

    def __call__(
        self, observations: Sequence[Seen], actions: Sequence[Any], outcomes: Sequence[Any] = ()
    ) -> list[Description]:
        """[decision] descriptions of `actions` taken when `observations` were shown; frames are captioned together."""
        for observation in observations:
            self.memory.remember(observation[FRAME], observation[MEMORY])
        frames = [observation[FRAME] for observation in observations]
        chosen = [int(action) for action in actions]
        if self.captioner is None:
            return [self.of_frame(frame, action) for frame, action in zip(frames, chosen, strict=True)]
        digests = [image_digest(frame) for frame in frames]
        different = dict(zip(digests, frames, strict=True))
        captions = dict(zip(different, captions_of(self.captioner, list(different.values())), strict=True))
        return [self.of_caption(captions[digest], action) for digest, action in zip(digests, chosen, strict=True)]

    def of_frame(self, frame: Image, action: int) -> Description:
        """The frame itself, or its parts where it is a strip of several, and the action in words."""
        words, count = self.world.knowledge.actions[action], self.world.frames
        state = IN_THE_PICTURE if count == 1 else IN_THE_PICTURES.format(count=count)
        return Description(state, words, apart(frame, count), {ACTION: words})

    def of_caption(self, caption: Caption, action: int) -> Description:
        """The caption and the action in words; with facts where the caption has the world's own form."""
        words = self.world.knowledge.actions[action]
        if isinstance(caption, CaptionFailure):
            return Description("", words, facts={ACTION: words, UNCAPTIONED: caption.reason})
        return Description(caption, words, facts=self.facts(caption) | {ACTION: words})

    def facts(self, caption: str) -> dict[str, str]:
        """What a caption of the world's own form states; {} for any other."""
        try:
            return self.world.phrasing.read(caption)
        except LookupError:
            return {}


def captions_of(captioner: Captioner, frames: Sequence[Image], batch: int = 64) -> list[Caption]:
    """The captions of frames of one size, in batches."""
    captions: list[Caption] = []
    for start in range(0, len(frames), batch):
        captions += captioner.caption(np.stack(frames[start : start + batch]))
    return captions
