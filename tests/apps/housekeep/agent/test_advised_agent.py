"""The rules inside the agent, on the relevance network: choices and targets by hand, a silent critic, checkpoints."""

import copy

import numpy as np
import pytest
import torch

from apps.housekeep.agent.advised import AdvisedAgent, make_agent
from apps.housekeep.agent.drrn import DrrnAgent, DrrnConfig, RelevanceNetwork
from apps.housekeep.agent.features import MAX_PAIRS, SCALARS, Observation, Vocabulary
from apps.housekeep.agent.replay import Batch, Ragged, Replay
from lmgt_core.rules.adops import Adops
from lmgt_core.rules.agent_rule import AgentRule
from lmgt_core.rules.lookahead import LookAhead
from lmgt_core.rules.pies import Pies

WORDS = Vocabulary(tuple(f"object_{i}" for i in range(6)), tuple(f"room|place_{i}" for i in range(4)))
CONFIG = DrrnConfig(dropout=0.0, weight_decay=0.0, learning_rate=3e-3)
HORIZON = 100
LOOKAHEAD, PIES, ADOPS = LookAhead(), Pies(1.0, HORIZON), Adops(1.0, HORIZON)
GAMMA = 0.5

pytestmark = pytest.mark.usefixtures("one_thread")


def embeddings() -> tuple[np.ndarray, np.ndarray]:
    """Random vectors for the vocabulary's words."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(10, 8)).astype(np.float32)
    return vectors[:6], vectors[6:]


def advised(rule: AgentRule, config: DrrnConfig = CONFIG) -> AdvisedAgent:
    return AdvisedAgent(config, WORDS, embeddings(), 0, rule)


def observation(*marks: float) -> Observation:
    """A candidate for each mark, about nothing; `tell` gives it its mark as its value."""
    scalars = np.zeros((len(marks), len(SCALARS)), np.float32)
    scalars[:, -1] = marks
    nothing = np.full((len(marks), MAX_PAIRS, 2), -1, np.int16)
    return Observation(scalars, nothing, np.zeros((len(marks), MAX_PAIRS), np.float32))


class Told(RelevanceNetwork):
    """Values by hand: the candidate of a mark is worth what `worth` says."""

    worth: dict[float, float]

    def forward(self, scalars: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        weight = self.value[-1].bias  # so that there is something to learn
        return torch.tensor([self.worth[round(float(s), 4)] for s in scalars[:, -1]]) + 0 * weight


def tell(agent: DrrnAgent, online: dict[float, float], target: dict[float, float] | None = None) -> None:
    """Makes the agent's networks say these values, by mark."""
    for name, worth in (("online", online), ("target", online if target is None else target)):
        network = Told(agent.config, 8)
        network.worth = worth
        setattr(agent, name, network)


def batch(chosen: list[float], r_t: list[float], ended: list[bool], next_candidates: list[Observation]) -> Batch:
    """Transitions of one decision each, without shift or advice."""
    rewards = np.array(r_t, np.float32)
    discounts = np.array([0.0 if end else GAMMA for end in ended], np.float32)
    now = Ragged.of([observation(mark) for mark in chosen])
    return Batch(now, rewards, np.zeros_like(rewards), discounts, Ragged.of(next_candidates))


def huber(errors: list[float]) -> float:
    return float(np.mean([0.5 * e**2 if abs(e) < 1 else abs(e) - 0.5 for e in errors]))


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_it_acts_on_q_plus_the_advice_of_every_candidate() -> None:
    agent, seen, rng = advised(LOOKAHEAD), observation(1, 2, 3), np.random.default_rng(0)
    tell(agent, {1: 0.5, 2: 0.2, 3: -0.4})
    assert agent.act([seen], [0.0], rng, [floats(0, 0, 0)])[0] == 0
    assert agent.act([seen], [0.0], rng, [floats(0, 1, -1)])[0] == 1
    assert agent.act([seen], [0.0], rng, [floats(-1, -1, 0)])[0] == 2


@pytest.mark.parametrize("constant", [-3.0, 0.0, 3.0])
def test_a_constant_advice_changes_no_choice(constant: float) -> None:
    agent, rng = advised(LOOKAHEAD), np.random.default_rng(1)
    for _ in range(20):
        seen = observation(*rng.normal(size=5))
        plain = int(DrrnAgent.preferences(agent, [seen], [None], 0)[0].argmax())
        assert agent.act([seen], [0.0], rng, [np.full(5, constant, np.float32)])[0] == plain


def test_the_target_of_look_ahead_is_the_one_calculated_by_hand() -> None:
    """Two decisions with 3 and 2 candidates, which the online network, the advice and the target see differently."""
    agent = advised(LOOKAHEAD)
    online = {1: 0.25, 2: -0.5, 10: 1.0, 11: 0.5, 12: 0.0, 20: 0.0, 21: 0.3}
    target = {1: 9.0, 2: 9.0, 10: 7.0, 11: 0.6, 12: 8.0, 20: -0.2, 21: 7.0}
    tell(agent, online, target)
    taught = batch([1, 2], [1.0, 0.0], [False, False], [observation(10, 11, 12), observation(20, 21)])
    taught = Batch(
        taught.chosen,
        taught.r_t,
        floats(50, 50),  # shifts are for other rules
        taught.discount_t,
        taught.next_candidates,
        advice_tm1=floats(1.0, -1.0),
        advice_t=floats(-1.0, 1.0, 0.0, 1.0, 0.0),
    )
    # Q + Phi of the candidates: (0, 1.5, 0) and (1, 0.3), so 11 and 20 are preferred.
    first = 1.0 + 0.5 * (0.6 + 1.0) - 1.0
    second = 0.0 + 0.5 * (-0.2 + 1.0) - -1.0
    assert agent.learn(taught, 1.0) == pytest.approx(huber([0.25 - first, -0.5 - second]), abs=1e-6)


def test_look_ahead_has_no_advice_at_the_end_of_an_episode() -> None:
    agent = advised(LOOKAHEAD)
    tell(agent, {1: 0.25, 10: 5.0})
    ended = batch([1], [1.0], [True], [observation(10)])
    ended = Batch(
        *(getattr(ended, n) for n in ("chosen", "r_t", "shift_t", "discount_t", "next_candidates")),
        floats(-1),
        floats(9),
    )
    assert agent.learn(ended, 1.0) == pytest.approx(huber([0.25 - (1.0 + 1.0)]), abs=1e-6)


def test_over_several_decisions_the_advice_telescopes() -> None:
    """r_0 + gamma r_1 + gamma ** 2 (Q + Phi)(s_2) - Phi(s_0, a_0): what comes between goes out."""
    memory, agent = Replay(10), advised(LOOKAHEAD)
    tell(agent, {0: 0.0, 1: 0.0, 2: 0.75, 3: 0.25})
    for mark, reward, phi in ((0, 1.0, 0.5), (1, 2.0, 100.0)):
        memory.add(observation(mark), 0, reward, 0.0, False, floats(phi))
    memory.add(observation(2, 3), 1, 0.0, 0.0, False, floats(0.0, 1.0))
    one = next(
        b
        for seed in range(20)
        if (b := memory.sample(1, GAMMA, 2, np.random.default_rng(seed))).chosen.scalars[0, -1] == 0
    )
    expected = 1.0 + 0.5 * 2.0 + 0.25 * (0.25 + 1.0) - 0.5
    assert agent.learn(one, 1.0) == pytest.approx(huber([0.0 - expected]), abs=1e-6)


def test_a_critic_begins_at_zero_and_a_silent_judge_leaves_it_there() -> None:
    for rule in (PIES, ADOPS):
        agent, plain = advised(rule, DrrnConfig()), DrrnAgent(DrrnConfig(), WORDS, embeddings(), 0)
        taught = batch([1, 2], [1.0, -1.0], [False, True], [observation(3, 4, 5), observation(6)])
        losses = []
        for learner in (agent, plain):
            torch.manual_seed(5)  # of dropout
            losses.append([learner.learn(taught, 1.0, step) for step in range(5)])
        assert losses[0] == losses[1]
        assert agent.critic is not None
        assert not agent.critic.preferences([observation(1, 2, 3)], [None], 0)[0].any()


@pytest.mark.parametrize("rule", [PIES, ADOPS])
def test_the_critic_learns_the_discounted_shifts_of_what_is_preferred_and_q_the_rewards(rule: AgentRule) -> None:
    """Q likes candidate 10, the critic 11; at the start pies and adops (tolerance 1) follow the critic."""
    agent = advised(rule)
    assert agent.critic is not None
    tell(agent, {1: 0.0, 10: 0.6, 11: 0.5}, {1: 9.0, 10: 0.4, 11: 9.0})
    tell(agent.critic, {1: 0.0, 10: 0.0, 11: 2.0}, {1: 9.0, 10: 9.0, 11: 1.5})
    taught = batch([1], [0.25], [False], [observation(10, 11)])
    taught = Batch(taught.chosen, taught.r_t, floats(-0.5), taught.discount_t, taught.next_candidates)
    aims: list[float] = []
    for learner in (agent, agent.critic):
        learner.fit = lambda chosen, targets: aims.append(float(targets[0])) or 0.0  # type: ignore[method-assign, func-returns-value]
    agent.learn(taught, 1.0, step=0)
    assert aims == pytest.approx([-0.5 + 0.5 * 1.5, 0.25 + 0.5 * 0.4])
    aims.clear()
    agent.learn(taught, 1.0, step=HORIZON)  # the judge has no say any more: candidate 10 is next
    assert aims == pytest.approx([-0.5 + 0.5 * 9.0, 0.25 + 0.5 * 0.4])


@pytest.mark.parametrize("rule", [PIES, ADOPS])
def test_once_the_judge_has_faded_it_acts_as_q(rule: AgentRule) -> None:
    agent, seen, rng = advised(rule), observation(1, 2, 3), np.random.default_rng(0)
    assert agent.critic is not None
    tell(agent, {1: 0.5, 2: 0.2, 3: -0.4})
    tell(agent.critic, {1: -5.0, 2: 0.0, 3: 5.0})
    assert agent.act([seen], [0.0], rng, step=0)[0] == 2
    assert [agent.act([seen], [0.0], rng, step=step)[0] for step in (HORIZON, 10 * HORIZON)] == [0, 0]


def test_a_shift_teaches_the_critic_alone() -> None:
    agent = advised(PIES)
    assert agent.critic is not None
    seen, memory, rng = observation(0.0, 1.0), Replay(100), np.random.default_rng(0)
    for i in range(40):
        memory.add(seen, i % 2, 0.0, (-1.0, 1.0)[i % 2], True)
    for _ in range(200):
        agent.learn(memory.sample(16, 0.9, 1, rng), 1.0)
    assert agent.critic.preferences([seen], [None], 0)[0] == pytest.approx(floats(-1, 1), abs=0.1)
    assert DrrnAgent.preferences(agent, [seen], [None], 0)[0] == pytest.approx(floats(0, 0), abs=0.05)


@pytest.mark.parametrize("rule", [LOOKAHEAD, PIES, ADOPS])
def test_a_checkpoint_goes_on_learning_with_the_same_numbers(rule: AgentRule) -> None:
    first = advised(rule)
    rng = np.random.default_rng(3)
    data = []
    for _ in range(6):
        one = batch([rng.normal()], [rng.normal()], [False], [observation(*rng.normal(size=3))])
        shift, advice = floats(rng.normal()), rng.normal(size=3).astype(np.float32)
        data.append(Batch(one.chosen, one.r_t, shift, one.discount_t, one.next_candidates, shift, advice))
    for step, one in enumerate(data[:3]):
        first.learn(one, 1.0, step)
    second = AdvisedAgent(CONFIG, WORDS, embeddings(), 9, rule)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    losses = [[agent.learn(one, 1.0, step) for step, one in enumerate(data[3:])] for agent in (first, second)]
    assert losses[0] == losses[1]
    seen = observation(0.1, 0.2)
    prefer = [agent.preferences([seen], [floats(0, 0)], 0)[0].tolist() for agent in (first, second)]
    assert prefer[0] == prefer[1]


def test_rules_that_only_shift_the_reward_get_the_plain_agent() -> None:
    assert type(make_agent(CONFIG, WORDS, embeddings(), 0, None)) is DrrnAgent
    assert type(make_agent(CONFIG, WORDS, embeddings(), 0, PIES)) is AdvisedAgent


def test_a_critic_takes_another_vocabulary_with_its_agent() -> None:
    agent = advised(PIES)
    assert agent.critic is not None
    other = Vocabulary(WORDS.objects[:2], WORDS.places[:2])
    agent.set_vocabulary(other, tuple(e[:2] for e in embeddings()))  # type: ignore[arg-type]
    assert agent.vocabulary is agent.critic.vocabulary is other
