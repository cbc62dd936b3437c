"""Interest evolution, vectorised: RecSim's environments/interest_evolution, the world of the SlateQ paper.

Users have an interest in [-1, 1] in each of 20 topics, and a hidden budget of minutes. A document is one-hot in its
topic. What is watched costs its minutes and gives some back, by its quality, and moves the interest in its topic.
"""

from dataclasses import dataclass

import numpy as np

from apps.slateq.config import SESSION_STEPS, EvolutionConfig, WorldConfig
from apps.slateq.simulator.choice import (
    ChoiceParameters,
    MultinomialProportional,
    choose,
    make_choice_model,
    of_each_user,
)
from apps.slateq.simulator.protocol import Bools, ChoiceModel, Floats, Observation, Scores
from apps.slateq.simulator.streams import Block
from apps.slateq.simulator.vectorised import QUALITY, TOPIC, Response, VectorisedSimulator
from apps.slateq.user_ranges import user_ranges

TOPICS = 20
LOW_TOPICS = 14  # "trashy" in RecSim: int(20 * .7)
MINUTES_PER_UTILITY = 0.9 * (1.0 / 3.4)  # a share of .9 of a video's length, utilities scaled to [-1, 1]


@dataclass(frozen=True)
class EvolutionParameters:
    """The numbers of one world, with RecSim's defaults for its kind of users filled in."""

    budget: float
    step_penalty: float
    attention_prob: float
    score_scaling: float
    user_update_alpha: float
    user_quality_factor: float
    choice_model: str
    given: EvolutionConfig

    @classmethod
    def of(cls, config: WorldConfig) -> "EvolutionParameters":
        """Those of UtilityModelUserSampler or of IEvUserDistributionSampler, where `config` leaves them open."""
        given, utility = config.evolution, config.user_model == "utility"
        return cls(
            budget=_or(config.budget, 200.0 if utility else 30.0),
            step_penalty=_or(given.step_penalty, 0.5 if utility else 1.0),
            attention_prob=_or(given.attention_prob, 0.65 if utility else 0.9),
            score_scaling=_or(given.score_scaling, 0.05),
            user_update_alpha=_or(given.user_update_alpha, MINUTES_PER_UTILITY if utility else 0.0),
            user_quality_factor=_or(given.user_quality_factor, 0.0 if utility else 1.0),
            choice_model=config.choice_model or "multinomial-proportional",
            given=given,
        )

    def make_choice_model(self) -> ChoiceModel:
        """The users' choice model; UserError for parameters that give no probabilities."""
        given = self.given
        chances = ChoiceParameters(given.no_click_mass, given.min_normalizer, self.attention_prob, self.score_scaling)
        return make_choice_model(self.choice_model, chances)


def topic_means(low: float = -3.0, high: float = 3.0) -> Scores:
    """[T] the mean quality of each topic: 14 evenly from `low` to 0, then 6 from 0 to `high`."""
    return np.concatenate([np.linspace(low, 0, LOW_TOPICS), np.linspace(0, high, TOPICS - LOW_TOPICS)])


class InterestEvolution(VectorisedSimulator):
    """B users of interest evolution; `user` holds `interests` [B, T] and `budget` [B] in minutes.

    Parameters that users draw (`--users-ranges`) are in `user` by their names, [B] each.
    """

    topics = user_size = document_size = TOPICS

    def __init__(self, config: WorldConfig, users: int) -> None:
        super().__init__(config, users, SESSION_STEPS)
        self.parameters = EvolutionParameters.of(config)
        self.ranges = user_ranges(config.users_ranges)
        self.choice_model = self.parameters.make_choice_model()
        self._means = topic_means(config.evolution.min_utility, config.evolution.max_utility)
        self.topic_quality = self._means.astype(np.float32)
        self._one_hot = np.eye(TOPICS, dtype=np.float32)

    def choice_scores(self, observation: Observation) -> Floats:
        """[B, N + 1] the choice model's scores of interest . document, those that the users choose by.

        Parameters that users draw are not known: they stand at the world's own.
        """
        affinity = np.take_along_axis(observation.user, observation.document_topic, 1)
        return self.choice_model.scores(affinity).astype(np.float32)

    def _sample_users(self, rng: np.random.Generator) -> Block:
        interests = rng.uniform(-1.0, 1.0, (self.users, TOPICS))
        drawn = {name: rng.uniform(*ends, self.users) for name, ends in self.ranges.items()}
        return {"interests": interests, "budget": np.full(self.users, self.parameters.budget), **drawn}

    def _sample_documents(self, rng: np.random.Generator) -> Block:
        shape = (self.users, self.candidates)
        topic = rng.integers(0, TOPICS, shape)
        spread = self.parameters.given.quality_stddev
        return {TOPIC: topic, QUALITY: self._means[topic] + spread * rng.standard_normal(shape)}

    def _observed_users(self) -> Floats:
        return self.user["interests"].astype(np.float32)

    def _observed_documents(self) -> Floats:
        return np.take(self._one_hot, self.document[TOPIC], axis=0)

    def _respond(self, shown: Block) -> Response:
        affinity = np.take_along_axis(self.user["interests"], shown[TOPIC], 1)
        choice_model = of_each_user(self.choice_model, {name: self.user[name] for name in self.ranges})
        probabilities = choice_model.probabilities(choice_model.scores(affinity))
        clicked = choose(probabilities, self._uniform())
        some = clicked < self.slate_size
        flips = self._flips(some)
        place = np.where(some, clicked, 0)
        watched = np.minimum(self.user["budget"], self.parameters.given.video_length)
        utility = self._utility(choice_model, affinity[self._rows, place], shown[QUALITY][self._rows, place])
        self._spend(some, watched, utility)
        self._drift(some, shown[TOPIC][self._rows, place], flips)
        return Response(clicked, np.where(some, watched, 0.0), self.user["budget"] <= 0)

    def _flips(self, clicked: Bools) -> Scores:
        """[B] in [0, 1): what decides whether an interest moves up or down; drawn for users without a click too."""
        return self._started.dynamics.random(len(clicked))

    def _of_users(self, name: str, given: float) -> Scores | float:
        """[B] what the users drew of this parameter, or what is `given` for all."""
        return self.user[name] if name in self.ranges else given

    def _utility(self, choice_model: ChoiceModel, affinity: Scores, quality: Scores) -> Scores:
        """[B] what a click on documents of this affinity and quality is worth to the users."""
        p = self.parameters
        utility = p.given.document_quality_factor * quality
        if p.user_quality_factor:
            utility = p.user_quality_factor * lone_score(choice_model, affinity) + utility
        return utility

    def _spend(self, clicked: Bools, watched: Scores, utility: Scores) -> None:
        """A click costs the minutes watched and gives back by its utility; no click costs the step penalty."""
        alpha = self._of_users("user_update_alpha", self.parameters.user_update_alpha)
        penalty = self._of_users("step_penalty", self.parameters.step_penalty)
        left = self.user["budget"] - watched + alpha * watched * utility
        self.user["budget"] = np.where(clicked, left, self.user["budget"] - penalty)

    def _drift(self, clicked: Bools, topic: Scores, flips: Scores) -> None:
        """The interest u in the clicked topic moves by (y - y / x |u|) (1 - u), up with probability (u + 1) / 2."""
        rows = np.flatnonzero(clicked)
        interests, at = self.user["interests"], (rows, topic[rows])
        u, given = interests[at], self.parameters.given
        y = np.broadcast_to(self._of_users("alpha_y_intercept", given.alpha_y_intercept), len(clicked))[rows]
        alpha = (-y / given.alpha_x_intercept) * np.absolute(u) + y
        step = alpha * (1.0 - u)
        moved = np.where(flips[rows] < (u + 1.0) / 2, u + step, u - step)
        interests[at] = np.clip(moved, -1.0, 1.0)


def lone_score(choice_model: ChoiceModel, affinity: Scores) -> Scores:
    """[B] what RecSim's choice models call the score of a document that stands alone: part of a click's utility.

    The affinity above the normalizer in the proportional model; in the others the probability of a click.
    """
    scores = choice_model.scores(affinity[:, None])
    if isinstance(choice_model, MultinomialProportional):
        return scores[:, 0]
    return choice_model.probabilities(scores)[:, 0]


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
