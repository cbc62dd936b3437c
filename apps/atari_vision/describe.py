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
from lmgt_core.guidance.shift_source import RewardShifter, Shifts
from lmgt_core.judging.description import Description, Image
from lmgt_core.judging.uncaptioned import UNCAPTIONED

ACTION = "action"  # the fact that names the action
IN_THE_PICTURE = "The picture shows the state."


class FrameDescriber:
    """Describes decisions of one world; `captioner` is None where the judge looks at the frame itself.

    `memory` notes what was behind every frame that is shown: `objects` captions and oracles look it up there.
    """

    def __init__(self, world: World, captioner: Captioner | None, memory: FrameMemory) -> None:
        self.world, self.captioner, self.memory = world, captioner, memory
        self._looked: dict[str, Caption] = {}  # frame's digest -> what was said of it in the last look

    def look(self, observations: Sequence[Seen]) -> None:
        """Notes the memory behind these observations and has their frames captioned in one batch."""
        for observation in observations:
            self.memory.remember(observation[FRAME], observation[MEMORY])
        if self.captioner is not None:
            frames = {image_digest(o[FRAME]): o[FRAME] for o in observations}
            self._looked = dict(zip(frames, captions_of(self.captioner, list(frames.values())), strict=True))

    def __call__(self, observation: Seen, action: Any) -> Description:
        """The description of `action` taken when `observation` was shown."""
        frame = observation[FRAME]
        if self.captioner is None:
            self.memory.remember(frame, observation[MEMORY])
            return self.of_frame(frame, int(action))
        if (digest := image_digest(frame)) not in self._looked:
            self.look([observation])
        return self.of_caption(self._looked[digest], int(action))

    def of_frame(self, frame: Image, action: int) -> Description:
        """The frame itself, and the action in words."""
        words = self.world.knowledge.actions[action]
        return Description(IN_THE_PICTURE, words, (frame,), {ACTION: words})

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


class LookingShifter(RewardShifter):
    """A shifter of worlds with frames: the frames of a batch of decisions are captioned together."""

    describer: FrameDescriber

    def __call__(self, observations: Sequence[Any], actions: Sequence[Any]) -> Shifts:
        self.describer.look(observations)
        return super().__call__(observations, actions)


def captions_of(captioner: Captioner, frames: Sequence[Image], batch: int = 64) -> list[Caption]:
    """The captions of frames of one size, in batches."""
    captions: list[Caption] = []
    for start in range(0, len(frames), batch):
        captions += captioner.caption(np.stack(frames[start : start + batch]))
    return captions
