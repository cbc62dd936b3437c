"""A user and what is recommended, in words: what a judge is told about a slate.

Only what the agent may observe, and only a little of it, so that a world has few questions: the topics shown, and in
interest evolution how much the user likes them, in five steps. A click is judged by the clicked document (`item`) or by
the whole slate (`slate`). Without a click nothing is judged: the user consumed nothing, and what the slate was worth
would be credited to a choice that was not made. So the shift of a step without a click is 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from apps.slateq.config import JudgeUnit
from apps.slateq.simulator.protocol import Feedback, Integers, Observation
from lmgt_core.judging.description import Description

EDGES = (-0.6, -0.2, 0.2, 0.6)  # of interests in [-1, 1]
ATTITUDES = ("strongly dislikes", "dislikes", "is indifferent to", "likes", "loves")
UNKNOWN = -1  # instead of a step of interest, where interests are hidden
SEPARATOR = "; "


@dataclass(frozen=True)
class Shown:
    """What is judged: the step of the user's interest (0 to 4, or UNKNOWN), and the topics, sorted for a slate."""

    interest: int
    topics: tuple[int, ...]


def shown(unit: JudgeUnit, observation: Observation, slates: Integers, feedback: Feedback) -> list[Shown | None]:
    """[B] what is judged of each user's step, from the observation before it; None without a click."""
    topics = np.take_along_axis(observation.document_topic, slates, 1)  # [B, K]
    hidden = observation.user.shape[1] == 0
    if unit == "item":
        topics = np.append(topics, topics[:, :1], axis=1)  # a column for no click, which is not read
        topics = np.take_along_axis(topics, feedback.clicked[:, None], 1)
    else:
        topics = np.sort(topics, axis=1)
    if hidden:
        steps = np.full(len(topics), UNKNOWN)
    else:
        steps = np.digitize(np.take_along_axis(observation.user, topics, 1).mean(axis=1), EDGES)
    clicked = (feedback.clicked < slates.shape[1]).tolist()
    rows = zip(clicked, steps.tolist(), topics.tolist(), strict=True)
    return [Shown(step, tuple(row)) if some else None for some, step, row in rows]


class SlateDescriber:
    """Describer of recommendations by the names of a vocabulary: what is `Shown`, and an action that is not read."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._described = cache(self._describe)

    def __call__(self, observation: Shown | None, action: object = None) -> Description | None:
        """The words of a recommendation; None, which shifts nothing, for no click."""
        return None if observation is None else self._described(observation)

    def of(self, names: Sequence[str], interest: int = UNKNOWN) -> Description:
        """The description of topics by their names, which need not be of the vocabulary."""
        unit = "video" if len(names) == 1 else "slate"
        several = listed(sorted(dict.fromkeys(names)))
        if interest == UNKNOWN:
            state = "Nothing is known about what the viewer likes."
        elif unit == "video":
            state = f"The viewer {ATTITUDES[interest]} {several}."
        else:
            state = f"On average the viewer {ATTITUDES[interest]} what is on the slate."
        action = (
            f"recommend a video: {several}" if unit == "video" else f"recommend a slate of videos: {counted(names)}"
        )
        facts = {"topics": SEPARATOR.join(sorted(names))}
        if interest != UNKNOWN:
            facts["interest"] = ATTITUDES[interest]
        return Description(state, action, facts=facts)

    def everything(self, interests: bool) -> Iterator[Description]:
        """Every description of one document: T topics, times 5 steps where `interests` are observed."""
        for name, step in product(self.names, range(len(ATTITUDES)) if interests else (UNKNOWN,)):
            yield self.of([name], step)

    def _describe(self, what: Shown) -> Description:
        return self.of([self.names[topic] for topic in what.topics], what.interest)


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def counted(names: Sequence[str]) -> str:
    """The names in order of the alphabet, with how often where it is more than once."""
    times = {name: list(names).count(name) for name in sorted(names)}
    return listed([name if n == 1 else f"{name} ({n} times)" for name, n in times.items()])
