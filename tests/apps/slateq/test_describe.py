"""What a judge is told: only what is observed, in few different words, and nothing without a click."""

from typing import Any

import numpy as np
import pytest

from apps.slateq.config import WorldConfig
from apps.slateq.describe import SlateDescriber, clicks, counted, listed, viewers
from apps.slateq.simulator.make import make_simulator
from lmgt_core.judging.description import Description
from tests.contracts.recommender_simulator import random_slates

NAMES = ("gossip", "opera", "chess")
DESCRIBER = SlateDescriber(NAMES)
CANDIDATES = np.array([0, 1, 1, 2])  # topics


def described(unit: Any, interests: list[float], slate: list[int], clicked: int | None) -> Description | None:
    """One recommendation of CANDIDATES to a user with these interests."""
    viewer = np.array(interests, np.float32), CANDIDATES
    (found,) = SlateDescriber(NAMES, unit)([viewer], [np.array(slate)], [clicked])
    return found


def test_a_document_is_described_by_its_topic_and_the_viewers_attitude() -> None:
    description = described("item", [-1, 0.9, 0], [3, 2], clicked=1)
    assert description is not None
    assert description.state == "The viewer loves opera."
    assert description.action == "recommend a video: opera"
    assert description.facts == {"topics": "opera", "interest": "loves"}


def test_hidden_interests_are_not_described() -> None:
    description = described("item", [], [3, 2], clicked=1)
    assert description is not None
    assert description.state == "Nothing is known about what the viewer likes."
    assert description.facts == {"topics": "opera"}


def test_a_slate_is_described_without_order() -> None:
    one, other = (described("slate", [-0.9, -0.3, 0], slate, clicked=0) for slate in ([0, 1, 2], [2, 0, 1]))
    assert one is not None and one == other == DESCRIBER.of(["opera", "gossip", "opera"], 1)
    assert one.action == "recommend a slate of videos: gossip and opera (2 times)"
    assert one.state == "On average the viewer dislikes what is on the slate."
    assert one.facts["topics"] == "gossip; opera; opera"


@pytest.mark.parametrize("unit", ["item", "slate"])
def test_no_click_is_nothing_to_judge(unit: str) -> None:
    assert described(unit, [0, 0, 0], [0, 1], clicked=None) is None
    assert SlateDescriber(NAMES)([], [], []) == []


def test_lists_read_as_people_write_them() -> None:
    assert [listed(NAMES[:n]) for n in (1, 2, 3)] == ["gossip", "gossip and opera", "gossip, opera and chess"]
    assert counted(["b", "a", "b"]) == "a and b (2 times)"


@pytest.mark.parametrize(
    ("interest", "step"), [(-1.0, 0), (-0.59, 1), (-0.21, 1), (-0.19, 2), (0.19, 2), (0.21, 3), (0.61, 4), (1.0, 4)]
)
def test_interest_is_described_in_five_steps(interest: float, step: int) -> None:
    assert described("item", [0, interest, 0], [1], clicked=0) == DESCRIBER.of(["opera"], step)


@pytest.mark.parametrize("env", ["interest-evolution", "interest-exploration", "long-term-satisfaction"])
def test_the_clicked_document_is_judged_and_nothing_without_a_click(env: Any) -> None:
    simulator = make_simulator(WorldConfig(env=env), users=200)
    observation = simulator.reset(0)
    slates = random_slates(simulator, np.random.default_rng(0))
    feedback = simulator.step(slates)
    names = [f"topic {n}" for n in range(simulator.topics)]
    for row, found in enumerate(SlateDescriber(names)(viewers(observation), slates, clicks(feedback))):
        if feedback.clicked[row] == simulator.slate_size:
            assert found is None
        else:
            assert found is not None and found.facts["topics"] == names[feedback.topic[row]]
            assert ("interest" in found.facts) is (simulator.user_size > 0)


def test_a_slate_is_judged_by_all_its_topics_and_their_mean_interest() -> None:
    simulator = make_simulator(WorldConfig(), users=50)
    observation = simulator.reset(0)
    slates = random_slates(simulator, np.random.default_rng(0))
    feedback = simulator.step(slates)
    describer = SlateDescriber([f"topic {n}" for n in range(20)], "slate")
    seen = describer(viewers(observation), slates, clicks(feedback))
    for row, found in enumerate(seen):
        topics = sorted(observation.document_topic[row, slates[row]].tolist())
        mean = observation.user[row, topics].mean()
        step = int(np.digitize(mean, (-0.6, -0.2, 0.2, 0.6)))
        assert found is None or found == describer.of([f"topic {n}" for n in topics], step)
    assert any(found is None for found in seen) and any(found is not None for found in seen)


def test_single_documents_make_a_hundred_questions() -> None:
    names = tuple(f"topic {n}" for n in range(20))
    descriptions = [(d.state, d.action) for d in SlateDescriber(names).everything(interests=True)]
    assert len(set(descriptions)) == len(descriptions) == 100
    assert len(list(SlateDescriber(names).everything(interests=False))) == 20
