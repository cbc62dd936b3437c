"""Users served from the first slate of a session to its end, and what is measured of that; no shift anywhere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.slateq.baselines import Policy
from apps.slateq.features import features
from apps.slateq.history import SessionHistory
from apps.slateq.simulator.protocol import Feedback, Observation, Simulator
from apps.slateq.slate_metrics import ShownTally

METRICS = ("return", "click_rate", "quality", "diversity", "length")  # what trainings record
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sessions:
    """One session of each of B users.

    return: sum of rewards (minutes watched in interest evolution). click_rate: clicks for each slate. quality: mean
    quality of the clicked documents, as RecSim draws it. diversity: effective number of topics clicked, the exponential
    of their entropy, from 1 to T. length: slates. quality and diversity are NaN for a user who never clicked. What
    slates show is in `apps.slateq.slate_metrics`.

    `drift` and `quality_at` [step] are means over the users whose session was not over then, and `alive` [step] is how
    many those were: interest in the documents of above-average topics minus that in the others (NaN where interests are
    hidden), and quality of the clicked documents.
    """

    values: dict[str, Floats]  # metric -> [B]
    drift: Floats
    quality_at: Floats
    alive: NDArray[np.int64]


class Tally:
    """Adds up what B users do, and are shown, until their first session is over."""

    def __init__(self, users: int, topics: int) -> None:
        self.active = np.ones(users, dtype=bool)
        self.reward, self.steps, self.clicks, self.quality = (np.zeros(users) for _ in range(4))
        self.topics = np.zeros((users, topics + 1))  # the last column takes no click
        self.shown = ShownTally(users, topics)
        self.drift: list[float] = []
        self.quality_at: list[float] = []
        self.alive: list[int] = []

    def add(self, feedback: Feedback, slate_size: int, drift: Floats) -> None:
        """Counts one step of the users whose session is not over; `drift` [B] of the interests they had before it."""
        on = self.active
        clicked = on & (feedback.clicked < slate_size)
        self.reward += np.where(on, feedback.reward, 0.0)
        self.steps += on
        self.clicks += clicked
        self.quality += np.where(clicked, feedback.quality, 0.0)
        self.topics[np.flatnonzero(on), feedback.topic[on]] += 1
        self.drift.append(float(drift[on].mean()))
        self.quality_at.append(float(feedback.quality[clicked].mean()) if clicked.any() else np.nan)
        self.alive.append(int(on.sum()))
        self.active = on & ~feedback.done

    def sessions(self) -> Sessions:
        """What was counted."""
        some = np.where(self.clicks > 0, self.clicks, np.nan)
        share = self.topics[:, :-1] / some[:, None]
        entropy = -np.sum(np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0), axis=1)
        values = {
            "return": self.reward,
            "click_rate": self.clicks / self.steps,
            "quality": self.quality / some,
            "diversity": np.where(self.clicks > 0, np.exp(entropy), np.nan),
            "length": self.steps,
            **self.shown.values(self.clicks),
        }
        return Sessions(values, np.array(self.drift), np.array(self.quality_at), np.array(self.alive))


def play(simulator: Simulator, policy: Policy, seed: int, believed: Simulator | None = None) -> Sessions:
    """One session of each of the simulator's users with `policy`; equal seeds give equal users and luck.

    The policy's choice scores are those of the `believed` world: None for the users' own.
    """
    observation = simulator.reset(seed)
    history = SessionHistory(simulator.users)
    tally = Tally(simulator.users, simulator.topics)
    good = simulator.topic_quality > simulator.topic_quality.mean()
    while tally.active.any():
        on = tally.active
        seen = features(believed or simulator, observation, history.features())
        slates = np.tile(np.arange(simulator.slate_size), (simulator.users, 1))  # for users whose session is over
        slates[on] = policy.serve(seen.of(on))
        feedback = simulator.step(slates)
        topics = np.take_along_axis(observation.document_topic, slates, axis=1)
        policy.learn(topics[on], feedback.clicked[on], feedback.reward[on])
        tally.shown.add(on, topics, interest_gains(observation), slates)
        tally.add(feedback, simulator.slate_size, interest_drift(observation.user, good))
        history.add(feedback)
        observation = feedback.observation
    return tally.sessions()


def interest_drift(user: NDArray[np.float32], good: NDArray[np.bool_]) -> Floats:
    """[B] mean interest in the topics that are `good` [T], minus that in the others; NaN where interests are hidden."""
    if user.shape[1] != len(good):
        return np.full(len(user), np.nan)
    return np.asarray(user[:, good].mean(axis=1) - user[:, ~good].mean(axis=1), dtype=np.float64)


def interest_gains(observation: Observation) -> Floats:
    """[B, N] the user's true interest in each candidate, from 0 for -1 to 1 for 1; NaN where interests are hidden."""
    if not observation.user.shape[1]:
        return np.full(observation.document_topic.shape, np.nan)
    interests = np.take_along_axis(observation.user, observation.document_topic, axis=1)
    return np.asarray((interests.astype(np.float64) + 1) / 2)
