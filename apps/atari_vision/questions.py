"""The labelled questions of an audit: frames of play, and what the expert says of actions in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from apps.atari_vision.frames import collect
from apps.atari_vision.worlds import world
from captioners.captioner import Image
from lmgt_core.guidance.guidance import SEED
from lmgt_core.judging.judgment import Verdict

SPACING = 10  # frames of a game from one question's to the next one's: neighbours look alike
FEW_NEUTRAL = 6  # a rarer share of neutral labels than one in so many does not shrink the audit to its number
Question = tuple[int, int, Verdict]  # frame, action, the expert's answer


@dataclass(frozen=True)
class Labelled:
    """Questions, and the frames that they are about, by the frame's number."""

    questions: list[Question]
    images: dict[int, Image]
    memories: dict[int, Any]


@lru_cache(maxsize=1)  # they are the same for every judge of an audit
def labelled(name: str, most: int) -> Labelled:
    """At most `most` questions about frames of the world called `name`, balanced.

    There are more frames where few have anything good or bad, and fewer where play shows no more.
    """
    made = world(name)
    know, spacing = made.knowledge, SPACING if made.game else 1
    frames = max(most // len(know.actions), 2)
    while True:
        found = collect(made, frames * spacing, SEED, least=1)
        every = [
            (i, action, know.expert(know.facts(found.memories[i]), action))
            for i in range(0, len(found.images), spacing)
            for action in range(len(know.actions))
        ]
        chosen = _balanced(every, most, np.random.default_rng(SEED))
        if 2 * len(chosen) >= most or frames >= most or len(found.images) < frames * spacing:
            used = sorted({frame for frame, _, _ in chosen})
            images = dict(zip(used, found.images[used], strict=True))
            return Labelled(chosen, images, {i: found.memories[i] for i in used})
        frames *= 2


def _balanced(questions: Sequence[Question], most: int, rng: np.random.Generator) -> list[Question]:
    """As many of each label as of the rarest one, drawn by `rng`, in their order; but of neutral ones as there are."""
    rows = {label: [i for i, q in enumerate(questions) if q[2] is label] for label in {q[2] for q in questions}}
    rare = len(rows.get(Verdict.NEUTRAL, ())) * FEW_NEUTRAL < len(questions)
    sides = {label: r for label, r in rows.items() if not (rare and label is Verdict.NEUTRAL)}
    few = min((len(r) for r in sides.values()), default=0) if len(sides) > 1 else 0
    each = min(few, most // max(len(rows), 1))
    drawn = [i for label in sorted(rows) for i in rng.choice(rows[label], min(each, len(rows[label])), replace=False)]
    return [questions[i] for i in sorted(drawn)]
