"""What a simulator of users must do: B users at a time, each shown a slate of K of N candidate documents.

Shapes: B users, N candidates, K documents a slate, T topics, U numbers that are observed of a user, D of a document.
A new user takes the place of one whose session ended, in the same step.

Common random numbers: equal seeds give equal users (user k of row b), candidates and luck (row b at step t), whatever
the slates are, so policies can be compared in pairs. Behind the adapter, RecSim's candidates are those of the t-th
slate of the k-th user, and its luck is equal only at the beginning of each session.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Scores = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Observation:
    """What a recommender may observe of B users before it serves them.

    `user` is the interests, in [-1, 1], in interest evolution; the other two worlds hide theirs, so U is 0 there.
    `documents` are one-hot in the topic (interest evolution), that and the quality (interest exploration), or the
    clickbait score (long-term satisfaction). `document_topic` is in [0, T). `step` counts from 0 in each session.
    """

    user: Floats  # [B, U]
    documents: Floats  # [B, N, D]
    document_topic: Integers  # [B, N]
    step: Integers  # [B]


@dataclass(frozen=True, eq=False)
class Feedback:
    """What B users did with their slates.

    `clicked` is a place in the slate, or K for no click; `topic` and `quality` are the clicked document's, T and 0 for
    no click. `reward` is minutes watched (interest evolution), clicks (interest exploration) or engagement (long-term
    satisfaction). `shown_quality` is what RecSim's responses reveal of every document in the slate, clicked or not.
    `terminated` says that the session ended by itself, `truncated` that it was cut at its step limit.

    `final_observation` is where the step led, for bootstrapping; `observation` is where to act next, which differs for
    users whose session is over: there it is a new user's first one. Both are the same object if no session is over.
    """

    clicked: Integers  # [B]
    reward: Floats  # [B]
    quality: Floats  # [B]
    topic: Integers  # [B]
    shown_quality: Floats  # [B, K]
    terminated: Bools  # [B]
    truncated: Bools  # [B]
    final_observation: Observation
    observation: Observation

    @property
    def done(self) -> Bools:
        """[B] whether the session is over."""
        return self.terminated | self.truncated


class ChoiceModel(Protocol):
    """How a user chooses one document of a slate, or none."""

    @property
    def name(self) -> str: ...

    def scores(self, affinity: Scores) -> Scores:
        """Non-negative scores [..., N + 1] of documents with `affinity` [..., N]; the last one is that of no click.

        They hold up to a factor in each row where only their ratios count, and are in the type of `affinity`.
        """
        ...

    def probabilities(self, scores: Scores) -> Scores:
        """P [..., K + 1] of choosing each place of a slate with `scores` [..., K + 1], in the order of the slate.

        The last column is no click. Multinomial models divide by the sum; cascade models go down the slate, and the
        no-click score that they are given is not looked at.
        """
        ...


class Simulator(Protocol):
    """B users and their candidate documents.

    `topic_quality` float32 [T] is the true mean quality of each topic: privileged, only for oracles and for rules
    that are labelled as such. `reset` comes before the first `step`.
    """

    @property
    def users(self) -> int: ...

    @property
    def candidates(self) -> int: ...

    @property
    def slate_size(self) -> int: ...

    @property
    def topics(self) -> int: ...

    @property
    def user_size(self) -> int: ...

    @property
    def document_size(self) -> int: ...

    @property
    def choice_model(self) -> ChoiceModel: ...

    @property
    def topic_quality(self) -> Floats: ...

    def reset(self, seed: int | None = None) -> Observation:
        """B new users; equal seeds give equal ones, None goes on with the streams (fresh entropy at first)."""
        ...

    def step(self, slates: Integers) -> Feedback:
        """Serves `slates` [B, K], places among the candidates, distinct in each row; ValueError if they are not."""
        ...

    def choice_scores(self, observation: Observation) -> Floats:
        """[B, N + 1] the scores that a recommender may know, last that of no click, for `choice_model.probabilities`.

        In interest evolution these are the scores the users themselves choose by: the choice model's of the affinity
        interest . document. In interest exploration the affinity is hidden and stands at its prior mean over users.
        In long-term satisfaction the first document of a slate is always chosen, so all documents score 1, no click 0.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the future depends on: NumPy arrays, and JSON values (generators' states)."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> Observation:
        """Takes up what `state_dict` gave and returns the observation to act on next."""
        ...


def checked_slates(slates: Integers, users: int, slate_size: int, candidates: int) -> Integers:
    """`slates` as an array; ValueError where it is not [users, slate_size] distinct places among the candidates."""
    slates = np.asarray(slates)
    if slates.shape != (users, slate_size) or not np.issubdtype(slates.dtype, np.integer):
        raise ValueError(f"slates are integers {[users, slate_size]}, not {slates.dtype} {list(slates.shape)}")
    if slates.min() < 0 or slates.max() >= candidates:
        raise ValueError(f"a slate names candidates 0 to {candidates - 1}")
    in_order = np.sort(slates, axis=1)
    if (in_order[:, 1:] == in_order[:, :-1]).any():
        raise ValueError("a slate names no candidate twice")
    return slates
