"""What is true of a topic, and the expert that says so. PRIVILEGED: reads what no recommender is told.

A recommendation is good if its topics are worth more, in the long run, than what a random policy serves or than a
neutral document, and bad if they are worth less:

- interest evolution: the topic's mean quality, above or below 0 (RecSim's "nutritious" and "trashy"); the two topics of
  mean quality 0 are neutral.
- interest exploration: mean affinity over all users plus mean quality, above or below the mean over topics.
- long-term satisfaction: the logarithm of the mean engagement if only such documents are served for ever, above or
  below that of documents with a clickbait score of a half. With RecSim's parameters clickbait wins: satisfaction moves
  engagement by less than a tenth.
"""

import hashlib
import math
from collections.abc import Mapping

import numpy as np

from apps.slateq.config import SatisfactionConfig, WorldConfig
from apps.slateq.describe import SEPARATOR
from apps.slateq.simulator.interest_evolution import topic_means
from apps.slateq.simulator.interest_exploration import lognormal_mean
from apps.slateq.simulator.long_term_satisfaction import BINS
from apps.slateq.simulator.protocol import Scores
from apps.slateq.vocabulary import Vocabulary
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt

TOLERANCE = 1e-9


def topic_values(config: WorldConfig) -> Scores:
    """[T] what each topic is worth, 0 for neither good nor bad; see the module's text."""
    if config.env == "interest-evolution":
        return topic_means(config.evolution.min_utility, config.evolution.max_utility)
    if config.env == "interest-exploration":
        given = config.exploration
        by_type = lognormal_mean(given.user_document_mean_affinity, given.user_document_stddev_affinity)
        affinity = np.asarray(given.user_type_distribution) @ by_type
        worth: Scores = affinity + lognormal_mean(given.topic_quality_mean, given.topic_quality_stddev)
        centred: Scores = worth - worth.mean()
        return centred
    clickbait = (np.arange(BINS) + 0.5) / BINS
    return np.array([long_run(config.satisfaction, c) - long_run(config.satisfaction, 0.5) for c in clickbait])


def long_run(given: SatisfactionConfig, clickbait: float) -> float:
    """Log of the mean engagement with documents of one clickbait score, once exposure has settled, without noise."""
    exposure = -2 * (clickbait - 0.5) / (1 - given.memory_discount)
    satisfaction = 1 / (1 + math.exp(-given.sensitivity * exposure))
    loc = (clickbait * given.choc_mean + (1 - clickbait) * given.kale_mean) * satisfaction
    scale = clickbait * given.choc_stddev + (1 - clickbait) * given.kale_stddev
    return loc + scale**2 / 2


class TopicTruth:
    """What every named topic is worth: the world's, and the audit's probe topics (+1 and -1)."""

    def __init__(self, vocabulary: Vocabulary, values: Scores) -> None:
        self.value_of: Mapping[str, float] = {
            **{name: 1.0 if high else -1.0 for name, high in vocabulary.audit.items()},
            **dict(zip(vocabulary.names, values.tolist(), strict=True)),
        }

    @property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of all names and values."""
        lines = "\n".join(f"{name}:{value:.6f}" for name, value in sorted(self.value_of.items()))
        return hashlib.sha256(lines.encode()).hexdigest()[:12]

    def verdict(self, prompt: Prompt) -> Verdict:
        """Good or bad by the mean worth of the topics asked about, neutral at 0; KeyError for an unknown topic."""
        names = prompt.facts["topics"].split(SEPARATOR)
        worth = sum(self.value_of[name] for name in names) / len(names)
        if abs(worth) < TOLERANCE:
            return Verdict.NEUTRAL
        return Verdict.GOOD if worth > 0 else Verdict.BAD
