"""The relevance network: targets by hand, Polyak averages, and known answers learned in a few hundred steps."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from apps.housekeep.agent.drrn import DrrnAgent, DrrnConfig
from apps.housekeep.agent.features import MAX_PAIRS, SCALARS, Observation, Vocabulary
from apps.housekeep.agent.replay import Batch, Ragged, Replay

OBJECTS, PLACES, SIZE = 12, 6, 16
WORDS = Vocabulary(tuple(f"object_{i:02}" for i in range(OBJECTS)), tuple(f"room|place_{i}" for i in range(PLACES)))
CONFIG = DrrnConfig(dropout=0.0, weight_decay=0.0)

pytestmark = pytest.mark.usefixtures("one_thread")


def embeddings(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random unit vectors for the vocabulary's words."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(OBJECTS + PLACES, SIZE)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[:OBJECTS], vectors[OBJECTS:]


def agent(config: DrrnConfig = CONFIG, seed: int = 0) -> DrrnAgent:
    return DrrnAgent(config, WORDS, embeddings(), seed)


def observation(pairs: list[tuple[int, int]], mark: float = 0.0) -> Observation:
    """A candidate for each (object, place); (-1, -1) is a candidate about nothing."""
    scalars = np.full((len(pairs), len(SCALARS)), mark, np.float32)
    words = np.full((len(pairs), MAX_PAIRS, 2), -1, np.int16)
    words[:, 0] = pairs
    return Observation(scalars, words, np.zeros((len(pairs), MAX_PAIRS), np.float32))


def batch(now: Observation, r_t: float, shift_t: float, discount_t: float, next_candidates: Observation) -> Batch:
    one = [np.array([x], np.float32) for x in (r_t, shift_t, discount_t)]
    return Batch(Ragged.of([now]), one[0], one[1], one[2], Ragged.of([next_candidates]))


@torch.no_grad()
def values(an_agent: DrrnAgent, seen: Observation, target: bool = False) -> np.ndarray:
    network = an_agent.target if target else an_agent.online
    network.eval()
    return an_agent.values(network, seen).numpy()


def huber(error: float) -> float:
    return 0.5 * error**2 if abs(error) < 1 else abs(error) - 0.5


def test_the_target_is_reward_plus_weighted_shift_plus_double_q() -> None:
    an_agent = agent()
    for parameter in an_agent.target.parameters():  # the two networks disagree
        parameter.data.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    now, then = observation([(0, 0)]), observation([(1, 1), (2, 2), (3, 3), (4, 4)])
    chosen_online = int(values(an_agent, then).argmax())
    goal = 0.7 + 0.5 * -2.0 + 0.9 * values(an_agent, then, target=True)[chosen_online]
    expected = huber(float(values(an_agent, now)[0]) - float(goal))
    assert an_agent.learn(batch(now, 0.7, -2.0, 0.9, then), 0.5) == pytest.approx(expected, abs=1e-6)


def test_an_ended_episode_has_no_future() -> None:
    an_agent = agent()
    now, then = observation([(0, 0)]), observation([(1, 1), (2, 2)], mark=100.0)
    expected = huber(float(values(an_agent, now)[0]) - 2.0)
    assert an_agent.learn(batch(now, 2.0, 0.0, 0.0, then), 1.0) == pytest.approx(expected, abs=1e-6)


def test_the_best_of_each_decision_is_taken_of_its_own_candidates() -> None:
    an_agent = agent()
    a, b = observation([(1, 1), (2, 2), (3, 3)]), observation([(4, 4), (5, 5)])
    both = Batch(
        Ragged.of([observation([(0, 0)]), observation([(0, 1)])]),
        *(np.array(x, np.float32) for x in ([0, 0], [0, 0], [1, 1])),
        Ragged.of([a, b]),
    )
    now = np.array([values(an_agent, observation([(0, p)]))[0] for p in (0, 1)])
    best = np.array([values(an_agent, seen).max() for seen in (a, b)])  # both networks are equal at the start
    expected = np.mean([huber(float(e)) for e in now - best])
    assert an_agent.learn(both, 1.0) == pytest.approx(float(expected), abs=1e-6)


def test_the_target_network_follows_by_polyak_averaging() -> None:
    an_agent = agent(replace(CONFIG, target_rate=0.25))
    before = [p.clone() for p in an_agent.target.parameters()]
    an_agent.learn(batch(observation([(0, 0)]), 5.0, 0.0, 0.0, observation([(0, 0)])), 1.0)
    for old, online, target in zip(before, an_agent.online.parameters(), an_agent.target.parameters(), strict=True):
        assert torch.allclose(target, old + 0.25 * (online - old), atol=1e-7)
    assert any(not torch.equal(a, b) for a, b in zip(before, an_agent.online.parameters(), strict=True))


def test_epsilon_falls_linearly_and_stays() -> None:
    an_agent = agent(replace(CONFIG, epsilon_skills=100, epsilon_final=0.2))
    assert [an_agent.epsilon(n) for n in (0, 50, 100, 1000)] == pytest.approx([1.0, 0.6, 0.2, 0.2])


def test_greedy_actions_are_the_best_and_random_ones_reach_all() -> None:
    an_agent, seen = agent(), observation([(i, i % PLACES) for i in range(5)])
    rng = np.random.default_rng(0)
    assert {an_agent.act([seen], [0.0], rng)[0] for _ in range(10)} == {int(values(an_agent, seen).argmax())}
    assert {an_agent.act([seen], [1.0], rng)[0] for _ in range(200)} == set(range(5))


def test_the_value_of_a_candidate_does_not_depend_on_its_company() -> None:
    an_agent = agent()
    seen = observation([(0, 0), (-1, -1), (5, 2), (0, 0)])
    together = values(an_agent, seen)
    alone = [values(an_agent, seen.only(i))[0] for i in range(4)]
    assert together == pytest.approx(np.array(alone), abs=1e-6)
    assert together[0] == together[3]


def test_the_order_of_the_pairs_does_not_matter() -> None:
    an_agent = agent()
    one, other = observation([(-1, -1)]), observation([(-1, -1)])
    one.pairs[0, :2], other.pairs[0, :2] = [(1, 2), (3, 4)], [(3, 4), (1, 2)]
    assert values(an_agent, one) == pytest.approx(values(an_agent, other), abs=1e-6)
    assert values(an_agent, one) != pytest.approx(values(an_agent, observation([(1, 2)])), abs=1e-6)


def test_equal_seeds_make_equal_networks_and_leave_torch_alone() -> None:
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    seen = observation([(0, 0), (1, 2)])
    assert np.array_equal(values(agent(seed=1), seen), values(agent(seed=1), seen))
    assert not np.array_equal(values(agent(seed=1), seen), values(agent(seed=2), seen))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_checkpoint_goes_on_learning_with_the_same_numbers() -> None:
    first = agent()
    data = [batch(observation([(i, i % PLACES)]), float(i), 0.0, 0.0, observation([(0, 0)])) for i in range(6)]
    for one in data[:3]:
        first.learn(one, 1.0)
    second = agent(seed=9)
    second.load_state_dict(copy.deepcopy(first.state_dict()))  # a checkpoint shares no memory with the network
    losses = [[an_agent.learn(one, 1.0) for one in data[3:]] for an_agent in (first, second)]
    assert losses[0] == losses[1]


def test_a_policy_takes_another_vocabulary_with_the_same_network() -> None:
    an_agent = agent()
    seen = observation([(0, 0), (3, 1)])
    before = values(an_agent, seen)
    shuffled = Vocabulary(WORDS.objects[::-1], WORDS.places[::-1])
    an_agent.set_vocabulary(shuffled, tuple(e[::-1] for e in embeddings()))  # type: ignore[arg-type]
    renamed = observation([(OBJECTS - 1, PLACES - 1), (OBJECTS - 4, PLACES - 2)])
    assert values(an_agent, renamed) == pytest.approx(before, abs=1e-6)


def bandit(rng: np.random.Generator, right: np.ndarray) -> tuple[Observation, np.ndarray]:
    """Four candidates of one object on different places, and the reward of each: +1 where it belongs, else -1."""
    thing, places = int(rng.integers(OBJECTS)), rng.permutation(PLACES)[:4]
    return observation([(thing, int(p)) for p in places]), np.where(right[places, thing], 1.0, -1.0)


def test_it_learns_which_object_belongs_where_in_a_few_hundred_steps() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((PLACES, OBJECTS)) < 0.4
    an_agent, memory = agent(replace(CONFIG, learning_rate=3e-3)), Replay(1000)
    for step in range(500):
        seen, rewards = bandit(rng, right)
        choice = an_agent.act([seen], [max(0.1, 1 - step / 200)], rng)[0]
        memory.add(seen, choice, float(rewards[choice]), 0.0, True)
        if step >= 32:
            an_agent.learn(memory.sample(32, 0.9, 1, rng), 1.0)
    tests = [bandit(rng, right) for _ in range(200)]
    chosen = np.array([rewards[an_agent.act([seen], [0.0], rng)[0]] for seen, rewards in tests])
    best = np.array([rewards.max() for _, rewards in tests])
    assert (chosen == best).mean() > 0.9


def test_a_shift_alone_teaches_what_a_reward_would() -> None:
    rng = np.random.default_rng(1)
    an_agent, memory = agent(replace(CONFIG, learning_rate=3e-3)), Replay(1000)
    seen = observation([(0, 0), (1, 1)])
    for _ in range(200):
        choice = an_agent.act([seen], [0.5], rng)[0]
        memory.add(seen, choice, 0.0, (-1.0, 1.0)[choice], True)
        if len(memory) > 16:
            an_agent.learn(memory.sample(16, 0.9, 1, rng), 0.5)
    assert values(an_agent, seen) == pytest.approx(np.array([-0.5, 0.5]), abs=0.1)


def test_values_reach_back_through_a_chain_of_decisions() -> None:
    """Three decisions, a reward of 1 at the end: values are gamma ** 2, gamma and 1."""
    rng = np.random.default_rng(2)
    an_agent, memory = agent(replace(CONFIG, learning_rate=3e-3, target_rate=0.1)), Replay(1000)
    states = [observation([(i, i)]) for i in range(3)]
    for _ in range(20):
        for i, seen in enumerate(states):
            memory.add(seen, 0, float(i == 2), 0.0, i == 2)
    for _ in range(400):
        an_agent.learn(memory.sample(32, 0.5, 1, rng), 1.0)
    reached = [float(values(an_agent, seen)[0]) for seen in states]
    assert reached == pytest.approx([0.25, 0.5, 1.0], abs=0.05)
