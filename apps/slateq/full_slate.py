"""Full-slate Q-learning: every slate is an action of TF-Agents' DQN, and nothing is known of how users choose.

The baseline of Ie et al. 2019 (arXiv 1905.12767, section 6). The order in a slate does not count, so that 10 candidates
and slates of 3 make 120 actions, and not 720.
"""

from itertools import combinations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tf_agents.agents import tf_agent
from tf_agents.agents.dqn import dqn_agent
from tf_agents.networks import network
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory
from tf_agents.typing import types

from apps.slateq.agent import Learning, add_weighted
from apps.slateq.serving import ExploringPolicy, SlatePolicy
from lmgt_core.errors import UserError

MOST = 5000  # slates


def all_slates(candidates: int, k: int) -> NDArray[np.int64]:
    """Every slate, its places rising [slate, K]; UserError when there are more than MOST."""
    slates = list(combinations(range(candidates), k)) if _count(candidates, k) <= MOST else []
    if not slates:
        raise UserError(
            f"full-slate: {candidates} candidates make {_count(candidates, k):,} slates of {k}, and it learns each by "
            f"itself, up to {MOST:,}; give fewer --candidates or another --algorithm"
        )
    return np.array(slates, dtype=np.int64)


def _count(candidates: int, k: int) -> int:
    from math import comb

    return comb(candidates, k)


class FullSlateNetwork(network.Network):
    """Q(s, A) [B, slate] by layers on the user and all documents."""

    def __init__(
        self,
        input_tensor_spec: types.NestedTensorSpec,
        slates: int,
        hidden: tuple[int, ...] = (128, 128),
        value_scale: float = 1.0,
        seed: int = 0,
        name: str = "FullSlateNetwork",
    ) -> None:
        super().__init__(input_tensor_spec, state_spec=(), name=name)
        self.value_scale = value_scale
        sizes = [*((size, "relu") for size in hidden), (slates, None)]
        self.layers_ = [
            tf.keras.layers.Dense(
                size, activation, kernel_initializer=tf.keras.initializers.GlorotUniform(seed=1000 * seed + number)
            )
            for number, (size, activation) in enumerate(sizes)
        ]

    def call(
        self,
        observation: types.NestedTensor,
        step_type: types.Tensor | None = None,
        network_state: types.NestedTensor = (),
        training: bool = False,
    ) -> tuple[tf.Tensor, types.NestedTensor]:
        """(values [B, slate], ())."""
        documents = observation["documents"]
        flat = tf.reshape(documents, [-1, documents.shape[-2] * documents.shape[-1]])
        layer = tf.concat([observation["user"], flat], axis=-1)
        for dense in self.layers_:
            layer = dense(layer)
        return layer * self.value_scale, network_state


class FullSlateAgent(tf.Module):
    """TF-Agents' DQN behind the interface of `SlateQAgent`: its experience holds slates, judged and served alike."""

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: types.TensorSpec,
        values: FullSlateNetwork,
        slates: NDArray[np.int64],
        learning: Learning,
        seed: int = 0,
    ) -> None:
        super().__init__(name="FullSlateAgent")
        self.learning, self._candidates = learning, int(action_spec.maximum) + 1
        self._slates = tf.constant(slates)
        self._index = tf.constant(_index_of_codes(slates, self._candidates))
        self._agent = dqn_agent.DqnAgent(
            time_step_spec,
            tensor_spec.BoundedTensorSpec([], tf.int64, 0, len(slates) - 1),
            values,
            tf.keras.optimizers.Adam(learning.learning_rate),
            n_step_update=learning.steps,
            target_update_tau=learning.target_rate,
            td_errors_loss_fn=lambda targets, values: 0.5 * ((targets - values) / learning.loss_scale) ** 2,
            gamma=learning.gamma,
            gradient_clipping=learning.gradient_norm,
            train_step_counter=tf.Variable(0, dtype=tf.int64, trainable=False, name="train_step"),
        )
        self.epsilon = tf.Variable(1.0, trainable=False, name="epsilon")
        self.generator = tf.random.Generator.from_seed(seed, alg="philox")
        self.policy = SlatePolicy(time_step_spec, action_spec, values, self._best)
        self.collect_policy = ExploringPolicy(self.policy, self.epsilon, self.generator)

    def initialize(self) -> None:
        """Makes the target network equal to the online one."""
        self._agent.initialize()

    def train(self, experience: trajectory.Trajectory, shift_weight: types.Float = 1.0) -> tf_agent.LossInfo:
        """One gradient step on a batch of sequences [B, steps + 1, ...]. A session that was cut off counts as ended."""
        rewards = add_weighted(experience.reward, experience.policy_info["shift"], shift_weight)
        over = experience.next_step_type == ts.StepType.LAST
        return self._agent.train(
            experience._replace(
                action=self.index(experience.action),
                reward=rewards,
                discount=tf.where(over, tf.zeros_like(rewards), experience.discount),
                policy_info=(),
            )
        )

    def index(self, slates: tf.Tensor) -> tf.Tensor:
        """[...] the numbers of the slates [..., K], whatever their order."""
        code = tf.zeros_like(slates[..., 0])
        for place in tf.unstack(tf.sort(slates, axis=-1), axis=-1):
            code = code * self._candidates + place
        return tf.gather(self._index, code)

    def _best(self, scores: tf.Tensor, values: tf.Tensor, k: int) -> tf.Tensor:
        return tf.gather(self._slates, tf.argmax(values, axis=-1))


def _index_of_codes(slates: NDArray[np.int64], candidates: int) -> NDArray[np.int64]:
    """[candidates ** K] the number of the slate whose places, rising, are the digits of the position; else 0."""
    k = slates.shape[1]
    index = np.zeros(candidates**k, dtype=np.int64)
    index[slates @ candidates ** np.arange(k - 1, -1, -1)] = np.arange(len(slates))
    return index
