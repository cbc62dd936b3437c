"""The vectorised worlds against RecSim: equal to the last bit on equal draws, equal in distribution on their own."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from apps.slateq.config import EvolutionConfig, WorldConfig
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.recsim_faults import lent, mend_luck, recsim_maker
from apps.slateq.simulator.recsim_worlds import make_recsim
from tests.apps.slateq.recsim_streams import ReplayedEvolution, ReplayedExploration, ReplayedSatisfaction
from tests.contracts.recommender_simulator import random_slates

REPLAYED: dict[str, Any] = {
    "interest-evolution": ReplayedEvolution,
    "interest-exploration": ReplayedExploration,
    "long-term-satisfaction": ReplayedSatisfaction,
}
STEPS = 400  # several sessions where sessions end


def hidden(environment: str, user_model: Any) -> dict[str, Any]:
    """What RecSim keeps of its user, by the vectorised worlds' names."""
    user = user_model._user_state
    if environment == "interest-evolution":
        return {"interests": user.user_interests, "budget": user.time_budget}
    if environment == "interest-exploration":
        return {"affinity": user.topic_affinity}
    names = {"exposure": "net_positive_exposure", "satisfaction": "satisfaction", "budget": "time_budget"}
    return {ours: getattr(user, theirs) for ours, theirs in names.items()}


def assert_equal_trajectories(config: WorldConfig, recsim: Any, seed: int) -> int:
    """Serves both the same slates for STEPS steps, compares every number exactly; the sessions that ended."""
    mend_luck()  # a world that RecSim itself has made draws from what is lent only after this
    ours, luck = REPLAYED[config.env](config, seed, luck=77), np.random.RandomState(77)
    rng = np.random.default_rng(1)
    ours.started(), recsim.reset()
    sessions = 0
    for _ in range(STEPS):
        slate = rng.permutation(config.candidates)[None, : config.slate]
        with lent(luck):
            _, reward, done, _ = recsim.step(slate[0].tolist())
        feedback = ours.step(slate)
        assert feedback.reward[0] == np.float32(reward)
        assert bool(feedback.terminated[0]) is bool(done)
        if done:
            recsim.reset()
            sessions += 1
        for name, value in hidden(config.env, recsim.environment.user_model).items():
            assert np.array_equal(ours.user[name][0], value), name
    return sessions


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"candidates": 20, "slate": 4},
        {"choice_model": "multinomial-logit"},
        {"choice_model": "proportional-cascade"},
        {"choice_model": "exponential-cascade"},
        {"user_model": "distribution"},
        {"user_model": "distribution", "choice_model": "multinomial-logit"},
        {"user_model": "distribution", "choice_model": "exponential-cascade"},
        {
            "budget": 40.0,
            "evolution": EvolutionConfig(
                no_click_mass=0.5,
                min_normalizer=-1.5,
                step_penalty=0.7,
                user_update_alpha=0.4,
                user_quality_factor=0.3,
                document_quality_factor=0.8,
                alpha_x_intercept=0.9,
                alpha_y_intercept=0.2,
                min_utility=-2.0,
                max_utility=2.5,
                video_length=3.0,
            ),
        },
    ],
)
def test_interest_evolution_is_recsims_to_the_last_bit(changes: dict[str, Any]) -> None:
    config = WorldConfig(**changes)
    assert assert_equal_trajectories(config, make_recsim(config, 5), 5) >= 1


def test_interest_evolution_is_what_recsims_own_create_environment_makes() -> None:
    made = recsim_maker("interest-evolution")(
        {"slate_size": 3, "num_candidates": 10, "resample_documents": True, "seed": 8}
    )
    assert assert_equal_trajectories(WorldConfig(), made, 8) > 2


@pytest.mark.parametrize("choice_model", [None, "multinomial-proportional", "proportional-cascade"])
def test_interest_exploration_is_recsims_to_the_last_bit(choice_model: Any) -> None:
    config = WorldConfig(env="interest-exploration", choice_model=choice_model, session_steps=STEPS + 1)
    assert assert_equal_trajectories(config, make_recsim(config, 5), 5) == 0


def test_interest_exploration_is_what_recsims_own_create_environment_makes() -> None:
    config = WorldConfig(env="interest-exploration", session_steps=STEPS + 1)
    made = recsim_maker("interest-exploration")(
        {"slate_size": 3, "num_candidates": 10, "resample_documents": True, "seed": 8}
    )
    assert assert_equal_trajectories(config, made, 8) == 0


def test_long_term_satisfaction_is_recsims_to_the_last_bit() -> None:
    config = WorldConfig(env="long-term-satisfaction")
    assert assert_equal_trajectories(config, make_recsim(config, 5), 5) == STEPS // 60


def test_long_term_satisfaction_is_what_recsims_own_create_environment_makes() -> None:
    made = recsim_maker("long-term-satisfaction")({"slate_size": 3, "num_candidates": 10, "resample_documents": True})
    config = WorldConfig(env="long-term-satisfaction")
    assert assert_equal_trajectories(config, made, seed=0) == STEPS // 60  # it has no other seed


def sessions(config: WorldConfig, users: int, count: int) -> dict[str, np.ndarray[Any, Any]]:
    """[count] return, length, clicks and mean clicked quality of sessions with random slates.

    Only the first sessions that begin in each row, so that short ones are not favoured.
    """
    simulator = make_simulator(config, users)
    rng, rows = np.random.default_rng(3), []
    simulator.reset(11)
    for _ in range(count // users):
        total = np.zeros((4, users))
        alive = np.ones(users, bool)
        while alive.any():
            f = simulator.step(random_slates(simulator, rng))
            clicked = f.clicked < simulator.slate_size
            total += np.where(alive, [f.reward, np.ones(users), clicked, f.quality], 0)
            alive &= ~f.done
        rows.append(total)
        simulator.reset()
    reward, length, clicks, quality = np.concatenate(rows, axis=1)
    return {"return": reward, "length": length, "clicks": clicks, "quality": quality / np.maximum(clicks, 1)}


@pytest.mark.slow
@pytest.mark.parametrize("environment", REPLAYED)
@pytest.mark.parametrize("choice_model", [None, "proportional-cascade", "multinomial-logit"])
def test_sessions_are_distributed_as_recsims(environment: Any, choice_model: Any) -> None:
    if environment == "long-term-satisfaction" and choice_model is not None:
        pytest.skip("users choose the first document there")
    config = WorldConfig(env=environment, choice_model=choice_model)
    theirs = sessions(WorldConfig(env=environment, choice_model=choice_model, simulator="recsim"), 1, 150)
    ours = sessions(config, 3000, 3000)
    for name, sample in ours.items():
        if np.ptp(sample) == np.ptp(theirs[name]) == 0:  # sessions of a fixed length
            assert sample[0] == theirs[name][0]
            continue
        assert stats.ks_2samp(sample, theirs[name]).pvalue > 0.001, name
        assert stats.ttest_ind(sample, theirs[name], equal_var=False).pvalue > 0.001, name
        for q in (0.1, 0.5, 0.9):
            share = (theirs[name] <= np.quantile(sample, q)).mean()
            assert abs(share - (sample <= np.quantile(sample, q)).mean()) < 0.13, (name, q)
