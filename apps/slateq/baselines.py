"""Policies without item values of the long run: random, myopic, popular, bandits, and a rule that knows too much."""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from apps.slateq.features import Features
from apps.slateq.optimisers import LETTERS, OPTIMISERS
from apps.slateq.simulator.protocol import Floats, Integers, Simulator


class Policy(Protocol):
    """Serves slates; may learn from what users do with them."""

    def serve(self, features: Features) -> Integers:
        """Slates [B, K] for B users."""
        ...

    def learn(self, topics: Integers, clicked: Integers, reward: Floats) -> None:
        """Hears what users did with slates of `topics` [B, K]: `clicked` [B] (K: nothing) and the rewards [B]."""
        ...


class _Fixed:
    def learn(self, topics: Integers, clicked: Integers, reward: Floats) -> None:
        pass  # it knows what it knows


class Random(_Fixed):
    """Every slate is equally likely."""

    def __init__(self, simulator: Simulator, rng: np.random.Generator) -> None:
        self.k, self.rng = simulator.slate_size, rng

    def serve(self, features: Features) -> Integers:
        return self.rng.random(features.topic.shape).argsort(axis=1)[:, : self.k]


class Myopic(_Fixed):
    """The best slate for the next click: an item is worth 1, no click 0.

    In long-term satisfaction, where something is always clicked, an item is worth its clickbait score, which is what
    engagement grows with now.
    """

    def __init__(self, simulator: Simulator, optimiser: str) -> None:
        self.k, self.optimise = simulator.slate_size, OPTIMISERS[optimiser]

    def serve(self, features: Features) -> Integers:
        values = np.ones_like(features.scores)
        if features.documents.shape[2] == 1:  # clickbait is all there is of a document
            values[:, :-1] = features.documents[:, :, 0]
        values[:, -1] = 0.0
        return np.asarray(self.optimise(features.scores, values, self.k))


class TrueQuality(_Fixed):
    """Ranks by the true mean quality of the topic. PRIVILEGED: no recommender can see it."""

    def __init__(self, simulator: Simulator) -> None:
        self.k, self.quality = simulator.slate_size, simulator.topic_quality

    def serve(self, features: Features) -> Integers:
        return np.argsort(-self.quality[features.topic], axis=1, kind="stable")[:, : self.k]


class Popularity:
    """Ranks by the share of impressions of a topic that were clicked, over all users so far; equals at random."""

    def __init__(self, simulator: Simulator, rng: np.random.Generator) -> None:
        self.k, self.rng = simulator.slate_size, rng
        self.shown, self.clicks = np.full(simulator.topics, 2.0), np.ones(simulator.topics)  # a prior of 1 in 2

    def serve(self, features: Features) -> Integers:
        return _rank((self.clicks / self.shown)[features.topic], self.k, self.rng)

    def learn(self, topics: Integers, clicked: Integers, reward: Floats) -> None:
        np.add.at(self.shown, topics.ravel(), 1.0)
        rows = np.flatnonzero(clicked < topics.shape[1])
        np.add.at(self.clicks, topics[rows, clicked[rows]], 1.0)


class Bandit:
    """Topics are arms that pay a shown document's reward, 0 unless clicked; the slate is the K highest indices."""

    def __init__(self, simulator: Simulator, rng: np.random.Generator) -> None:
        self.k, self.rng = simulator.slate_size, rng
        self.count, self.total, self.squares = (np.zeros(simulator.topics) for _ in range(3))

    def index(self, users: int) -> NDArray[np.float64]:
        """[B, T] what the topics are ranked by."""
        raise NotImplementedError

    def serve(self, features: Features) -> Integers:
        return _rank(np.take_along_axis(self.index(len(features)), features.topic, axis=1), self.k, self.rng)

    def learn(self, topics: Integers, clicked: Integers, reward: Floats) -> None:
        paid = np.where(np.arange(topics.shape[1]) == clicked[:, None], reward[:, None], 0.0)
        for sums, amount in ((self.count, np.ones_like(paid)), (self.total, paid), (self.squares, paid**2)):
            np.add.at(sums, topics.ravel(), amount.ravel())

    def mean_and_deviation(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """[T] mean reward and its standard deviation, of one more impression than there were, which paid 0."""
        n = self.count + 1
        mean = self.total / n
        return mean, np.sqrt(np.maximum(self.squares / n - mean**2, 1e-6))


class Ucb(Bandit):
    """UCB1 (Auer et al. 2002), its bonus in units of the rewards' standard deviation; unseen topics first."""

    def index(self, users: int) -> NDArray[np.float64]:
        mean, deviation = self.mean_and_deviation()
        bonus = deviation * np.sqrt(2 * np.log(self.count.sum() + 1) / np.maximum(self.count, 1))
        return np.broadcast_to(np.where(self.count > 0, mean + bonus, np.inf), (users, len(mean)))


class Thompson(Bandit):
    """Thompson sampling from a normal approximation of each topic's mean reward; every user gets a draw of his own."""

    def index(self, users: int) -> NDArray[np.float64]:
        mean, deviation = self.mean_and_deviation()
        wide = np.where(self.count > 0, deviation / np.sqrt(self.count + 1), 1e3)  # an unseen topic may be anything
        return self.rng.normal(mean, wide, size=(users, len(mean)))


def make_baseline(name: str, simulator: Simulator, rng: np.random.Generator) -> Policy:
    """The policy called `name`, one of policies.FIXED or policies.ONLINE."""
    if name.startswith("MYOP-"):
        return Myopic(simulator, LETTERS[name[5]])
    makers: Mapping[str, Callable[[], Policy]] = {
        "Random": lambda: Random(simulator, rng),
        "quality": lambda: TrueQuality(simulator),
        "popularity": lambda: Popularity(simulator, rng),
        "UCB": lambda: Ucb(simulator, rng),
        "Thompson": lambda: Thompson(simulator, rng),
    }
    return makers[name]()


def _rank(index: NDArray[np.float64], k: int, rng: np.random.Generator) -> Integers:
    """The k highest of `index` [B, N], equals in random order."""
    order = rng.random(index.shape).argsort(axis=1)
    shuffled = np.take_along_axis(index, order, axis=1)
    return np.take_along_axis(order, np.argsort(-shuffled, axis=1, kind="stable")[:, :k], axis=1)
