"""Interest exploration, vectorised: RecSim's environments/interest_exploration.

Users come in types with tastes of their own, which are hidden and do not change; documents of some topics are better
made and please everybody. Who shows only those never finds out what else a user likes.
"""

import numpy as np

from apps.slateq.config import ExplorationConfig, WorldConfig
from apps.slateq.simulator.choice import ChoiceParameters, choose, make_choice_model
from apps.slateq.simulator.protocol import ChoiceModel, Floats, Observation, Scores
from apps.slateq.simulator.streams import Block
from apps.slateq.simulator.vectorised import QUALITY, TOPIC, Response, VectorisedSimulator
from lmgt_core.errors import UserError

STEPS = 100  # RecSim's sessions never end


def exploration_choice_model(config: WorldConfig) -> ChoiceModel:
    """The users' choice model; UserError where affinities, which have no upper bound here, give no probabilities."""
    name = config.choice_model or "multinomial-logit"
    if name == "exponential-cascade":
        raise UserError("--choice-model exponential-cascade: affinities have no bound in interest-exploration")
    return make_choice_model(name, exploration_chances(config.exploration))


def exploration_chances(given: ExplorationConfig) -> ChoiceParameters:
    """The choice models' numbers; RecSim has only no_click_mass here, the others are interest evolution's.

    Affinities are positive, so nothing has to be added to them.
    """
    return ChoiceParameters(given.no_click_mass, min_normalizer=0.0, attention_prob=0.65, score_scaling=0.05)


def check_exploration(given: ExplorationConfig) -> None:
    """UserError naming the first parameter whose size or sum does not fit the others."""
    types, topics = len(given.user_type_distribution), len(given.topic_distribution)
    for name in ("user_type_distribution", "topic_distribution"):
        share = getattr(given, name)
        if min(share, default=-1.0) < 0 or abs(sum(share) - 1) > 1e-8:
            raise UserError(f"--exploration.{name.replace('_', '-')}: shares of 0 or more that sum to 1")
    for name in ("topic_quality_mean", "topic_quality_stddev"):
        if len(getattr(given, name)) != topics:
            raise UserError(f"--exploration.{name.replace('_', '-')}: one number for each of the {topics} topics")
    for name in ("user_document_mean_affinity", "user_document_stddev_affinity"):
        matrix = getattr(given, name)
        if len(matrix) != types or any(len(row) != topics for row in matrix):
            raise UserError(f"--exploration.{name.replace('_', '-')}: {types} user types times {topics} topics")


class InterestExploration(VectorisedSimulator):
    """B users of interest exploration; `user` holds the hidden `affinity` [B, T]."""

    user_size = 0

    def __init__(self, config: WorldConfig, users: int) -> None:
        super().__init__(config, users, STEPS)
        check_exploration(config.exploration)
        given = self.parameters = config.exploration
        self.topics = len(given.topic_distribution)
        self.document_size = self.topics + 1  # one-hot topic, quality
        self.choice_model = exploration_choice_model(config)
        self.topic_quality = lognormal_mean(given.topic_quality_mean, given.topic_quality_stddev).astype(np.float32)
        by_type = lognormal_mean(given.user_document_mean_affinity, given.user_document_stddev_affinity)
        self.prior_affinity: Scores = np.asarray(given.user_type_distribution) @ by_type  # [T]
        self._one_hot = np.eye(self.topics, dtype=np.float32)

    def choice_scores(self, observation: Observation) -> Floats:
        """[B, N + 1] the choice model's scores of the quality, which is seen, and the mean affinity over all users.

        RecSim's own prior (`avg_user_state`) takes the mean of the logarithms for the mean of the affinities.
        """
        affinity = self.prior_affinity[observation.document_topic] + observation.documents[:, :, -1]
        return self.choice_model.scores(affinity).astype(np.float32)

    def _sample_users(self, rng: np.random.Generator) -> Block:
        given = self.parameters
        kind = rng.choice(len(given.user_type_distribution), self.users, p=given.user_type_distribution)
        mean, spread = (
            np.asarray(matrix)[kind]
            for matrix in (given.user_document_mean_affinity, given.user_document_stddev_affinity)
        )
        return {"affinity": rng.lognormal(mean, spread)}

    def _sample_documents(self, rng: np.random.Generator) -> Block:
        given, shape = self.parameters, (self.users, self.candidates)
        topic = rng.choice(self.topics, shape, p=given.topic_distribution)
        mean, spread = np.asarray(given.topic_quality_mean)[topic], np.asarray(given.topic_quality_stddev)[topic]
        return {TOPIC: topic, QUALITY: rng.lognormal(mean, spread)}

    def _observed_users(self) -> Floats:
        return np.zeros((self.users, 0), np.float32)

    def _observed_documents(self) -> Floats:
        quality = self.document[QUALITY].astype(np.float32)[:, :, None]
        return np.concatenate([np.take(self._one_hot, self.document[TOPIC], axis=0), quality], axis=2)

    def _respond(self, shown: Block) -> Response:
        taste: Scores = np.take_along_axis(self.user["affinity"], shown[TOPIC], 1)
        affinity = taste + shown[QUALITY]
        probabilities = self.choice_model.probabilities(self.choice_model.scores(affinity))
        clicked = choose(probabilities, self._uniform())
        return Response(clicked, (clicked < self.slate_size).astype(np.float64), np.zeros(self.users, bool))


def lognormal_mean(mean: object, stddev: object) -> Scores:
    """The means of lognormal variables whose logarithms have `mean` and `stddev`, element by element."""
    return np.exp(np.asarray(mean, np.float64) + np.asarray(stddev, np.float64) ** 2 / 2)
