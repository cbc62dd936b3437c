"""Frames of a home in words: by the privileged `objects` captioner, or by a model that sees only the picture."""

from functools import cache
from pathlib import Path

from apps.housekeep.agent.text_observation import captioner_of
from apps.housekeep.knowledge.places import object_words
from apps.housekeep.simulator.protocol import Frame
from apps.housekeep.task import Task
from captioners.captioner import Caption, Captioner
from lmgt_core.errors import UserError

PROMPT = Path(__file__).with_name("frame_prompt.txt")
OBJECTS = "objects"
WORLD = "housekeep"


@cache
def question() -> str:
    """What image-text models are asked about the robot's view."""
    return PROMPT.read_text().strip()


class FrameCaptioner:
    """Says what a frame of the task's episode shows, and what the hand holds (no camera sees that: the robot knows).

    `seer` is a captioner of pictures; without one the semantic sensor is read, and the words are privileged.
    """

    def __init__(self, seer: Captioner | None = None) -> None:
        self.seer = seer

    @property
    def privileged(self) -> bool:
        """Whether more than the picture is read."""
        return self.seer is None or self.seer.privileged

    @property
    def label(self) -> str:
        """Who speaks, for whoever shows it."""
        return "semantic sensor" if self.seer is None else self.seer.id.partition(":prompt=")[0]

    def caption(self, task: Task, frame: Frame) -> Caption:
        """The frame in words, with the hand; a failure stays one."""
        if self.seer is None:
            (said,) = captioner_of(task.episode).caption_semantic(frame.semantic[None], frame.depth[None])
        else:
            (said,) = self.seer.caption(frame.rgb[None])
        return f"{said} {hand_words(task)}" if isinstance(said, str) else said


def hand_words(task: Task) -> str:
    """What the hand holds, as the robot itself knows it."""
    if task.held is None:
        return "The hand is empty."
    return f"The hand holds the {object_words(task.episode.items[task.held].category)}."


def make_frame_captioner(spec: str) -> FrameCaptioner:
    """The captioner called `spec`: objects, llava:MODEL, openai:MODEL@URL; UserError for what cannot be had."""
    if spec == OBJECTS:
        return FrameCaptioner()
    from captioners.captioner import CaptionerError
    from captioners.registry import CaptionerContext, make_captioner

    try:
        return FrameCaptioner(make_captioner(spec, CaptionerContext(WORLD, question())))
    except CaptionerError as error:
        raise UserError(f"--captioner: {error}") from None
