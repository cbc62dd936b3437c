"""A user and a recommendation in words, for judges.

Only what the agent may observe, and only a little of it, so that a world has few questions: the topics shown, and in
interest evolution how much the user likes them, in five steps. A click is judged by the clicked document (`item`) or by
the whole slate (`slate`). Without a click nothing is judged: the user consumed nothing, and what the slate was worth
would be credited to a choice that was not made. So the shift of a step without a click is 0.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.slateq.config import JudgeUnit
from apps.slateq.simulator.protocol import Feedback, Floats, Integers, Observation
from lmgt_core.judging.description import Description

EDGES = (-0.6, -0.2, 0.2, 0.6)  # of interests in [-1, 1]
ATTITUDES = ("strongly dislikes", "dislikes", "is indifferent to", "likes", "loves")
UNKNOWN = -1  # instead of a step of interest, where interests are hidden
SEPARATOR = "; "


def viewers(observation: Observation) -> list[tuple[Floats, Integers]]:
    """[B] of each user the interests [U], where U is 0 if they are hidden, and the candidates' topics [N]."""
    return list(zip(observation.user, observation.document_topic, strict=True))


def clicks(feedback: Feedback) -> list[int | None]:
    """[B] the clicked document's place in each user's slate; None for no click."""
    size = feedback.shown_quality.shape[1]
    return [place if place < size else None for place in feedback.clicked.tolist()]


class SlateDescriber:
    """Describes recommendations to users by the topics' names: `unit` says whether the clicked document or the slate.

    Observations are those of `viewers`, actions are slates [K] of places among the candidates, outcomes are `clicks`.
    """

    def __init__(self, names: Sequence[str], unit: JudgeUnit = "item") -> None:
        self.names, self.unit = tuple(names), unit
        self._described = cache(self._describe)

    def __call__(
        self,
        observations: Sequence[tuple[Floats, Integers]],
        actions: Sequence[Integers],
        outcomes: Sequence[int | None],
    ) -> list[Description | None]:
        """[decision] the words of each recommendation; None, which shifts nothing, where nothing was clicked."""
        described: list[Description | None] = [None] * len(outcomes)
        clicked = [row for row, place in enumerate(outcomes) if place is not None]
        if not clicked:
            return described
        interests = _rows([observations[row][0] for row in clicked])  # [clicked, U]
        topics = _rows([observations[row][1] for row in clicked])  # [clicked, N]
        shown = np.take_along_axis(topics, _rows([actions[row] for row in clicked]), 1)  # [clicked, K]
        if self.unit == "item":
            places = np.array([outcomes[row] for row in clicked])
            shown = np.take_along_axis(shown, places[:, None], 1)
        else:
            shown = np.sort(shown, axis=1)
        if interests.shape[1] == 0:
            steps = np.full(len(shown), UNKNOWN)
        else:
            steps = np.digitize(np.take_along_axis(interests, shown, 1).mean(axis=1), EDGES)
        for row, step, among in zip(clicked, steps.tolist(), shown.tolist(), strict=True):
            described[row] = self._described(step, tuple(among))
        return described

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

    def _describe(self, interest: int, topics: tuple[int, ...]) -> Description:
        """The description of topics, sorted for a slate, by a step of interest (0 to 4, or UNKNOWN)."""
        return self.of([self.names[topic] for topic in topics], interest)


def _rows(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """[row, ...] equally long arrays in one; several times as fast as `np.stack`."""
    return np.concatenate(parts).reshape(len(parts), -1)


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def counted(names: Sequence[str]) -> str:
    """The names in order of the alphabet, with how often where it is more than once."""
    times = {name: list(names).count(name) for name in sorted(names)}
    return listed([name if n == 1 else f"{name} ({n} times)" for name, n in times.items()])
