"""RecSim itself as a `Simulator` of one user: the reference that the vectorised worlds are tested against.

RecSim's gym interface is the old one, its observations are dictionaries that change as the user does, and its luck is
NumPy's global generator; here users, documents and luck come from generators of each session's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from apps.slateq.config import SESSION_STEPS, WorldConfig
from apps.slateq.simulator.interest_exploration import STEPS
from apps.slateq.simulator.long_term_satisfaction import clickbait_bin
from apps.slateq.simulator.protocol import Feedback, Floats, Integers, Observation, checked_slates
from apps.slateq.simulator.recsim_faults import lent
from apps.slateq.simulator.recsim_worlds import make_recsim
from apps.slateq.simulator.worlds import VECTORISED

USERS, DOCUMENTS, LUCK, START = range(4)


class RecSimSimulator:
    """The package's own world, one user at a time; `step` and `reset` are those of `Simulator`.

    Equal seeds give equal users, and equal candidates to the t-th slate of the k-th user, whatever the slates are. The
    luck of a session begins equal, but RecSim draws a number more after a click than without one.
    """

    users = 1

    def __init__(self, config: WorldConfig) -> None:
        self.config = config
        self.candidates, self.slate_size = config.candidates, config.slate
        # What is known of a world without a user in it is the same in both implementations.
        self._known = VECTORISED[config.env](config, 1)
        self.topics, self.choice_model = self._known.topics, self._known.choice_model
        self.user_size, self.document_size = self._known.user_size, self._known.document_size
        self.topic_quality, self.choice_scores = self._known.topic_quality, self._known.choice_scores
        limit = STEPS if config.env == "interest-exploration" else SESSION_STEPS
        self.session_steps = limit if config.session_steps is None else config.session_steps
        self._env: Any = None
        self._seed = 0
        self._session = 0
        self._served: list[list[int]] = []  # slates of this session
        self._luck = np.random.RandomState(0)
        self._now: Observation | None = None

    def reset(self, seed: int | None = None) -> Observation:
        """A new user; None goes on with the next one, of a fresh seed at first."""
        if seed is None and self._env is not None:
            return self._begin(self._session + 1)
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        self._seed = seed
        start = int(np.random.SeedSequence([seed, START]).generate_state(1)[0])
        with lent(np.random.RandomState(start)):
            self._env = make_recsim(self.config, start)
        return self._begin(0)

    def step(self, slates: Integers) -> Feedback:
        """Serves one slate [1, K]; a user whose session is over is replaced in the same step."""
        if self._now is None:
            raise RuntimeError("reset the simulator before the first step")
        slate = checked_slates(slates, 1, self.slate_size, self.candidates)[0]
        before, (seen, reward, over, _) = self._now, self._serve(slate.tolist())
        truncated = not over and len(self._served) >= self.session_steps
        final = self._now = self._observed(seen)
        if over or truncated:
            begun = self._begin(self._session + 1)
            # As in the vectorised worlds: an ended session has no candidates of its own.
            final = replace(final, documents=begun.documents, document_topic=begun.document_topic)
        clicked = next((place for place, r in enumerate(seen["response"]) if r["click"]), self.slate_size)
        topics = np.append(before.document_topic[0, slate], self.topics)
        qualities = self._qualities(seen["response"], before.documents[0, slate])
        return Feedback(
            clicked=np.array([clicked], np.int64),
            reward=np.array([reward], np.float32),
            quality=np.append(qualities, np.float32(0))[[clicked]],
            topic=topics[[clicked]],
            shown_quality=qualities[None],
            terminated=np.array([bool(over)]),
            truncated=np.array([truncated]),
            final_observation=final,
            observation=self._now,
        )

    def state_dict(self) -> dict[str, Any]:
        """The seed, the session's number and its slates: RecSim is deterministic in them."""
        if self._now is None:
            raise RuntimeError("reset the simulator before its state is asked for")
        return {"seed": self._seed, "session": self._session, "served": [list(slate) for slate in self._served]}

    def load_state_dict(self, state: Mapping[str, Any]) -> Observation:
        """Plays the session again up to where `state_dict` was asked for."""
        self.reset(state["seed"])
        observation = self._begin(state["session"])
        for slate in state["served"]:
            observation = self._now = self._observed(self._serve(slate)[0])
        return observation

    def _serve(self, slate: list[int]) -> Any:
        self._served.append(list(slate))
        with lent(self._luck):
            return self._env.step(slate)

    def _begin(self, session: int) -> Observation:
        """The first observation of the session with this number."""
        self._session, self._served = session, []
        self._luck = self._generator(LUCK)
        world = self._env.environment
        world.user_model._user_sampler._rng = self._generator(USERS)
        world._document_sampler._rng = self._generator(DOCUMENTS)
        self._now = self._observed(self._env.reset())
        return self._now

    def _generator(self, purpose: int) -> np.random.RandomState:
        return np.random.RandomState(np.random.MT19937(np.random.SeedSequence([self._seed, purpose, self._session])))

    def _observed(self, seen: Mapping[str, Any]) -> Observation:
        documents = list(seen["doc"].values())
        if self.config.env == "interest-evolution":
            features = np.array(documents, np.float32)
            topic = features.argmax(axis=1)
        elif self.config.env == "interest-exploration":
            topic = np.array([document["cluster_id"] for document in documents], np.int64)
            quality = np.array([document["quality"] for document in documents], np.float32)
            features = np.concatenate([np.eye(self.topics, dtype=np.float32)[topic], quality[:, None]], axis=1)
        else:
            clickbait = np.array(documents, np.float64)
            topic, features = clickbait_bin(clickbait[:, 0]), clickbait.astype(np.float32)
        user: Floats = np.array(seen["user"], np.float32)[None]
        return Observation(user, features[None], topic[None], np.array([len(self._served)], np.int64))

    def _qualities(self, responses: Sequence[Mapping[str, Any]], shown: Floats) -> Floats:
        """[K] the quality of each document in the slate; in long-term satisfaction what it lacks in clickbait."""
        if self.config.env == "long-term-satisfaction":
            return 1 - shown[:, 0]
        return np.array([response["quality"] for response in responses], np.float32)
