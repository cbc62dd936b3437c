"""What a judge is told: only what is observed, in few different words, and nothing without a click."""

from dataclasses import replace

import numpy as np
import pytest

from apps.slateq.config import WorldConfig
from apps.slateq.describe import UNKNOWN, Shown, SlateDescriber, counted, listed, shown
from apps.slateq.simulator.make import make_simulator
from tests.contracts.recommender_simulator import random_slates

NAMES = ("gossip", "opera", "chess")
DESCRIBER = SlateDescriber(NAMES)


def test_a_document_is_described_by_its_topic_and_the_viewers_attitude() -> None:
    description = DESCRIBER(Shown(4, (1,)))
    assert description is not None
    assert description.state == "The viewer loves opera."
    assert description.action == "recommend a video: opera"
    assert description.facts == {"topics": "opera", "interest": "loves"}


def test_hidden_interests_are_not_described() -> None:
    description = DESCRIBER(Shown(UNKNOWN, (1,)))
    assert description is not None
    assert description.state == "Nothing is known about what the viewer likes."
    assert description.facts == {"topics": "opera"}


def test_a_slate_is_described_without_order() -> None:
    one, other = DESCRIBER(Shown(1, (0, 1, 1))), DESCRIBER.of(["opera", "gossip", "opera"], 1)
    assert one == other
    assert one.action == "recommend a slate of videos: gossip and opera (2 times)"
    assert one.state == "On average the viewer dislikes what is on the slate."
    assert one.facts["topics"] == "gossip; opera; opera"


def test_no_click_is_nothing_to_judge() -> None:
    assert DESCRIBER(None) is None


def test_lists_read_as_people_write_them() -> None:
    assert [listed(NAMES[:n]) for n in (1, 2, 3)] == ["gossip", "gossip and opera", "gossip, opera and chess"]
    assert counted(["b", "a", "b"]) == "a and b (2 times)"


@pytest.mark.parametrize(
    ("interest", "step"), [(-1.0, 0), (-0.59, 1), (-0.21, 1), (-0.19, 2), (0.19, 2), (0.21, 3), (0.61, 4), (1.0, 4)]
)
def test_interest_is_told_in_five_steps(interest: float, step: int) -> None:
    simulator = make_simulator(WorldConfig(candidates=2, slate=1), users=1)
    observation = simulator.reset(0)
    slates = np.array([[1]])
    feedback = replace(simulator.step(slates), clicked=np.array([0]))
    observation.user[:] = 0
    observation.user[0, observation.document_topic[0, 1]] = interest
    assert shown("item", observation, slates, feedback) == [Shown(step, (int(observation.document_topic[0, 1]),))]


@pytest.mark.parametrize("environment", ["interest-evolution", "interest-exploration", "long-term-satisfaction"])
def test_the_clicked_document_is_judged_and_nothing_without_a_click(environment: str) -> None:
    simulator = make_simulator(WorldConfig(env=environment), users=200)  # type: ignore[arg-type]
    observation = simulator.reset(0)
    slates = random_slates(simulator, np.random.default_rng(0))
    feedback = simulator.step(slates)
    for row, what in enumerate(shown("item", observation, slates, feedback)):
        if feedback.clicked[row] == simulator.slate_size:
            assert what is None
        else:
            assert what is not None and what.topics == (feedback.topic[row],)
            assert (what.interest == UNKNOWN) is (simulator.user_size == 0)


def test_a_slate_is_judged_by_all_its_topics_and_their_mean_interest() -> None:
    simulator = make_simulator(WorldConfig(), users=50)
    observation = simulator.reset(0)
    slates = random_slates(simulator, np.random.default_rng(0))
    feedback = simulator.step(slates)
    seen = shown("slate", observation, slates, feedback)
    for row, what in enumerate(seen):
        topics = sorted(observation.document_topic[row, slates[row]].tolist())
        if what is not None:
            assert what.topics == tuple(topics)
            mean = observation.user[row, topics].mean()
            assert what.interest == np.digitize(mean, (-0.6, -0.2, 0.2, 0.6))
    assert any(what is None for what in seen) and any(what is not None for what in seen)


def test_single_documents_make_a_hundred_questions() -> None:
    names = tuple(f"topic {n}" for n in range(20))
    descriptions = [(d.state, d.action) for d in SlateDescriber(names).everything(interests=True)]
    assert len(set(descriptions)) == len(descriptions) == 100
    assert len(list(SlateDescriber(names).everything(interests=False))) == 20
