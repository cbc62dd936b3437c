"""What the three vectorised worlds share: sessions that end and begin anew, candidates, and the checks of a slate."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from apps.slateq.config import WorldConfig
from apps.slateq.simulator.protocol import (
    Bools,
    ChoiceModel,
    Feedback,
    Floats,
    Integers,
    Observation,
    Scores,
    checked_slates,
)
from apps.slateq.simulator.streams import Block, Streams

TOPIC, QUALITY = "topic", "quality"  # fields that every world's documents have


class Response(NamedTuple):
    """What B users did, [B] each: a place in the slate or K, the reward, whether their session ended by itself."""

    clicked: Integers
    reward: Scores
    terminated: Bools


class VectorisedSimulator(ABC):
    """A `Simulator` whose B users are the rows of a few arrays.

    A world gives users and documents as named arrays (`user` [B, ...], `document` [B, N]), and a response to what is
    shown. Calculations are in float64, as RecSim's are; what leaves is float32.
    """

    topics: int
    user_size: int
    document_size: int
    choice_model: ChoiceModel
    topic_quality: Floats

    def __init__(self, config: WorldConfig, users: int, session_steps: int) -> None:
        self.users = users
        self.candidates = config.candidates
        self.slate_size = config.slate
        self.session_steps = session_steps if config.session_steps is None else config.session_steps
        self.resample_documents = config.resample_documents
        self.user: Block = {}
        self.document: Block = {}
        self._streams: Streams | None = None
        self._session = np.zeros(users, np.int64)  # [B] which user of its row, from 0
        self._step = np.zeros(users, np.int64)  # [B] slates served in the session
        self._rows = np.arange(users)

    @abstractmethod
    def _sample_users(self, rng: np.random.Generator) -> Block:
        """A new user for each of the B rows."""

    @abstractmethod
    def _sample_documents(self, rng: np.random.Generator) -> Block:
        """N candidates for each of the B rows: TOPIC (int64 [B, N]), QUALITY, and what else the world needs."""

    @abstractmethod
    def _observed_users(self) -> Floats:
        """[B, U] a copy of what may be observed of the users."""

    @abstractmethod
    def _observed_documents(self) -> Floats:
        """[B, N, D] what may be observed of the candidates."""

    @abstractmethod
    def _respond(self, shown: Block) -> Response:
        """Lets the users choose from the documents `shown` [B, K], and changes the users by it."""

    @abstractmethod
    def choice_scores(self, observation: Observation) -> Floats:
        """[B, N + 1] the scores that a recommender may know; see `Simulator`."""

    def reset(self, seed: int | None = None) -> Observation:
        """B new users; None goes on with the streams, which begin with fresh entropy."""
        if seed is not None or self._streams is None:
            self._streams = Streams(_entropy() if seed is None else seed)
            self._session[:] = -1
            self.document = {}
        self._replace(np.ones(self.users, bool))
        self._draw_documents()
        return self._observe()

    def step(self, slates: Integers, served: Bools | None = None) -> Feedback:
        """Serves `slates` [B, K]; users whose session is over are replaced in the same step.

        Users who are not `served` [B] (default: all are) wait: nothing of theirs changes, and they click on nothing.
        """
        slates = checked_slates(slates, self.users, self.slate_size, self.candidates)
        if self._streams is None:
            raise RuntimeError("reset the simulator before its first step")
        shown = {name: np.take_along_axis(field, slates, 1) for name, field in self.document.items()}
        waiting = None if served is None or served.all() else _Waiting(self, ~served)
        response = self._respond(shown)
        self._step += 1
        if waiting is not None:
            response = waiting.taken_back(response)
        truncated = ~response.terminated & (self._step >= self.session_steps)
        done = response.terminated | truncated
        led_to = self._observed_users(), self._step.copy()
        self._replace(done)
        self._draw_documents()
        if waiting is not None:
            waiting.keep_documents()
        observation = self._observe()
        final = observation
        if done.any():
            final = Observation(led_to[0], observation.documents, observation.document_topic, led_to[1])
        topic, quality = self._of_clicked(shown, response.clicked)
        return Feedback(
            clicked=response.clicked,
            reward=response.reward.astype(np.float32),
            quality=quality,
            topic=topic,
            shown_quality=shown[QUALITY].astype(np.float32),
            terminated=response.terminated,
            truncated=truncated,
            final_observation=final,
            observation=observation,
        )

    def state_dict(self) -> dict[str, Any]:
        """Arrays and JSON values; RuntimeError before the first reset."""
        return {
            "streams": self._started.state_dict(),
            "session": self._session.copy(),
            "step": self._step.copy(),
            "user": {name: field.copy() for name, field in self.user.items()},
            "document": {name: field.copy() for name, field in self.document.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> Observation:
        """Takes up what `state_dict` gave."""
        self._streams = Streams.from_state(state["streams"])
        self._session = np.array(state["session"])
        self._step = np.array(state["step"])
        self.user = {name: np.array(field) for name, field in state["user"].items()}
        self.document = {name: np.array(field) for name, field in state["document"].items()}
        return self._observe()

    @property
    def _started(self) -> Streams:
        """The streams; RuntimeError before the first reset."""
        if self._streams is None:
            raise RuntimeError("reset the simulator first")
        return self._streams

    def _uniform(self) -> Scores:
        """[B] in [0, 1): what decides the users' choices."""
        return self._started.choices.random(self.users)

    def _replace(self, rows: Bools) -> None:
        """New users in `rows` [B]."""
        if not rows.any():
            return
        self._session[rows] += 1
        self._step[rows] = 0
        drawn = self._started.users(self._sample_users, self._session, rows)
        if not self.user:
            self.user = drawn  # the first reset replaces every row
            return
        for name, field in drawn.items():
            self.user[name][rows] = field

    def _draw_documents(self) -> None:
        if self.resample_documents or not self.document:
            self.document = self._sample_documents(self._started.documents)

    def _observe(self) -> Observation:
        return Observation(self._observed_users(), self._observed_documents(), self.document[TOPIC], self._step.copy())

    def _of_clicked(self, shown: Block, clicked: Integers) -> tuple[Integers, Floats]:
        """Topic and quality [B] of the clicked documents; T and 0 where there is none."""
        nothing = clicked == self.slate_size
        place = np.where(nothing, 0, clicked)
        topic = np.where(nothing, self.topics, shown[TOPIC][self._rows, place])
        quality = np.where(nothing, 0.0, shown[QUALITY][self._rows, place])
        return topic, quality.astype(np.float32)


class _Waiting:
    """Undoes a step for the users who were not served."""

    def __init__(self, simulator: VectorisedSimulator, rows: Bools) -> None:
        self.simulator, self.rows = simulator, rows
        self.user = {name: field[rows].copy() for name, field in simulator.user.items()}
        self.document = {name: field[rows].copy() for name, field in simulator.document.items()}

    def taken_back(self, response: Response) -> Response:
        """`response` without what these users did."""
        for name, field in self.user.items():
            self.simulator.user[name][self.rows] = field
        self.simulator._step[self.rows] -= 1
        clicked = np.where(self.rows, self.simulator.slate_size, response.clicked)
        reward = np.where(self.rows, 0.0, response.reward)
        return Response(clicked, reward, response.terminated & ~self.rows)

    def keep_documents(self) -> None:
        """Puts their candidates back."""
        for name, field in self.document.items():
            self.simulator.document[name][self.rows] = field


def _entropy() -> int:
    entropy = np.random.SeedSequence().entropy
    assert isinstance(entropy, int)  # a sequence seeded with nothing draws one integer
    return entropy
