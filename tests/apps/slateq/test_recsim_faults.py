"""Each known fault of RecSim, and its cure; the numbers are issues of github.com/google-research/recsim."""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.slateq.config import WorldConfig
from apps.slateq.simulator import recsim_faults
from apps.slateq.simulator.recsim_worlds import make_recsim

ROOT = Path(__file__).resolve().parents[3]

# Prints how many trainable variables the learning, acting and target networks of RecSim's SlateQ agent share, and
# what the target network looks at; TensorFlow 1 graphs need a process of their own.
AGENT = """
import sys
from apps.slateq.simulator import recsim_faults
recsim_faults.prepare_imports()
if sys.argv[1] == "mended":
    recsim_faults.mend_agents()
import json
import tensorflow as tf
from recsim.agents import slate_decomp_q_agent as module
tf1 = tf.compat.v1
tf1.disable_eager_execution()
make = recsim_faults.recsim_maker("interest-evolution")
env = make({"slate_size": 2, "num_candidates": 4, "resample_documents": True, "seed": 0})
with tf1.Graph().as_default():
    session = tf1.Session()
    agent = module.create_agent(
        "slate_topk_sarsa", session, observation_space=env.observation_space, action_space=env.action_space
    )
    variables = tf1.trainable_variables()
    def used(output, inputs):
        return [x is not None for x in tf1.gradients(output, inputs)]
    learns = used(agent._replay_net_outputs.q_values, variables)
    acts = used(agent._net_outputs.q_values, variables)
    target = agent._replay_next_target_net_outputs.q_values
    sees = used(target, [agent._replay.states, agent._replay.next_states])
    slate = agent.begin_episode(env.reset())
    print(json.dumps({
        "learns": sum(learns),
        "acts": sum(acts),
        "both": sum(a and b for a, b in zip(learns, acts)),
        "copied": len(agent._sync_qt_ops),
        "target_sees": sees,
        "slate": len(slate),
    }))
"""


def agent(kind: str) -> tuple[dict[str, Any], str]:
    """The facts that AGENT prints, and what else came out."""
    done = subprocess.run(
        [sys.executable, "-c", AGENT, kind], cwd=ROOT, capture_output=True, text=True, check=True, timeout=240
    )
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts, done.stdout + done.stderr


@pytest.mark.slow
def test_26_the_target_network_sees_the_next_states() -> None:
    assert agent("as it is")[0]["target_sees"] == [True, False]
    assert agent("mended")[0]["target_sees"] == [False, True]


@pytest.mark.slow
def test_11_and_21_the_network_that_acts_is_the_one_that_learns() -> None:
    broken, mended = agent("as it is")[0], agent("mended")[0]
    assert broken["both"] == broken["copied"] == 0 and broken["acts"] == 4 * 6  # a network for each candidate
    assert mended["learns"] == mended["acts"] == mended["both"] == mended["copied"] == 6  # three layers
    assert mended["slate"] == 2


def test_2_8_and_9_recsim_imports() -> None:
    recsim_faults.prepare_imports()
    import recsim.environments
    import tensorflow as tf

    assert tf.estimator.SessionRunHook and recsim.environments.interest_evolution


@pytest.mark.parametrize("is_mnl", [False, True])
def test_scores_do_not_ask_for_the_truth_of_an_empty_array(is_mnl: bool) -> None:
    user, documents = np.array([0.5, -0.25]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores, no_click = recsim_faults.score_documents(user, documents, is_mnl=is_mnl)
    expected = np.array([0.5, -0.25, 0.25, 1.0])
    expected = np.exp(expected) / np.exp(expected).sum() if is_mnl else expected + 1
    np.testing.assert_allclose([*scores, no_click], expected)


def test_proportional_cascades_do_not_ask_for_the_truth_of_an_empty_array() -> None:
    env = make_recsim(WorldConfig(choice_model="proportional-cascade"), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env.reset()
        env.step([0, 1, 2])


def test_negative_scores_are_still_refused() -> None:
    with pytest.raises(AssertionError, match="non-positive"):
        recsim_faults.score_documents(np.array([-2.0]), np.array([[1.0]]))


def test_recsim_changes_observations_that_it_handed_out() -> None:
    env = make_recsim(WorldConfig(), 0)
    observation = env.reset()["user"]
    before = observation.copy()
    for _ in range(20):
        env.step([0, 1, 2])
    assert not np.array_equal(observation, before)  # why the adapter copies


def test_recsims_seed_does_not_reach_its_luck() -> None:
    def rewards(luck: int) -> list[float]:
        env = make_recsim(WorldConfig(), 0)
        with recsim_faults.lent(np.random.RandomState(luck)):
            env.reset()
            return [env.step([0, 1, 2])[1] for _ in range(30)]

    assert rewards(1) == rewards(1) != rewards(2)
