"""Long-term satisfaction, vectorised: RecSim's environments/long_term_satisfaction, chocolate and kale.

A document is only its clickbait score in [0, 1]. Users always take the first of a slate; clickbait engages them more
now and lowers a hidden satisfaction, which all engagement is multiplied by.
"""

import numpy as np

from apps.slateq.config import SESSION_STEPS, WorldConfig
from apps.slateq.simulator.choice import First
from apps.slateq.simulator.protocol import Floats, Observation, Scores
from apps.slateq.simulator.streams import Block
from apps.slateq.simulator.vectorised import QUALITY, TOPIC, Response, VectorisedSimulator

BINS = 5  # RecSim has no topics here: ours are equal ranges of the clickbait score
BUDGET = 60.0  # documents


class LongTermSatisfaction(VectorisedSimulator):
    """B users; `user` holds `exposure` (net positive exposure), `satisfaction` and `budget` (documents), [B] each.

    A document's `quality` is what it lacks in clickbait: 1 - clickbait score.
    """

    topics = BINS
    user_size = 0
    document_size = 1

    def __init__(self, config: WorldConfig, users: int) -> None:
        super().__init__(config, users, SESSION_STEPS)
        self.parameters = config.satisfaction
        self.budget = BUDGET if config.budget is None else config.budget
        self.choice_model = First()
        self.topic_quality = (1 - (np.arange(BINS) + 0.5) / BINS).astype(np.float32)

    def choice_scores(self, observation: Observation) -> Floats:
        """[B, N + 1] ones, and 0 for no click: whatever comes first is chosen."""
        return self.choice_model.scores(np.ones(observation.document_topic.shape)).astype(np.float32)

    def _sample_users(self, rng: np.random.Generator) -> Block:
        exposure = (rng.random(self.users) - 0.5) * (1 / (1.0 - self.parameters.memory_discount))
        budget = np.full(self.users, self.budget)
        return {"exposure": exposure, "satisfaction": self._satisfaction(exposure), "budget": budget}

    def _sample_documents(self, rng: np.random.Generator) -> Block:
        clickbait = rng.random((self.users, self.candidates))
        return {"clickbait": clickbait, TOPIC: clickbait_bin(clickbait), QUALITY: 1 - clickbait}

    def _observed_users(self) -> Floats:
        return np.zeros((self.users, 0), np.float32)

    def _observed_documents(self) -> Floats:
        return self.document["clickbait"].astype(np.float32)[:, :, None]

    def _respond(self, shown: Block) -> Response:
        given, clickbait = self.parameters, shown["clickbait"][:, 0]
        loc = clickbait * given.choc_mean + (1 - clickbait) * given.kale_mean
        scale = clickbait * given.choc_stddev + (1 - clickbait) * given.kale_stddev
        luck, innovation = self._normals()
        engagement = np.exp(loc * self.user["satisfaction"] + scale * luck)
        innovation = given.innovation_stddev * innovation
        exposure = given.memory_discount * self.user["exposure"] - 2.0 * (clickbait - 0.5) + innovation
        self.user["exposure"], self.user["satisfaction"] = exposure, self._satisfaction(exposure)
        self.user["budget"] -= 1
        return Response(np.zeros(self.users, np.int64), engagement, self.user["budget"] <= 0)

    def _normals(self) -> tuple[Scores, Scores]:
        """Two standard normal numbers [B] for each user: of the engagement, and of the change in exposure."""
        luck, innovation = self._started.dynamics.standard_normal((2, self.users))
        return luck, innovation

    def _satisfaction(self, exposure: Scores) -> Scores:
        satisfaction: Scores = 1 / (1.0 + np.exp(-self.parameters.sensitivity * exposure))
        return satisfaction


def clickbait_bin(clickbait: Scores) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The topic of documents with these clickbait scores in [0, 1]: 0 for kale to 4 for chocolate."""
    return np.minimum((clickbait * BINS).astype(np.int64), BINS - 1)
