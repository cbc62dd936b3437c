"""Users that behave otherwise: by name, by parameters of their own, and with the same luck."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from apps.slateq.baselines import make_baseline
from apps.slateq.config import EvolutionConfig, WorldConfig, check_world
from apps.slateq.features import Features
from apps.slateq.robust.user_models import SHORT, name_of, same_users, user_models, world_from, world_with
from apps.slateq.session_metrics import play
from apps.slateq.simulator.interest_evolution import MINUTES_PER_UTILITY
from apps.slateq.simulator.make import make_simulator
from apps.slateq.user_ranges import LIMITS, RANGES, Range, user_ranges
from lmgt_core.errors import UserError
from lmgt_core.files import plain

WORLD = WorldConfig(candidates=5, slate=2)
NAMES = [*SHORT, "distribution", "logit:drawn", "cascade:drawn"]


@pytest.mark.parametrize("name", NAMES)
def test_a_user_model_has_the_name_that_it_was_given(name: str) -> None:
    world = world_with(name, WORLD)
    assert name_of(world) == name
    assert (world.candidates, world.slate) == (5, 2)
    assert same_users(world, world_from(plain(vars(world) | {"steps": 3})))  # as a run's config.json has it


def test_users_with_the_worlds_own_settings_are_the_proportional_ones() -> None:
    assert name_of(WORLD) == "proportional"
    assert same_users(WORLD, world_with("multinomial-proportional", WORLD))
    assert not same_users(WORLD, world_with("logit", WORLD))
    assert not same_users(WORLD, replace(WORLD, evolution=EvolutionConfig(no_click_mass=2.0)))


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_interests_and_candidates_under_every_user_model(name: str) -> None:
    plain_users, others = (make_simulator(world, 30).reset(7) for world in (WORLD, world_with(name, WORLD)))
    np.testing.assert_array_equal(plain_users.user, others.user)
    np.testing.assert_array_equal(plain_users.document_topic, others.document_topic)


def rewards(world: WorldConfig) -> np.ndarray:
    simulator = make_simulator(world, 40)
    return play(simulator, make_baseline("Random", simulator, np.random.default_rng(0)), seed=1).values["return"]


@pytest.mark.parametrize("name", list(SHORT))
def test_ranges_without_width_change_no_bit(name: str) -> None:
    own = {"no_click_mass": 1.0, "step_penalty": 0.5, "user_update_alpha": MINUTES_PER_UTILITY, "budget": 50.0}
    own |= {"alpha_y_intercept": 0.3, "attention_prob": 0.65, "score_scaling": 0.05}
    assert own.keys() == LIMITS.keys()
    world = replace(world_with(name, WORLD), budget=50.0)
    ranges = tuple(f"{parameter}={value!r}:{value!r}" for parameter, value in own.items())
    np.testing.assert_array_equal(rewards(world), rewards(replace(world, users_ranges=ranges)))


def test_every_user_draws_parameters_from_the_ranges() -> None:
    simulator: Any = make_simulator(world_with("cascade:drawn", WORLD), 500)
    simulator.reset(0)
    for name, (low, high) in RANGES.items():
        drawn = simulator.user[name]
        assert drawn.shape == (500,) and low <= drawn.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < drawn.max() <= high


@pytest.mark.parametrize("parameter", ["budget", "no_click_mass", "step_penalty"])
def test_what_a_user_draws_is_what_the_user_does(parameter: str) -> None:
    low, high = (
        rewards(replace(WORLD, users_ranges=(f"{parameter}={end}:{end}",))).mean() for end in RANGES[parameter]
    )
    assert high > low if parameter == "budget" else high < low


def test_a_recommender_does_not_know_what_each_user_drew() -> None:
    drawn, fixed = (
        make_simulator(world, 20) for world in (world_with("logit:drawn", WORLD), world_with("logit", WORLD))
    )
    now = fixed.reset(3)
    np.testing.assert_array_equal(drawn.choice_scores(now), fixed.choice_scores(now))


def test_a_policy_serves_by_the_scores_of_the_world_it_believes_in() -> None:
    believed, served = make_simulator(WORLD, 1), make_simulator(replace(world_with("cascade", WORLD), budget=10.0), 8)
    scores = []

    class Spy:
        def serve(self, features: Features) -> np.ndarray:
            scores.append(features.scores)
            return np.tile([0, 1], (len(features), 1))

        def learn(self, topics: np.ndarray, clicked: np.ndarray, reward: np.ndarray) -> None:
            pass

    play(served, Spy(), 5, believed)
    now = served.reset(5)
    np.testing.assert_array_equal(scores[0], believed.choice_scores(now))
    assert (scores[0][:, -1] == 2).all() and (served.choice_scores(now)[:, -1] == 0).all()


def test_ranges_by_name_take_the_place_of_the_defaults() -> None:
    assert user_ranges(("default",)) == RANGES
    assert user_ranges(("budget=10:20", "default")) == {**RANGES, "budget": Range(10.0, 20.0)}
    assert user_ranges(("no-click-mass=.5:2",)) == {"no_click_mass": Range(0.5, 2.0)}
    assert user_ranges(()) == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("budget", "NAME=LOW:HIGH"),
        ("budget=9", "NAME=LOW:HIGH"),
        ("budget=9:1", "lower and an upper"),
        ("budget=1:nan", "lower and an upper"),
        ("attention_prob=0.5:1.5", "0 to 1"),
        ("video_length=1:4", "users can differ in no_click_mass"),
    ],
)
def test_a_range_that_is_none_is_named(text: str, named: str) -> None:
    with pytest.raises(UserError, match=rf"--users-ranges {text}.*{named}"):
        user_ranges((text,))


@pytest.mark.parametrize(
    "change",
    [{"env": "long-term-satisfaction"}, {"simulator": "recsim"}, {"evolution": EvolutionConfig(min_normalizer=0.8)}],
)
def test_a_world_whose_users_cannot_differ_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="--users-ranges"):
        check_world(replace(WORLD, users_ranges=("default",), **change))


@pytest.mark.parametrize(
    ("text", "world", "named"),
    [
        ("", WORLD, "name at least one"),
        ("logit,mnl", WORLD, "mnl: no such users"),
        ("logit", replace(WORLD, env="long-term-satisfaction"), "logit: --choice-model"),
        ("exp-cascade", replace(WORLD, env="interest-exploration"), "exp-cascade: --choice-model"),
        ("logit", replace(WORLD, users_ranges=("default",)), "like logit:drawn"),
        ("logit", replace(WORLD, choice_model="proportional-cascade"), "--choice-model: --users-model"),
        ("logit", replace(WORLD, user_model="distribution"), "--user-model: --users-model"),
    ],
)
def test_user_models_that_cannot_be_had_are_named(text: str, world: WorldConfig, named: str) -> None:
    with pytest.raises(UserError, match=named):
        user_models(text, world)
