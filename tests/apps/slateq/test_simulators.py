"""The vectorised worlds: the contract, and numbers by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from apps.slateq.config import EvolutionConfig, ExplorationConfig, WorldConfig
from apps.slateq.simulator.interest_evolution import InterestEvolution, topic_means
from apps.slateq.simulator.interest_exploration import InterestExploration
from apps.slateq.simulator.long_term_satisfaction import LongTermSatisfaction, clickbait_bin
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Simulator
from lmgt_core.errors import UserError
from tests.contracts.recommender_simulator import RecommenderSimulatorContract, first_slates, played, random_slates


class TestInterestEvolution(RecommenderSimulatorContract):
    def make_simulator(self, **changes: Any) -> Simulator:
        return make_simulator(WorldConfig(**changes), users=7)


class TestInterestExploration(RecommenderSimulatorContract):
    users_only_hidden = True

    def make_simulator(self, **changes: Any) -> Simulator:
        return make_simulator(WorldConfig(env="interest-exploration", **changes), users=7)


class TestLongTermSatisfaction(RecommenderSimulatorContract):
    users_only_hidden = True

    def make_simulator(self, **changes: Any) -> Simulator:
        return make_simulator(WorldConfig(env="long-term-satisfaction", **changes), users=7)


def returns(simulator: Simulator, policy: Callable[[Simulator, Any], Any], seed: int = 0) -> np.ndarray[Any, Any]:
    """[B] the reward of each row's first session."""
    observation = simulator.reset(seed)
    total, alive = np.zeros(simulator.users), np.ones(simulator.users, bool)
    while alive.any():
        feedback = simulator.step(policy(simulator, observation))
        total += np.where(alive, feedback.reward, 0)
        alive &= ~feedback.done
        observation = feedback.observation
    return total


def by_quality(simulator: Simulator, observation: Any) -> Any:
    ranked = np.argsort(-simulator.topic_quality[observation.document_topic], axis=1, kind="stable")
    return ranked[:, : simulator.slate_size]


def at_random() -> Callable[[Simulator, Any], Any]:
    rng = np.random.default_rng(9)
    return lambda simulator, _: random_slates(simulator, rng)


@pytest.mark.parametrize(
    ("candidates", "slate", "policy", "known", "slack"),
    [
        (10, 3, at_random(), 160.6, 0.6),
        (10, 2, at_random(), 153.8, 0.6),
        (10, 3, by_quality, 266.0, 2.0),
        (10, 2, by_quality, 281.0, 3.0),
    ],
)
def test_returns_are_those_measured_on_recsim(
    candidates: int, slate: int, policy: Any, known: float, slack: float
) -> None:
    got = returns(make_simulator(WorldConfig(candidates=candidates, slate=slate), users=1000), policy)
    interval = 1.96 * got.std() / np.sqrt(len(got))
    assert abs(got.mean() - known) < 1.5 * np.hypot(slack, interval)  # both are 95 % intervals: 2.9 standard errors


def test_topic_means_are_fourteen_low_and_six_high() -> None:
    means = topic_means()
    assert means[[0, 13, 14, 19]].tolist() == [-3, 0, 0, 3]
    np.testing.assert_allclose(np.diff(means[:14]), 3 / 13)
    np.testing.assert_allclose(np.diff(means[14:]), 0.6)


def one_user(interest: float, quality: float, budget: float, **changes: Any) -> InterestEvolution:
    """A user with the same `interest` in everything, who is shown one document of topic 0."""
    simulator = InterestEvolution(WorldConfig(candidates=1, slate=1, **changes), users=1)
    simulator.reset(0)
    simulator.user = {"interests": np.full((1, 20), interest), "budget": np.array([budget])}
    simulator.document = {"topic": np.zeros((1, 1), np.int64), "quality": np.array([[quality]])}
    return simulator


def with_luck(simulator: InterestEvolution, choice: float, flip: float) -> InterestEvolution:
    simulator._uniform = lambda: np.array([choice])  # type: ignore[method-assign]
    simulator._flips = lambda clicked: np.array([flip])  # type: ignore[method-assign]
    return simulator


def test_a_click_costs_its_minutes_and_gives_back_by_its_quality() -> None:
    simulator = with_luck(one_user(0.5, 2.0, budget=50.0), choice=0.0, flip=0.0)
    feedback = simulator.step(np.zeros((1, 1), np.int64))
    assert feedback.reward.tolist() == [4.0] and feedback.quality.tolist() == [2.0]
    # 50 - 4 + .9 / 3.4 * 4 * 2
    assert simulator.user["budget"][0] == pytest.approx(46 + 7.2 / 3.4)


@pytest.mark.parametrize(("flip", "moved"), [(0.74, 0.5 + 0.15 * 0.5), (0.76, 0.5 - 0.15 * 0.5)])
def test_an_interest_of_a_half_moves_up_in_three_of_four_clicks(flip: float, moved: float) -> None:
    simulator = with_luck(one_user(0.5, 0.0, budget=50.0), choice=0.0, flip=flip)
    user = simulator.step(np.zeros((1, 1), np.int64)).observation.user[0]
    # (.3 - .3 * .5) * (1 - .5), up with probability (.5 + 1) / 2
    assert user[0] == pytest.approx(moved) and (user[1:] == 0.5).all()


def test_interests_stay_within_one() -> None:
    simulator = with_luck(one_user(-0.99, 0.0, budget=50.0), choice=0.0, flip=1.0)
    # u = -.99: step (.3 - .297) * 1.99 = .00597 down, to -.99597
    assert simulator.step(np.zeros((1, 1), np.int64)).observation.user[0, 0] == pytest.approx(-0.99597)
    far = with_luck(
        one_user(-0.99, 0.0, budget=50.0, evolution=EvolutionConfig(alpha_x_intercept=2.0)), choice=0.0, flip=1.0
    )
    assert far.step(np.zeros((1, 1), np.int64)).observation.user[0, 0] == -1.0


def test_no_click_costs_half_a_minute_and_changes_no_interest() -> None:
    simulator = with_luck(one_user(0.5, 2.0, budget=50.0), choice=0.999, flip=0.0)
    feedback = simulator.step(np.zeros((1, 1), np.int64))
    assert feedback.clicked.tolist() == [1] and feedback.reward.tolist() == [0.0]
    assert simulator.user["budget"].tolist() == [49.5]
    assert (feedback.observation.user == 0.5).all()


def test_the_last_minutes_are_watched_and_end_the_session() -> None:
    simulator = with_luck(one_user(0.5, -2.0, budget=3.0), choice=0.0, flip=0.0)
    feedback = simulator.step(np.zeros((1, 1), np.int64))
    assert feedback.reward.tolist() == [3.0] and feedback.terminated.tolist() == [True]
    assert feedback.final_observation.step.tolist() == [1] and feedback.observation.step.tolist() == [0]
    assert not np.array_equal(feedback.final_observation.user, feedback.observation.user)


def test_distribution_users_gain_nothing_and_have_half_an_hour() -> None:
    simulator = InterestEvolution(WorldConfig(user_model="distribution"), users=1)
    simulator.reset(0)
    assert simulator.user["budget"].tolist() == [30.0]
    assert simulator.parameters.user_update_alpha == 0 and simulator.parameters.step_penalty == 1.0


def test_choices_come_as_often_as_the_choice_model_says() -> None:
    simulator = make_simulator(WorldConfig(), users=20_000)
    observation = simulator.reset(0)
    scores = simulator.choice_scores(observation)[:, [0, 1, 2, 10]]
    expected = simulator.choice_model.probabilities(scores).mean(axis=0)
    clicked = simulator.step(first_slates(simulator)).clicked
    got = np.bincount(clicked, minlength=4) / simulator.users
    assert np.abs(got - expected).max() < 4 * np.sqrt(0.25 / simulator.users)


def test_interest_exploration_hides_its_users_and_shows_quality() -> None:
    simulator = InterestExploration(WorldConfig(env="interest-exploration"), users=2000)
    observation = simulator.reset(0)
    quality = observation.documents[:, :, -1]
    for topic, mean in enumerate((0.8, 0.2)):
        logs = np.log(quality[observation.document_topic == topic])
        assert logs.mean() == pytest.approx(mean, abs=0.01) and logs.std() == pytest.approx(0.1, abs=0.01)
    assert (observation.document_topic == 0).mean() == pytest.approx(0.2, abs=0.02)
    # types: 30 % like topic 1 (log mean .7), 70 % topic 0
    assert (simulator.user["affinity"][:, 0] > 1.5).mean() == pytest.approx(0.7, abs=0.04)
    # .3 exp(.1 + .005) + .7 exp(.7 + .005)
    assert simulator.prior_affinity[0] == pytest.approx(0.3 * np.exp(0.105) + 0.7 * np.exp(0.705))


def test_kale_satisfies_and_chocolate_does_not() -> None:
    simulator = LongTermSatisfaction(WorldConfig(env="long-term-satisfaction", candidates=2, slate=1), users=2)
    simulator.reset(0)
    simulator.user["exposure"][:] = 1.0
    simulator.document["clickbait"] = np.array([[0.0, 1.0], [0.0, 1.0]])
    simulator._normals = lambda: (np.zeros(2), np.zeros(2))  # type: ignore[method-assign]
    satisfied = 1 / (1 + np.exp(-0.01))
    simulator.user["satisfaction"][:] = satisfied
    feedback = simulator.step(np.array([[0], [1]]))
    np.testing.assert_allclose(feedback.reward, np.exp(np.array([4.0, 5.0]) * satisfied), rtol=1e-6)
    # .7 * 1 - 2 (c - .5)
    np.testing.assert_allclose(simulator.user["exposure"], [1.7, -0.3])
    np.testing.assert_allclose(simulator.user["satisfaction"], 1 / (1 + np.exp([-0.017, 0.003])))
    assert simulator.user["budget"].tolist() == [59.0, 59.0]


def test_sessions_of_long_term_satisfaction_last_their_budget() -> None:
    simulator = make_simulator(WorldConfig(env="long-term-satisfaction", budget=5), users=3)
    simulator.reset(0)
    assert [f.terminated.all() for f in played(simulator, 10)] == [False, False, False, False, True] * 2


def test_clickbait_lies_in_five_bins() -> None:
    assert clickbait_bin(np.array([0.0, 0.19, 0.2, 0.99, 1.0])).tolist() == [0, 0, 1, 4, 4]


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"slate": 11}, "--slate 11"),
        ({"slate": 0}, "--slate 0"),
        ({"candidates": 0}, "--candidates 0"),
        ({"budget": -1.0}, "--budget -1"),
        ({"session_steps": 0}, "--session-steps 0"),
        ({"choice_model": "first"}, "--choice-model first"),
        ({"env": "interest-exploration", "budget": 5.0}, "--budget"),
        ({"env": "interest-exploration", "user_model": "distribution"}, "--user-model"),
        ({"env": "interest-exploration", "choice_model": "exponential-cascade"}, "--choice-model"),
        ({"env": "long-term-satisfaction", "choice_model": "multinomial-logit"}, "--choice-model"),
        ({"evolution": EvolutionConfig(no_click_mass=-2.0)}, "--no-click-mass"),
        (
            {"env": "interest-exploration", "exploration": ExplorationConfig(topic_distribution=(0.5, 0.6))},
            "--exploration.topic-distribution",
        ),
    ],
)
def test_a_world_that_cannot_be_is_refused_in_one_line(changes: dict[str, Any], flag: str) -> None:
    with pytest.raises(UserError, match=flag) as raised:
        make_simulator(WorldConfig(**changes))
    assert "\n" not in str(raised.value)


def test_recsim_serves_one_user_at_a_time() -> None:
    with pytest.raises(UserError, match="one user at a time"):
        make_simulator(WorldConfig(simulator="recsim"), users=2)
