"""The agent: targets of tables worked out by hand, what is learned from and what is not, policies that can be saved."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from apps.slateq.agent import add_weighted
from apps.slateq.features import Features
from apps.slateq.full_slate import FullSlateAgent, all_slates
from apps.slateq.learned import Served, save_policy, time_step
from apps.slateq.learners import World, make_agent, make_replay
from apps.slateq.networks import ItemNetwork
from apps.slateq.policies import learned_policy
from apps.slateq.replay import SeededReplay
from apps.slateq.tensorflow_setup import one_deterministic_thread
from apps.slateq.train_config import AgentConfig
from lmgt_core.errors import UserError
from lmgt_core.guidance.reward import shifted_reward

one_deterministic_thread()
WORLD = World(candidates=4, slate=2, topics=4, user=3, document=4)
PLAIN = AgentConfig(
    gamma=0.5, multi_step=1, history=False, dueling=False, hidden=(8,), value_scale=1.0, replay=64, batch_size=8
)
NOTHING = 4  # the place of no click
# Scores fill bins: .8 and .5 of the choice between an item and no click, so cells 8 and 5 of each topic's ten.
SCORES = np.array([4.0, 1.0, 1.0, 4.0, 1.0], dtype=np.float32)
TABLE = np.arange(41, dtype=np.float32) / 10  # the value of cell c is c / 10; the last, no click, is 4


def seen(users: int, topics: list[int] | None = None, seed: int = 0) -> Features:
    """Users with the candidates' `topics`, and everything else at random."""
    rng = np.random.default_rng(seed)
    topic = np.tile(np.array(topics or [0, 1, 2, 3], dtype=np.int32), (users, 1))
    return Features(
        user=rng.uniform(-1, 1, (users, 3)).astype(np.float32),
        history=rng.uniform(0, 1, (users, 4)).astype(np.float32),
        documents=np.eye(4, dtype=np.float32)[topic],
        topic=topic,
        scores=np.tile(SCORES, (users, 1)),
    )


def sequence(
    steps: list[Features],
    slates: list[list[int]],
    clicked: list[int],
    rewards: list[float],
    shifts: list[float] | None = None,
    discounts: list[float] | None = None,
    last: list[bool] | None = None,
) -> trajectory.Trajectory:
    """One user's steps [1, step, ...]."""
    n = len(steps)
    kinds = np.where(last or [False] * n, ts.StepType.LAST, ts.StepType.MID).astype(np.int32)

    def row(values: list[float] | None, default: float) -> tf.Tensor:
        return tf.constant([values or [default] * n], tf.float32)

    names = steps[0].as_dict()
    return trajectory.Trajectory(
        step_type=tf.fill([1, n], tf.constant(ts.StepType.MID)),
        observation={name: tf.constant(np.stack([s.as_dict()[name] for s in steps], axis=1)) for name in names},
        action=tf.constant([slates], tf.int64),
        policy_info={"clicked": tf.constant([clicked], tf.int64), "shift": row(shifts, 0.0)},
        next_step_type=tf.constant(kinds[None]),
        reward=row(rewards, 0.0),
        discount=row(discounts, 1.0),
    )


def table_agent(valued: bool = False, **changes: object):  # type: ignore[no-untyped-def]
    agent = make_agent(learned_policy("tabular-N" if valued else "tabular"), replace(PLAIN, **changes), WORLD, 0)
    for network in (agent._values, agent._target_values):
        network.table.assign(TABLE)
    return agent


def test_a_q_target_is_of_the_next_state_and_not_of_this_one() -> None:
    """In this state topics are 0 to 3, in the next 3, 3, 0, 0 (cells 38, 35, 5, 8); RecSim's issue 26."""
    experience = sequence([seen(1), seen(1, [3, 3, 0, 0])], [[0, 1], [2, 3]], [0, 2], [4.0, 0.0])
    # Scores times values: 15.2, 3.5, .5, 3.2; the best two make (15.2 + 3.5) / (4 + 1 + 1).
    np.testing.assert_allclose(table_agent().targets(experience), [4 + 0.5 * 18.7 / 6], rtol=1e-6)


def test_a_target_of_a_valued_no_click_counts_it() -> None:
    experience = sequence([seen(1), seen(1, [3, 3, 0, 0])], [[0, 1], [2, 3]], [0, 2], [4.0, 0.0])
    # Advantages over 4: -.2, -.5, -3.5, -3.2; times scores -.8, -.5, -3.5, -12.8: documents 1 and 0 are served.
    np.testing.assert_allclose(table_agent(valued=True).targets(experience), [4 + 0.5 * 22.7 / 6], rtol=1e-6)


def test_a_sarsa_target_is_of_the_slate_that_was_served_next() -> None:
    agent = make_agent(learned_policy("SARSA-TS"), PLAIN, WORLD, 0)
    experience = sequence([seen(1), seen(1, seed=1)], [[0, 1], [3, 1]], [0, 2], [4.0, 0.0])
    next_observation = {name: tf.constant(part) for name, part in seen(1, seed=1).as_dict().items()}
    values = agent._target_values(next_observation)[0].numpy()[0]
    expected = 4 + 0.5 * (4 * values[3] + values[1]) / 6
    np.testing.assert_allclose(agent.targets(experience), [expected], rtol=1e-5)


def test_three_steps_are_discounted_and_stop_at_the_end_of_the_session() -> None:
    agent = table_agent(multi_step=3)
    steps = [seen(1), seen(1), seen(1), seen(1, [3, 3, 0, 0])]
    served, clicked = [[0, 1]] * 4, [0, 0, 0, 0]
    whole = sequence(steps, served, clicked, [1.0, 2.0, 4.0, 9.0])
    np.testing.assert_allclose(agent.targets(whole), [1 + 1 + 1 + 0.125 * 18.7 / 6], rtol=1e-6)
    over = [False, True, False, False]
    ended = sequence(steps, served, clicked, [1.0, 2.0, 4.0, 9.0], discounts=[1.0, 0.0, 1.0, 1.0], last=over)
    np.testing.assert_allclose(agent.targets(ended), [2.0], rtol=1e-6)
    assert agent.learnable(ended).numpy().tolist() == [1.0]


def test_nothing_is_learned_across_a_cut() -> None:
    agent = table_agent(multi_step=2)
    steps, served = [seen(1)] * 3, [[0, 1]] * 3
    cut = sequence(steps, served, [0, 0, 0], [1.0, 1.0, 1.0], last=[False, True, False])
    assert agent.learnable(cut).numpy().tolist() == [0.0]
    ended_first = sequence(
        steps, served, [0, 0, 0], [1.0, 1.0, 1.0], discounts=[0.0, 1.0, 1.0], last=[True, True, False]
    )
    assert agent.learnable(ended_first).numpy().tolist() == [1.0]


@pytest.mark.parametrize("valued", [False, True])
def test_a_step_without_a_click_teaches_only_where_no_click_is_valued(valued: bool) -> None:
    agent = table_agent(valued)
    experience = sequence([seen(1), seen(1)], [[0, 1]] * 2, [NOTHING, 0], [0.0, 0.0])
    before = agent._values.table.numpy()
    agent.train(experience)
    changed = np.flatnonzero(agent._values.table.numpy() != before).tolist()
    assert changed == ([40] if valued else [])


def test_the_shift_is_added_when_learned_from_and_a_shift_of_zero_is_no_shift() -> None:
    agent = table_agent()
    steps, rest = [seen(1), seen(1)], ([[0, 1], [2, 3]], [0, 0], [4.0, 0.0])
    plain = agent.targets(sequence(steps, *rest), 1.0).numpy()
    assert agent.targets(sequence(steps, *rest, shifts=[2.0, 0.0]), 0.25).numpy() == pytest.approx(plain + 0.5)
    assert (agent.targets(sequence(steps, *rest), 1e9).numpy() == plain).all()


@pytest.mark.parametrize("weight", [1.0, 0.25, 1 / 3, 0.0])
def test_the_sum_in_the_graph_is_the_one_sum_of_reward_and_shift(weight: float) -> None:
    rng = np.random.default_rng(0)
    rewards, shifts = rng.normal(0, 3, (2, 500, 4)).astype(np.float32)
    rewards[:50], rewards[50:99], shifts[25:200] = -0.0, 0.0, 0.0
    shifts[:25], shifts[200:250] = -0.0, rng.choice([-1.0, 1.0], (50, 4))
    found = tf.function(add_weighted)(rewards, shifts, tf.constant(weight, tf.float32)).numpy()
    expected = shifted_reward(rewards, shifts, np.float32(weight))  # the graph's weight is float32
    assert found.dtype == expected.dtype == np.float32
    assert found.tobytes() == expected.tobytes()
    assert (np.signbit(found[:50])).all()


def test_learning_draws_the_clicked_items_value_to_its_target() -> None:
    agent = table_agent(learning_rate=0.05)
    experience = sequence(
        [seen(1), seen(1)], [[0, 1]] * 2, [0, 0], [7.0, 0.0], discounts=[0.0, 1.0], last=[True, False]
    )
    learn = tf.function(agent.train)
    for _ in range(300):
        loss = learn(experience).loss
    assert float(loss) < 1e-3
    assert agent._values.table.numpy()[8] == pytest.approx(7.0, abs=0.05)  # topic 0, bin 8


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("valued", [False, True])
def test_one_items_value_is_the_same_alone_and_among_all(dueling: bool, valued: bool) -> None:
    agent = make_agent(learned_policy("QL-TT-TS"), PLAIN, WORLD, 0)
    spec = agent.time_step_spec.observation
    network = ItemNetwork(spec, (8, 8), valued_no_click=valued, history=True, dueling=dueling, value_scale=3.0)
    observation = {name: tf.constant(part) for name, part in seen(6).as_dict().items()}
    values = network(observation)[0].numpy()
    for item in range(5):
        alone = network.value_of(observation, tf.fill([6], tf.constant(item, tf.int64)))
        np.testing.assert_allclose(alone, values[:, item], rtol=1e-4, atol=1e-6)
    assert valued or (values[:, -1] == 0).all()


def test_history_is_read_only_where_it_is_on() -> None:
    now = seen(3)
    later = replace(now, history=now.history + 1)
    for on in (False, True):
        agent = make_agent(learned_policy("QL-TT-TS"), replace(PLAIN, history=on), WORLD, 0)
        found = [agent._values({k: tf.constant(v) for k, v in f.as_dict().items()})[0].numpy() for f in (now, later)]
        assert (found[0] == found[1]).all() is np.bool_(not on)


def test_exploration_shows_no_document_twice_and_ends_with_epsilon() -> None:
    agent = make_agent(learned_policy("QL-OT-OS-N"), PLAIN, WORLD, 0)
    many = time_step(seen(300))
    explored = agent.collect_policy.action(many).action.numpy()
    assert all(len(set(slate)) == 2 for slate in explored.tolist())
    assert len({tuple(sorted(slate)) for slate in explored.tolist()}) == 6
    agent.epsilon.assign(0.0)
    assert (agent.collect_policy.action(many).action.numpy() == agent.policy.action(many).action.numpy()).all()


@pytest.mark.parametrize("name", ["QL-OT-GS-N", "full-slate"])
def test_a_saved_policy_serves_the_same_slates(name: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    agent = make_agent(learned_policy(name), PLAIN, WORLD, 3)
    save_policy(agent.policy, tmp_path / "policy")
    saved = Served.load(tmp_path / "policy")
    for users in (1, 17):  # any number of users
        assert (saved.serve(seen(users)) == Served.of(agent.policy).serve(seen(users))).all()


def test_a_folder_without_a_policy_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="holds no policy"):
        Served.load(tmp_path)


def filled(length: int, rows: int) -> SeededReplay:
    """A replay of 3 users after `rows` steps; the reward says user and step: 100 u + t."""
    replay = make_replay(WORLD, replace(PLAIN, replay=3 * length), users=3, seed=5)
    spec = replay.data_spec
    for step in range(rows):
        item = tf.nest.map_structure(lambda s: tf.zeros([3, *s.shape], s.dtype), spec)
        replay.add_batch(item._replace(reward=tf.constant([0.0, 100.0, 200.0]) + step))
    return replay


def test_sequences_are_one_users_steps_in_a_row_and_only_the_latest() -> None:
    rewards = filled(length=6, rows=10).sample(200, 3).reward.numpy()
    assert (np.diff(rewards, axis=1) == 1).all()
    assert set((rewards[:, 0] % 100).tolist()) == {4.0, 5.0, 6.0, 7.0}
    assert set((rewards[:, 0] // 100).tolist()) == {0.0, 1.0, 2.0}


def test_equal_seeds_draw_equal_batches() -> None:
    first, second = (filled(6, 8).sample(20, 2).reward.numpy() for _ in range(2))
    assert (first == second).all()


def test_full_slate_numbers_a_slate_whatever_its_order() -> None:
    agent = make_agent(learned_policy("full-slate"), PLAIN, WORLD, 0)
    assert isinstance(agent, FullSlateAgent)
    slates = all_slates(4, 2)
    assert len(slates) == 6
    assert agent.index(tf.constant(slates)).numpy().tolist() == list(range(6))
    assert agent.index(tf.constant(slates[:, ::-1].copy())).numpy().tolist() == list(range(6))


def test_full_slate_learns_the_value_of_the_slate_that_was_served() -> None:
    agent = make_agent(learned_policy("full-slate"), replace(PLAIN, learning_rate=0.02), WORLD, 0)
    one = sequence([seen(1), seen(1)], [[3, 1], [0, 1]], [1, 0], [2.0, 0.0], shifts=[1.0, 0.0], discounts=[0.0, 1.0])
    batch = tf.nest.map_structure(lambda part: tf.repeat(part, 4, axis=0), one)
    learn = tf.function(agent.train)
    for _ in range(150):
        learn(batch, shift_weight=tf.constant(0.5))
    values = agent.policy._values({k: tf.constant(v) for k, v in seen(1).as_dict().items()})[0].numpy()[0]
    assert values[agent.index(tf.constant([1, 3])).numpy()] == pytest.approx(2.5, abs=0.05)


def test_too_many_slates_for_full_slate_are_refused() -> None:
    with pytest.raises(UserError, match=r"50 candidates make 19,600 slates of 3"):
        all_slates(50, 3)
