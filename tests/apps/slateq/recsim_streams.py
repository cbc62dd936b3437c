"""RecSim's own random draws, in RecSim's order, for the vectorised worlds with one user.

RecSim draws a user and N documents when a world is made, and again at each reset; N documents after each slate, the
last one of a session among them; one uniform number for each choice, and one more after a click for the drift.
"""

from typing import Any

import numpy as np

from apps.slateq.config import WorldConfig
from apps.slateq.simulator.interest_evolution import InterestEvolution
from apps.slateq.simulator.interest_exploration import InterestExploration
from apps.slateq.simulator.long_term_satisfaction import LongTermSatisfaction
from apps.slateq.simulator.protocol import Bools, Observation, Scores
from apps.slateq.simulator.streams import Block
from apps.slateq.simulator.vectorised import QUALITY, TOPIC


class ReplaysRecSim:
    """Mixed in before a vectorised world: draws from RandomState(seed) as the samplers of RecSim do."""

    candidates: int

    def __init__(self, config: WorldConfig, seed: int, luck: int) -> None:
        super().__init__(config, 1)  # type: ignore[call-arg]
        self.user_draws, self.document_draws = np.random.RandomState(seed), np.random.RandomState(seed)
        self.luck = np.random.RandomState(luck)
        self.draw_user()

    def started(self) -> Observation:
        """The first session's first observation."""
        return self.reset(0)  # type: ignore[attr-defined, no-any-return]

    def draw_user(self) -> Block:
        raise NotImplementedError

    def draw_document(self) -> dict[str, Any]:
        raise NotImplementedError

    def _sample_users(self, rng: np.random.Generator) -> Block:
        self._sample_documents(rng)  # those of the making, or of the slate that ended the session
        return self.draw_user()

    def _sample_documents(self, rng: np.random.Generator) -> Block:
        drawn = [self.draw_document() for _ in range(self.candidates)]
        return {name: np.array([[document[name] for document in drawn]]) for name in drawn[0]}

    def _uniform(self) -> Scores:
        return np.array([self.luck.random_sample()])


class ReplayedEvolution(ReplaysRecSim, InterestEvolution):
    def draw_user(self) -> Block:
        interests = self.user_draws.uniform(-1.0, 1.0, 20)
        if self.parameters.budget == 30.0:  # distribution users have a number more, which nothing uses
            self.user_draws.beta(1, 3, 1)
        return {"interests": interests[None], "budget": np.array([self.parameters.budget])}

    def draw_document(self) -> dict[str, Any]:
        topic = self.document_draws.randint(0, 20)
        return {TOPIC: np.int64(topic), QUALITY: self.document_draws.normal(self._means[topic], 0.1)}

    def _flips(self, clicked: Bools) -> Scores:
        return self.luck.rand(1) if clicked[0] else np.zeros(1)


class ReplayedExploration(ReplaysRecSim, InterestExploration):
    def draw_user(self) -> Block:
        given = self.parameters
        kind = self.user_draws.choice(2, p=given.user_type_distribution)
        affinity = self.user_draws.lognormal(
            mean=given.user_document_mean_affinity[kind], sigma=given.user_document_stddev_affinity[kind]
        )
        return {"affinity": affinity[None]}

    def draw_document(self) -> dict[str, Any]:
        given = self.parameters
        topic = self.document_draws.choice(2, p=given.topic_distribution)
        quality = self.document_draws.lognormal(
            mean=given.topic_quality_mean[topic], sigma=given.topic_quality_stddev[topic]
        )
        return {TOPIC: np.int64(topic), QUALITY: quality}


class ReplayedSatisfaction(ReplaysRecSim, LongTermSatisfaction):
    def draw_user(self) -> Block:
        exposure = np.array([(self.user_draws.random_sample() - 0.5) * (1 / (1.0 - 0.7))])
        satisfaction = self._satisfaction(exposure)
        return {"exposure": exposure, "satisfaction": satisfaction, "budget": np.array([self.budget])}

    def draw_document(self) -> dict[str, Any]:
        clickbait = self.document_draws.random_sample()
        return {"clickbait": clickbait, TOPIC: np.int64(min(clickbait * 5, 4)), QUALITY: 1 - clickbait}

    def _normals(self) -> tuple[Scores, Scores]:
        first = self.luck.standard_normal(1)
        return first, self.luck.standard_normal(1)
