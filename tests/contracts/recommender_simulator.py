"""What every simulator of a recommender's users must do: inherit and give one factory method.

class TestMySimulator(RecommenderSimulatorContract):
    def make_simulator(self, **changes: Any) -> Simulator:
        return MySimulator(WorldConfig(**changes))
"""

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from apps.slateq.simulator.protocol import Feedback, Integers, Observation, Simulator

STEPS = 40


def same(a: Observation, b: Observation) -> bool:
    """Whether two observations are equal, bit for bit."""
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Observation))


def random_slates(simulator: Simulator, rng: np.random.Generator) -> Integers:
    """[B, K] distinct candidates by lot."""
    keys = rng.random((simulator.users, simulator.candidates))
    return np.argsort(keys, axis=1)[:, : simulator.slate_size]


def first_slates(simulator: Simulator) -> Integers:
    """[B, K] the first candidates."""
    return np.tile(np.arange(simulator.slate_size), (simulator.users, 1))


def played(simulator: Simulator, steps: int = STEPS, seed: int = 1) -> list[Feedback]:
    """The feedback to random slates."""
    rng = np.random.default_rng(seed)
    return [simulator.step(random_slates(simulator, rng)) for _ in range(steps)]


class RecommenderSimulatorContract:
    """The contract of `apps.slateq.simulator.protocol.Simulator`; override `make_simulator`."""

    users_only_hidden = False  # whether U is 0
    luck_is_common = True  # whether equal seeds give equal luck after different slates

    def make_simulator(self, **changes: Any) -> Simulator:
        """A simulator whose WorldConfig has these `changes`."""
        raise NotImplementedError("give the simulator to be tested")

    def test_an_observation_has_the_shapes_and_types_it_promises(self) -> None:
        simulator = self.make_simulator()
        b, n = simulator.users, simulator.candidates
        observation = simulator.reset(0)
        assert observation.user.shape == (b, simulator.user_size) and observation.user.dtype == np.float32
        assert observation.documents.shape == (b, n, simulator.document_size)
        assert observation.documents.dtype == np.float32
        assert observation.document_topic.shape == (b, n) and observation.document_topic.dtype == np.int64
        assert 0 <= observation.document_topic.min() <= observation.document_topic.max() < simulator.topics
        assert observation.step.tolist() == [0] * b
        assert (simulator.user_size == 0) is self.users_only_hidden

    def test_feedback_has_the_shapes_and_types_it_promises(self) -> None:
        simulator = self.make_simulator()
        simulator.reset(0)
        b, k = simulator.users, simulator.slate_size
        for feedback in played(simulator):
            for name, dtype in (("clicked", np.int64), ("topic", np.int64), ("reward", np.float32)):
                assert getattr(feedback, name).shape == (b,) and getattr(feedback, name).dtype == dtype
            assert feedback.quality.shape == (b,) and feedback.quality.dtype == np.float32
            assert feedback.shown_quality.shape == (b, k) and feedback.shown_quality.dtype == np.float32
            assert feedback.done.shape == (b,) and feedback.done.dtype == bool
            assert 0 <= feedback.clicked.min() <= feedback.clicked.max() <= k

    def test_equal_seeds_give_equal_sessions_and_other_seeds_others(self) -> None:
        one, other, third = self.make_simulator(), self.make_simulator(), self.make_simulator()
        assert same(one.reset(5), other.reset(5)) and not same(one.reset(5), third.reset(6))
        for a, b in zip(played(one), played(other), strict=True):
            assert same(a.observation, b.observation) and np.array_equal(a.reward, b.reward)

    def test_a_seed_makes_a_used_simulator_new(self) -> None:
        simulator = self.make_simulator()
        first = simulator.reset(5)
        before = played(simulator, 5)
        simulator.reset(6)
        assert same(simulator.reset(5), first)
        assert same(played(simulator, 5)[-1].observation, before[-1].observation)

    def test_a_reset_without_a_seed_goes_on_with_other_users(self) -> None:
        one, other = self.make_simulator(), self.make_simulator()
        first = one.reset(5)
        other.reset(5)
        again = one.reset()
        assert not same(first, again) and same(again, other.reset())

    def test_users_and_candidates_are_the_same_whatever_is_served(self) -> None:
        one, other = self.make_simulator(), self.make_simulator()
        one.reset(5), other.reset(5)
        rng = np.random.default_rng(0)
        for _ in range(3):
            a, b = one.step(first_slates(one)), other.step(random_slates(other, rng))
            assert np.array_equal(a.observation.document_topic, b.observation.document_topic)
            assert np.array_equal(a.observation.documents, b.observation.documents)

    def test_the_next_users_are_the_same_however_long_the_ones_before_stayed(self) -> None:
        one, other = self.make_simulator(), self.make_simulator()
        one.reset(5), other.reset(5)
        one.step(first_slates(one))
        assert np.array_equal(one.reset().user, other.reset().user)

    def test_a_step_before_the_first_reset_is_refused(self) -> None:
        simulator = self.make_simulator()
        with pytest.raises(RuntimeError, match="reset"):
            simulator.step(first_slates(simulator))
        with pytest.raises(RuntimeError, match="reset"):
            simulator.state_dict()

    def test_what_is_no_slate_is_refused_and_changes_nothing(self) -> None:
        simulator, untouched = self.make_simulator(), self.make_simulator()
        simulator.reset(0), untouched.reset(0)
        good = first_slates(simulator)
        twice, beyond, negative = good.copy(), good.copy(), good.copy()
        twice[:, 1], beyond[:, 0], negative[:, 0] = twice[:, 0], simulator.candidates, -1
        for bad in (twice, beyond, negative, good[:, :-1], good.astype(np.float64)):
            with pytest.raises(ValueError, match="slate"):
                simulator.step(bad)
        assert same(simulator.step(good).observation, untouched.step(good).observation)

    def test_topic_and_quality_are_those_of_the_clicked_document(self) -> None:
        simulator = self.make_simulator()
        observation = simulator.reset(0)
        rng = np.random.default_rng(1)
        clicks = 0
        for _ in range(STEPS):
            slates = random_slates(simulator, rng)
            feedback = simulator.step(slates)
            for row, place in enumerate(feedback.clicked.tolist()):
                if place == simulator.slate_size:
                    assert feedback.topic[row] == simulator.topics and feedback.quality[row] == 0
                    assert feedback.reward[row] == 0
                else:
                    clicks += 1
                    assert feedback.topic[row] == observation.document_topic[row, slates[row, place]]
                    assert feedback.quality[row] == feedback.shown_quality[row, place]
                    assert feedback.reward[row] > 0
            observation = feedback.observation
        assert clicks > 0

    def test_sessions_are_cut_at_their_limit_and_new_users_follow(self) -> None:
        simulator = self.make_simulator(session_steps=4)
        simulator.reset(0)
        for step, feedback in enumerate(played(simulator, 12), start=1):
            cut = step % 4 == 0
            assert feedback.truncated.all() == cut == feedback.truncated.any()
            assert not feedback.terminated.any()
            assert (feedback.observation.step == step % 4).all()
            assert (feedback.final_observation.step == (4 if cut else step % 4)).all()
            assert (feedback.final_observation is feedback.observation) is not cut

    def test_observations_that_were_handed_out_do_not_change(self) -> None:
        simulator = self.make_simulator()
        observation = simulator.reset(0)
        kept = {f.name: getattr(observation, f.name).copy() for f in fields(Observation)}
        played(simulator)
        assert all(np.array_equal(kept[name], getattr(observation, name)) for name in kept)

    def test_a_state_taken_up_goes_on_as_the_original_does(self) -> None:
        simulator, later = self.make_simulator(session_steps=7), self.make_simulator(session_steps=7)
        simulator.reset(3)
        now = played(simulator, 10)[-1].observation
        state = simulator.state_dict()
        expected = played(simulator, 20, seed=2)
        assert same(later.load_state_dict(state), now)
        for a, b in zip(expected, played(later, 20, seed=2), strict=True):
            assert same(a.observation, b.observation) and np.array_equal(a.reward, b.reward)
            assert same(a.final_observation, b.final_observation)

    def test_a_state_holds_arrays_and_json_values_only(self) -> None:
        simulator = self.make_simulator()
        simulator.reset(3)
        played(simulator, 2)

        def plain(value: Any) -> Any:
            assert isinstance(value, np.ndarray) and value.dtype != object
            return "array"

        assert json.dumps(simulator.state_dict(), default=plain)

    def test_choice_scores_give_probabilities_for_every_slate(self) -> None:
        simulator = self.make_simulator()
        observation = simulator.reset(0)
        scores = simulator.choice_scores(observation)
        assert scores.shape == (simulator.users, simulator.candidates + 1) and scores.dtype == np.float32
        assert (scores >= 0).all() and np.isfinite(scores).all()
        slates = random_slates(simulator, np.random.default_rng(0))
        shown = np.concatenate([np.take_along_axis(scores, slates, 1), scores[:, -1:]], axis=1)
        probabilities = simulator.choice_model.probabilities(shown)
        assert probabilities.shape == shown.shape and (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)

    def test_each_topic_has_a_true_mean_quality(self) -> None:
        simulator = self.make_simulator()
        assert simulator.topic_quality.shape == (simulator.topics,) and simulator.topic_quality.dtype == np.float32

    def test_candidates_stay_when_they_are_not_resampled(self) -> None:
        simulator = self.make_simulator(resample_documents=False, session_steps=5)
        first = simulator.reset(0)
        for feedback in played(simulator, 12):
            assert np.array_equal(feedback.observation.documents, first.documents)

    def test_equal_luck_meets_different_slates(self) -> None:
        if not self.luck_is_common:
            pytest.skip("RecSim draws a number more after a click than without one")
        one, other = self.make_simulator(), self.make_simulator()
        one.reset(5), other.reset(5)
        rng = np.random.default_rng(0)
        for _ in range(5):
            one.step(first_slates(one)), other.step(random_slates(other, rng))
        states = [simulator.state_dict()["streams"] for simulator in (one, other)]
        assert states[0] == states[1]
