"""What the embedding judge compares: a topic with words for content of lasting value, and for the opposite.

How it is chosen, on the train half of the labelled probe topics only: for each pair of templates below a threshold and
a temperature are fitted to the labels (a logistic regression), and the pair whose similarities rank the train topics
best (AUC) is taken. No name of the vocabulary and no topic of the audit is read, and nothing of the model is trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from apps.slateq.describe import SEPARATOR, listed
from lmgt_core.audit.precision import auc
from lmgt_core.errors import UserError
from lmgt_core.judges.minilm import MiniLMEncoder, MiniLMJudge, Pair, Pairing
from lmgt_core.judges.score_thresholds import Calibration, fit_calibration
from lmgt_core.judging.prompt import Prompt

TOPICS = ("{}", "a video about {}", "watching {}")
VALUES = (
    ("educational content that is worth one's time", "trashy content that wastes one's time"),
    ("learning something useful", "cheap entertainment"),
    ("a documentary or a lesson", "gossip and sensation"),
    ("of lasting value", "of no lasting value"),
)


@dataclass(frozen=True)
class TopicTemplate:
    """A phrase with a gap for the topic, and what a good and a bad topic are like."""

    topic: str
    good: str
    bad: str

    @property
    def name(self) -> str:
        """All three texts, for the judge's id."""
        return f"{self.topic} | {self.good} | {self.bad}"

    def pair(self, topics: str) -> Pair:
        """The pair for one topic, or several in one phrase."""
        return Pair(self.topic.format(topics), self.good, contrast=self.bad)

    def similarities(self, encoder: MiniLMEncoder, topics: list[str]) -> NDArray[np.float64]:
        """[topic] the cosine with `good` less that with `bad`."""
        phrases = encoder.encode([self.topic.format(topic) for topic in topics])
        good, bad = encoder.encode([self.good, self.bad])
        similarities: NDArray[np.float64] = (phrases @ (good - bad)).astype(np.float64)
        return similarities


def choose(encoder: MiniLMEncoder, train: Mapping[str, bool]) -> tuple[TopicTemplate, Calibration, float]:
    """The best template on the train topics, its calibration and its AUC there; the first of equals.

    UserError where no template's similarities go up with the labels.
    """
    topics, labels = list(train), np.array(list(train.values()), bool)
    best: tuple[TopicTemplate, Calibration, float] | None = None
    for topic, (good, bad) in product(TOPICS, VALUES):
        template = TopicTemplate(topic, good, bad)
        scores = template.similarities(encoder, topics)
        try:
            calibration = fit_calibration(scores, [""] * len(topics), labels)
        except ValueError:  # these similarities do not go up with the labels
            continue
        area = auc(scores, labels)
        assert area is not None  # fit_calibration has seen both answers
        if best is None or area > best[2]:
            best = template, calibration, area
    if best is None:
        raise UserError("--judge minilm: its similarities do not go with the train topics' labels")
    return best


def pairing(template: TopicTemplate) -> Pairing:
    """The pair of a recommendation; the viewer's interest is not read."""

    def pair(prompt: Prompt) -> Pair | None:
        topics = prompt.facts.get("topics")
        return None if topics is None else template.pair(listed(list(dict.fromkeys(topics.split(SEPARATOR)))))

    return pair


def make_minilm(argument: str, train: Mapping[str, bool], domain: str) -> MiniLMJudge:
    """The judge `minilm`, fitted on the train topics; UserError for an argument, which it does not take."""
    if argument:
        raise UserError(f"--judge minilm:{argument}: minilm takes no argument here")
    encoder = MiniLMEncoder.load()
    template, calibration, _ = _chosen(tuple(train.items()))
    return MiniLMJudge(encoder, pairing(template), calibration, domain, template.name)


@lru_cache(maxsize=4)
def _chosen(train: tuple[tuple[str, bool], ...]) -> tuple[TopicTemplate, Calibration, float]:
    return choose(MiniLMEncoder.load(), dict(train))
