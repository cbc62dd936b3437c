"""What keeps RecSim (package recsim 0.2.4, 2020) from running, or from running right, mended in one place.

The package's files stay as they are. Numbers are issues of github.com/google-research/recsim; tests/apps/slateq/
test_recsim_faults.py shows each fault and its cure.

- 2, 8, 9 and what came after them: it does not import. gin's TensorFlow module needs `tf.estimator`, gone from
  TensorFlow, and TF-1 style code needs the older Keras. (dopamine-rl, which 2, 8 and 9 are about, is a pinned
  requirement of this project.)
- 26: the target networks of the SlateQ and full-slate agents see the states where the next states are meant.
- 11, 21 (reported as "behaves like random" and "the same slate after every iteration"): the agents' networks are Keras
  layers, which know nothing of the variable scope they are built in. So every use is a network with weights of its
  own: the one that acts is never trained, and the copy from online to target network copies nothing.
- no number: the SlateQ agent prints "cp 1" and its Q-values at every step.
- no number: two assertions take the truth value of an empty array, which NumPy deprecated in 1.x and refuses in 2.2.
- no number: the interest evolution world hands out its user's interests and then changes them in place, so a kept
  observation changes with the user's next click (`RecSimSimulator` copies).
- no number: choices and drifts come from NumPy's global generator, which no seed of the world reaches
  (`RecSimSimulator` lends it one of its own).
- no number: the long-term satisfaction world made by `create_environment` ignores the seed it is given
  (recsim_worlds.py builds it from the same classes).
"""

import os
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def prepare_imports() -> None:
    """Makes `import recsim` possible; before anything imports TensorFlow, or the older Keras is not found."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    if not hasattr(tf, "estimator"):
        tf.estimator = types.SimpleNamespace(SessionRunHook=tf.compat.v1.train.SessionRunHook)


def mend_assertions() -> None:
    """Replaces the two functions whose assertions fail on newer NumPy by ones that ask for what was meant."""
    prepare_imports()
    from recsim import choice_model
    from recsim.agents import slate_decomp_q_agent

    slate_decomp_q_agent.score_documents = score_documents
    choice_model.ProportionalCascadeChoiceModel.score_documents = _score_cascade


def score_documents(
    user_obs: Any, doc_obs: Any, no_click_mass: float = 1.0, is_mnl: bool = False, min_normalizer: float = -1.0
) -> tuple[Any, Any]:
    """RecSim's function of this name: the scores of documents [N] and that of no click, before normalisation."""
    affinity = [np.dot(user_obs, document) for document in doc_obs]
    scores = np.array([*affinity, no_click_mass])
    if is_mnl:
        from recsim import choice_model

        scores = choice_model.softmax(scores)
    else:
        scores = scores - min_normalizer
    if (scores < 0).any():
        raise AssertionError("Normalized scores have non-positive elements.")
    return scores[:-1], scores[-1]


def _score_cascade(model: Any, user_state: Any, doc_obs: Any) -> None:
    """ProportionalCascadeChoiceModel.score_documents."""
    scores = model._score_documents_helper(user_state, doc_obs) - model._min_normalizer
    if (scores < 0).any():
        raise AssertionError("Normalized scores have non-positive elements.")
    model._positional_normalization(scores)


def mend_agents() -> None:
    """Mends RecSim's SlateQ and full-slate agents (issues 11, 21, 26, the prints) before `create_agent` makes one.

    They build TensorFlow-1 graphs and need eager execution off, so use them in a process of their own.
    """
    mend_assertions()
    from recsim.agents import full_slate_q_agent, slate_decomp_q_agent
    from recsim.agents.dopamine import dqn_agent

    dqn_agent.recsim_dqn_network = shared_network
    slate_decomp_q_agent.tf = _without_print(slate_decomp_q_agent.tf)
    for agent in (slate_decomp_q_agent.SlateDecompQAgent, full_slate_q_agent.FullSlateQAgent):
        if not hasattr(agent, "unmended_build_networks"):
            agent.unmended_build_networks = agent._build_networks
            agent._build_networks = _build_networks


def shared_network(user: Any, doc: Any, scope: str) -> Any:
    """RecSim's network 256-32-1, user and document(s) [B, _] -> Q [B, 1], with one set of weights for each `scope`."""
    import tensorflow as tf

    dense, relu = tf.compat.v1.layers.dense, tf.nn.relu
    with tf.compat.v1.variable_scope(scope, reuse=tf.compat.v1.AUTO_REUSE):
        hidden = dense(tf.concat([user, doc], axis=1), 256, activation=relu, name="hidden_1")
        hidden = dense(hidden, 32, activation=relu, name="hidden_2")
        return dense(hidden, 1, name="output")


def _build_networks(agent: Any) -> None:
    """The agent's own networks, but that of the target looks at the next states (issue 26)."""
    adapter, replay = agent._network_adapter, agent._replay

    def corrected(states: Any, scope: str) -> Any:
        return adapter(replay.next_states if scope == "Target" else states, scope)

    agent._network_adapter = corrected
    agent.unmended_build_networks()
    agent._network_adapter = adapter


class _without_print:
    """TensorFlow as a module sees it, with a `Print` that passes its tensor on in silence."""

    def __init__(self, tf: Any) -> None:
        self._tf = getattr(tf, "_tf", tf)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tf, name)

    @staticmethod
    def Print(tensor: Any, *_: Any, **__: Any) -> Any:
        """The tensor."""
        return tensor


class _OwnLuck:
    """NumPy as RecSim's worlds see it; `random` is the generator that is lent to them."""

    def __init__(self) -> None:
        self.random: Any = np.random

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


NUMPY = _OwnLuck()


def mend_luck() -> None:
    """Lets RecSim's worlds draw from what `lent` gives them."""
    prepare_imports()
    from recsim import choice_model
    from recsim.environments import interest_evolution, long_term_satisfaction

    for module in (choice_model, interest_evolution, long_term_satisfaction):
        module.np = NUMPY


@contextmanager
def lent(luck: np.random.RandomState) -> Iterator[None]:
    """After `mend_luck`, RecSim's worlds draw from `luck`, and NumPy's global generator is left alone."""
    NUMPY.random = luck
    try:
        yield
    finally:
        NUMPY.random = np.random


Maker = Callable[[dict[str, Any]], Any]


def recsim_maker(environment: str) -> Maker:
    """RecSim's own `create_environment` of interest-evolution, interest-exploration or long-term-satisfaction."""
    prepare_imports()
    from recsim.environments import interest_evolution, interest_exploration, long_term_satisfaction

    makers: dict[str, Maker] = {
        "interest-evolution": interest_evolution.create_environment,
        "interest-exploration": interest_exploration.create_environment,
        "long-term-satisfaction": long_term_satisfaction.create_environment,
    }
    return makers[environment]
