"""Learners stay inside their budget, with the reference hyper-parameters, and can be kept."""

from dataclasses import replace

import numpy as np
import pytest

from apps.control.hyperparameters import REFERENCES, impossible
from apps.control.worlds import WORLDS
from tests.apps.control.conftest import shifter_for


def rows_of(agents, env: str, algorithm: str, steps: int, every: int | None = None, **options):
    """A learner after training, and the rows that it recorded."""
    rows: dict[str, list[dict]] = {"episodes": [], "evaluations": []}
    ticks: list[int] = []
    task = replace(WORLDS[env], episodes=2)
    learner = agents.make_learner(task, algorithm, steps, 0, options.pop("source", None), **options)
    agents.train(learner, task, steps, every, lambda table, row: rows[table].append(row), ticks.append)
    return learner, rows, sum(ticks)


@pytest.mark.parametrize(
    ("env", "algorithm", "steps"),
    [
        ("CartPole-v1", "dqn", 300),
        ("CartPole-v1", "ppo", 100),
        ("CartPole-v1", "a2c", 101),
        ("Pendulum-v1", "sac", 130),
        ("Pendulum-v1", "td3", 130),
        ("Blackjack-v1", "ppo", 10),
        ("MountainCar-v0", "a2c", 64),
        ("Acrobot-v1", "dqn", 33),
    ],
)
def test_an_agent_never_sees_more_than_its_budget(agents, env, algorithm, steps) -> None:
    learner, rows, ticked = rows_of(agents, env, algorithm, steps)
    assert steps - learner.n_envs < learner.num_timesteps <= steps
    assert ticked == learner.num_timesteps
    assert rows["evaluations"][-1]["decisions"] == learner.num_timesteps


@pytest.mark.parametrize(("env", "algorithm"), REFERENCES)
def test_every_reference_makes_a_learner(agents, env, algorithm) -> None:
    reference = REFERENCES[env, algorithm]
    assert not impossible(env, WORLDS[env].discrete, algorithm)
    learner = agents.make_learner(WORLDS[env], algorithm, 1_000_000, 0, None)
    for name in ("gamma", "batch_size", "buffer_size", "gradient_steps", "learning_starts", "n_epochs", "n_steps"):
        if name in reference.settings:
            assert getattr(learner, name) == reference.settings[name], name
    assert learner.n_envs == reference.n_envs
    assert (learner.get_vec_normalize_env() is not None) is reference.normalize


@pytest.mark.parametrize(("steps", "updates"), [(100, 4), (1000, 4)])
def test_an_on_policy_learner_learns_several_times_however_small_the_budget(agents, steps, updates) -> None:
    learner, _, _ = rows_of(agents, "Pendulum-v1", "ppo", steps)
    assert learner._n_updates >= updates * REFERENCES["Pendulum-v1", "ppo"].settings["n_epochs"]


@pytest.mark.parametrize(
    ("env", "algorithm", "steps", "begins"),
    [
        ("CartPole-v1", "dqn", 100, 50),
        ("CartPole-v1", "dqn", 10_000, 1000),
        ("Pendulum-v1", "td3", 300, 150),
        ("Pendulum-v1", "sac", 1000, 100),
    ],
)
def test_an_off_policy_learner_explores_for_at_most_half_of_the_budget(agents, env, algorithm, steps, begins) -> None:
    learner = agents.make_learner(WORLDS[env], algorithm, steps, 0, None)
    assert learner.learning_starts == begins


def test_an_off_policy_learner_learns_however_small_the_budget(agents) -> None:
    for env, algorithm in (("CartPole-v1", "dqn"), ("Pendulum-v1", "td3")):
        learner, _, _ = rows_of(agents, env, algorithm, 100)
        assert learner._n_updates >= 100


def test_a_round_that_the_budget_cuts_is_learnt_from(agents) -> None:
    learner, _, _ = rows_of(agents, "CartPole-v1", "dqn", 300, learning_starts=10)
    assert learner._n_updates == 2 * 128  # after step 256, and after step 300


def test_a_round_that_ends_with_the_budget_is_learnt_from_once(agents) -> None:
    learner, _, _ = rows_of(agents, "CartPole-v1", "dqn", 512, learning_starts=10)
    assert learner._n_updates == 2 * 128


def test_evaluations_come_as_often_as_asked_and_at_the_end(agents) -> None:
    _, rows, _ = rows_of(agents, "CartPole-v1", "a2c", 400, every=100)
    assert [r["decisions"] for r in rows["evaluations"]] == [104, 200, 304, 400]
    returns = [r["return"] for r in rows["episodes"]]
    assert returns == [r["length"] for r in rows["episodes"]]  # CartPole: a point a step, never a shift
    assert [r["episode"] for r in rows["episodes"]] == list(range(len(returns)))


def test_evaluating_on_the_way_changes_nothing_that_is_learnt(agents) -> None:
    task = replace(WORLDS["Pendulum-v1"], episodes=2)
    often = agents.make_learner(task, "sac", 120, 0, None, learning_starts=50)
    agents.train(often, task, 120, 40, lambda table, row: None)
    never = agents.make_learner(task, "sac", 120, 0, None, learning_starts=50)  # it seeds what all learners share
    agents.train(never, task, 120, None, lambda table, row: None)
    for name, value in never.policy.state_dict().items():
        np.testing.assert_array_equal(often.policy.state_dict()[name].numpy(), value.numpy())


def test_returns_stay_unshifted_under_a_judge(agents) -> None:
    source = shifter_for(WORLDS["CartPole-v1"], "oracle", scale=100.0)
    _, rows, _ = rows_of(agents, "CartPole-v1", "a2c", 400, source=source)
    assert all(r["return"] == r["length"] for r in rows["episodes"])


@pytest.mark.parametrize(("env", "algorithm"), [("CartPole-v1", "dqn"), ("Pendulum-v1", "a2c")])
def test_a_saved_agent_acts_as_before(agents, env, algorithm) -> None:
    task = WORLDS[env]
    learner, _, _ = rows_of(agents, env, algorithm, 300, source=shifter_for(task, "oracle"))
    observations = np.stack([task.make().observation_space.sample() for _ in range(20)])
    before = agents.policy_of(learner)(observations)
    again = agents.load_policy(agents.saved(learner), algorithm)(observations)
    np.testing.assert_allclose(again, before, rtol=1e-5)


@pytest.mark.parametrize(
    ("env", "algorithm", "reason"),
    [
        ("Pendulum-v1", "dqn", "discrete"),
        ("CartPole-v1", "sac", "continuous"),
        ("Blackjack-v1", "td3", "continuous"),
        ("CartPole-v1", "q-learning", "few states"),
        ("PocketWatch-v0", "ppo", "no reference"),
        ("Blackjack-v1", "td", ""),
    ],
)
def test_impossible_pairs_have_a_reason(env, algorithm, reason) -> None:
    found = impossible(env, WORLDS[env].discrete, algorithm)
    assert reason in found and bool(reason) is bool(found)
