"""What the shift rules promise, proven: exactly in the limit of training, and by learners that sample.

"Reaches the optimum" means that the policy's exact value equals value iteration's in every state.
"""

from functools import cache

import numpy as np
import pytest

from apps.tabular.env import TableShifts
from apps.tabular.labels import judgments, make_labels
from apps.tabular.learner import Learned, LearnerConfig, TabularLearner
from apps.tabular.limits import limit_policy
from apps.tabular.mdp import EQUAL, FiniteMDP, loss, value_iteration
from apps.tabular.worlds import chain, cliff, early_end, river, trap, wide_chain
from lmgt_core.rules.agent_rule import AgentRule
from lmgt_core.rules.cards import Promise, Seam, card_of
from lmgt_core.rules.make import ADVISED, RULES, make_rule
from lmgt_core.rules.shift import ShiftRule

WORLDS = ("chain", "cliff", "trap", "early_end", "river")
JUDGES = ("oracle", "noisy:0.7", "constant", "adversarial")
STATELESS = [rule for rule in (*RULES, *ADVISED) if rule != "centered"]
KEEPING = [rule for rule in STATELESS if card_of(rule).promise is not Promise.NO]
STEPS = 10_000


@cache
def world(name: str, slip: float = 0.1) -> FiniteMDP:
    """A world; learners that sample get a `trap` that does not slip, where near ties do not take a million steps."""
    made = {
        "chain": chain,
        "cliff": cliff,
        "early_end": early_end,
        "river": river,
        "wide_chain": lambda: wide_chain(6, 3),
    }
    return trap(slip=slip) if name == "trap" else made[name]()


def rule_of(name: str, scale: float = 1.0, steps: int = STEPS) -> ShiftRule:
    """A rule whose judge has no say left after a tenth of the training."""
    return make_rule(name, scale, steps, horizon=max(steps // 10, 1), seams=Seam)


def labels_of(judge: str, mdp: FiniteMDP) -> np.ndarray:
    return make_labels(judge, mdp, np.random.default_rng(0))


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("rule", [r for r in KEEPING if "exponential" not in r])
def test_a_rule_that_promises_it_ends_at_the_optimum(name: str, rule: str, judge: str) -> None:
    mdp = world(name)
    for scale in (0.1, 1.0, 30.0):
        assert loss(mdp, limit_policy(mdp, rule_of(rule, scale), labels_of(judge, mdp))) == 0


@pytest.mark.parametrize("rule", ["raw", "continuous"])
@pytest.mark.parametrize(
    ("name", "least"), [("chain", 0.9), ("cliff", 48.0), ("trap", 0.9), ("early_end", 0.49), ("river", 1.5)]
)
def test_a_raw_shift_of_an_adversarial_judge_ends_at_another_policy(name: str, least: float, rule: str) -> None:
    mdp = world(name)
    assert loss(mdp, limit_policy(mdp, rule_of(rule), labels_of("adversarial", mdp))) > least


@pytest.mark.parametrize("name", ["chain", "cliff", "trap", "early_end"])
def test_a_judge_that_praises_everything_keeps_a_raw_learner_from_ending_its_episodes(name: str) -> None:
    mdp = world(name)
    policy = limit_policy(mdp, rule_of("raw"), labels_of("constant", mdp))
    state, seen = int(mdp.start.argmax()), set()
    while not mdp.terminal[state] and state not in seen:
        seen.add(state)
        state = int(mdp.transitions[state, policy[state]].argmax())
    assert not mdp.terminal[state]
    assert loss(mdp, policy) > 0.4


def test_a_judge_that_praises_everything_is_harmless_where_nothing_ends() -> None:
    mdp = world("river")
    assert loss(mdp, limit_policy(mdp, rule_of("raw"), labels_of("constant", mdp))) == 0


@pytest.mark.parametrize("name", ["trap", "wide_chain"])
def test_even_a_judge_that_is_always_right_misleads_a_raw_learner(name: str) -> None:
    """Praise for going on outweighs the reward at the end: the learner turns round and collects it again."""
    mdp = world(name) if name == "trap" else wide_chain()
    labels = labels_of("oracle", mdp)
    assert loss(mdp, limit_policy(mdp, rule_of("raw"), labels)) > 0.9
    for rule in KEEPING:
        assert loss(mdp, limit_policy(mdp, rule_of(rule), labels)) == 0


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("name", WORLDS)
def test_the_paper_s_corrected_rewards_have_exactly_the_optimal_policies(name: str, judge: str) -> None:
    """ADOPS as a reward, F', with exact critics: its proof in adops.py, done in numbers.

    V_I is the most shift that an optimal policy collects; then V_E + V_I solves Bellman's equation of the shifted
    problem, and the best actions there are the optimal ones, all of them and no other.
    """
    mdp, epsilon = world(name), 1e-3
    q_e = value_iteration(mdp)
    v_e = q_e.max(axis=1)
    optimal = q_e >= v_e[:, None] - EQUAL
    shift = np.where(mdp.terminal[:, None], 0.0, labels_of(judge, mdp))
    v_i = np.zeros(mdp.states)
    for _ in range(3000):
        q_i = shift + mdp.discount * (mdp.transitions @ v_i)
        v_i = np.where(mdp.terminal, 0.0, np.where(optimal, q_i, -np.inf).max(axis=1))
    missing = (v_e + v_i)[:, None] - q_e - q_i  # V_E - Q_E + V_I - gamma V_I(s') - F
    corrected = shift + np.where(optimal, np.maximum(0, missing), np.minimum(0, missing - epsilon))
    shaped = value_iteration(mdp.shifted(corrected))
    np.testing.assert_allclose(shaped.max(axis=1), v_e + v_i, atol=1e-6)
    best = shaped >= shaped.max(axis=1, keepdims=True) - epsilon / 2
    np.testing.assert_array_equal(best[~mdp.terminal], optimal[~mdp.terminal])


def trained(mdp: FiniteMDP, rule: str, judge: str, algorithm: str, seed: int = 0, scale: float = 1.0) -> Learned:
    config = LearnerConfig(
        algorithm,  # type: ignore[arg-type]
        step_size=0.1 if mdp.name == "river" else 0.5,  # the river's transitions are random and have to be averaged
        exploring_starts=True,
        horizon=30,
        epsilon_share=1.0,
    )
    source = TableShifts(judgments(labels_of(judge, mdp)), rule_of(rule, scale))
    learner = TabularLearner(mdp, source, config, np.random.default_rng(seed))
    return learner.learn(STEPS, STEPS)


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("rule", ["annealed:linear", *ADVISED])
def test_q_learning_reaches_the_optimum_under_an_adversarial_judge(name: str, rule: str) -> None:
    mdp = world(name, slip=0.0)
    assert loss(mdp, trained(mdp, rule, "adversarial", "q-learning").policy()) == 0


# Not along the cliff: Sarsa keeps off the edge until exploring has long stopped, with or without a judge
# (Sutton, Barto 2018, example 6.6), and the trap is such an edge too.
@pytest.mark.parametrize("name", ["chain", "early_end", "river", "wide_chain"])
@pytest.mark.parametrize("rule", ["annealed:linear", *ADVISED])
def test_sarsa_reaches_the_optimum_under_an_adversarial_judge(name: str, rule: str) -> None:
    mdp = world(name)
    assert loss(mdp, trained(mdp, rule, "adversarial", "sarsa").policy()) == 0


@pytest.mark.parametrize("algorithm", ["q-learning", "sarsa"])
@pytest.mark.parametrize(("name", "least"), [("chain", 0.9), ("early_end", 0.49)])
def test_learners_under_a_raw_shift_end_where_the_calculation_says(name: str, least: float, algorithm: str) -> None:
    mdp = world(name)
    labels = labels_of("adversarial", mdp)
    policy = trained(mdp, "raw", "adversarial", algorithm).policy()
    assert loss(mdp, policy) > least
    inner = ~mdp.terminal
    np.testing.assert_array_equal(policy[inner], limit_policy(mdp, rule_of("raw"), labels)[inner])


def test_centering_takes_a_constant_opinion_away_and_an_adversarial_one_not() -> None:
    mdp = world("early_end")
    assert loss(mdp, trained(mdp, "raw", "constant", "q-learning").policy()) > 0.4
    assert loss(mdp, trained(mdp, "centered", "constant", "q-learning").policy()) == 0
    assert loss(mdp, trained(mdp, "centered", "adversarial", "q-learning").policy()) > 0.4


@pytest.mark.parametrize("algorithm", ["q-learning", "sarsa"])
@pytest.mark.parametrize("rule", ["raw", "centered", "annealed:linear", *ADVISED])
def test_a_judge_that_says_nothing_changes_no_bit_of_what_is_learnt(rule: str, algorithm: str) -> None:
    mdp = world("river")
    silent = trained(mdp, rule, "none", algorithm)
    plain = trained(mdp, "raw", "none", algorithm, scale=0.0)
    assert silent.q.tobytes() == plain.q.tobytes()
    assert (silent.visits == plain.visits).all()


@pytest.mark.parametrize("algorithm", ["q-learning", "sarsa"])
def test_look_ahead_advice_is_a_plain_learner_that_began_at_the_advice(algorithm: str) -> None:
    mdp = world("cliff")
    labels = labels_of("noisy:0.7", mdp)
    said = judgments(labels)
    config = LearnerConfig(algorithm, epsilon=0.3, epsilon_final=0.3)  # type: ignore[arg-type]
    advised = TabularLearner(mdp, TableShifts(said, rule_of("lookahead")), config, np.random.default_rng(3))
    plain = TabularLearner(mdp, TableShifts(said, rule_of("raw", 0.0)), config, np.random.default_rng(3))
    plain.q[:] = np.where(mdp.terminal[:, None], 0.0, labels)
    advised.learn(3000, 3000)
    plain.learn(3000, 3000)
    np.testing.assert_allclose(advised.q + advised.advice, plain.q, atol=1e-9)
    assert (advised.visits == plain.visits).all()


def test_rules_that_need_the_agent_are_agent_rules() -> None:
    for name in ADVISED:
        assert isinstance(rule_of(name), AgentRule) is (card_of(name).seam is Seam.AGENT)
