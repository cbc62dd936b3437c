"""What learns from frames whose truth is known: a captioner of these homes, and a judge of their frames.

Both are trained on labels, and only on frames of other episodes than those that are asked about.
"""

from collections.abc import Callable, Sequence

import numpy as np

from apps.housekeep.compare.views import ON, View
from apps.housekeep.describe import describe
from apps.housekeep.watch.frame_captions import WORLD
from captioners.models.trained import TrainedCaptioner
from captioners.phrasing import Phrasing
from lmgt_core.distill.frames import FrameSettings, distill_frames
from lmgt_core.judges.distilled_frames import ACTION, FrameStudent
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.prompt import Prompt

END = "; "  # of a phrase
Render = Callable[[View, int], Prompt]  # a view and the number of its question -> the question with the picture


def home_phrasing(views: Sequence[View]) -> Phrasing:
    """A sentence with one slot for each object and each place: empty, or where it is, as `views` have shown it."""
    phrases: dict[str, set[str]] = {}
    for name in (name for view in views for name in view.things):
        phrases.setdefault(_slot(name), {""}).add(name + END)
    slots = {slot: tuple(sorted(some)) for slot, some in sorted(phrases.items())}
    return Phrasing("In view: " + "".join(f"{{{slot}}}" for slot in slots) + "no more.", slots)


def view_facts(view: View, phrasing: Phrasing) -> dict[str, str]:
    """The phrases of what `view` shows; of two mugs the larger one's."""
    return dict.fromkeys(phrasing.slots, "") | {_slot(name): name + END for name in reversed(view.things)}


def train_home_captioner(views: Sequence[View], epochs: int, rng: np.random.Generator) -> TrainedCaptioner:
    """A captioner trained on four fifths of `views`, its exact match measured on the rest."""
    from captioners.models.training import CaptionerSettings, train_captioner

    phrasing = home_phrasing(views)
    facts = [view_facts(view, phrasing) for view in views]
    images = np.stack([view.frame.rgb for view in views])
    return train_captioner(WORLD, phrasing, images, facts, rng, CaptionerSettings(epochs=epochs))


def distil_on_views(
    teacher: Judge, views: Sequence[View], render: Render, epochs: int, rng: np.random.Generator
) -> FrameStudent:
    """A student of what `teacher` says of the true decisions of `views`, which itself sees the picture only."""
    prompts = []
    for view in views:
        for j, question in enumerate(view.questions):
            asked = render(view, j)
            facts = {**describe(question.decision).facts, ACTION: question.words}
            prompts.append(Prompt(asked.system, asked.user, asked.images, facts))
    return distill_frames(teacher, prompts, rng, FrameSettings(epochs=epochs)).student


def _slot(name: str) -> str:
    """`mug` of `mug on the table in the kitchen`; a place is its own slot."""
    return name.partition(ON)[0]
