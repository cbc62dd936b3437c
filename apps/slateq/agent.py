"""SlateQ as a TF-Agents agent: item values by temporal differences, slates by the choice model.

Ie et al. 2019 (arXiv 1905.12767), sections 4.1 to 4.3. What a trajectory holds beside TF-Agents' fields is in
`policy_info`: `clicked`, the clicked document's place among the candidates (N for no click), and `shift`, the judge's
delta, kept apart from the reward and added to it when a batch is learned from.

As in TF-Agents, a step's `discount` is 1, and 0 where the session terminated. A step whose `next_step_type` is LAST
with a discount of 1 was cut off (truncated): what follows it is another user's, so nothing is learned across it.
Sequences run on into the next user's session, which a discount of 0 keeps out of the target.
"""

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.networks import network
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory
from tf_agents.typing import types
from tf_agents.utils import common, eager_utils

from apps.slateq.optimisers import Optimiser
from apps.slateq.serving import ExploringPolicy, SlatePolicy
from apps.slateq.targets import n_step, q_value, sarsa_value, td_target


@dataclass(frozen=True)
class Learning:
    """How an agent learns; rates are per update."""

    target: Literal["sarsa", "q"] = "q"
    gamma: float = 0.99
    steps: int = 1
    """Of multi-step targets; rewards in between are those of what was really served."""
    double: bool = False
    """Choose the next slate by the online network (van Hasselt et al. 2016)."""
    learning_rate: float = 1e-3
    target_rate: float = 0.01
    """Polyak averaging of the target network."""
    gradient_norm: float = 10.0
    loss_scale: float = 1.0
    """Errors are divided by this before they are squared."""


class SlateQAgent(tf_agent.TFAgent):
    """Learns Q(s, x) of items; `policy` serves the best slates, `collect_policy` explores with `epsilon`."""

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: types.TensorSpec,
        values: network.Network,
        learning: Learning,
        serve: Optimiser,
        target: Optimiser,
        seed: int = 0,
    ) -> None:
        tf.Module.__init__(self, name="SlateQAgent")
        self.learning = learning
        self._target_optimiser, self._k = target, action_spec.shape[0]
        self._values = values
        self._target_values = values.copy(name="TargetNetwork")
        values.create_variables()
        self._target_values.create_variables()
        self._optimizer = tf.keras.optimizers.Adam(learning.learning_rate)
        self.epsilon = tf.Variable(1.0, trainable=False, name="epsilon")
        self.generator = tf.random.Generator.from_seed(seed, alg="philox")
        policy = SlatePolicy(time_step_spec, action_spec, values, serve)
        super().__init__(
            time_step_spec,
            action_spec,
            policy,
            ExploringPolicy(policy, self.epsilon, self.generator),
            train_sequence_length=learning.steps + 1,
            training_data_spec=experience_spec(time_step_spec, action_spec),
            train_step_counter=tf.Variable(0, dtype=tf.int64, trainable=False, name="train_step"),
        )

    def _initialize(self) -> None:
        common.soft_variables_update(self._values.variables, self._target_values.variables, tau=1.0)

    def _train(
        self,
        experience: trajectory.Trajectory,
        weights: types.Tensor | None = None,
        shift_weight: types.Float = 1.0,
    ) -> tf_agent.LossInfo:
        """One gradient step on a batch of sequences [B, steps + 1, ...]; learns from reward + shift_weight * shift."""
        with tf.GradientTape() as tape:
            found = self._loss(experience, weights, training=True, shift_weight=shift_weight)
        variables = self._values.trainable_variables
        gradients = list(zip(tape.gradient(found.loss, variables), variables, strict=True))
        self._optimizer.apply_gradients(eager_utils.clip_gradient_norms(gradients, self.learning.gradient_norm))
        self.train_step_counter.assign_add(1)
        common.soft_variables_update(
            self._values.variables, self._target_values.variables, tau=self.learning.target_rate
        )
        return found

    def _loss(
        self,
        experience: trajectory.Trajectory,
        weights: types.Tensor | None = None,
        training: bool = False,
        shift_weight: types.Float = 1.0,
    ) -> tf_agent.LossInfo:
        """Half the mean squared error over the steps that can be learned from; `extra` holds errors and mask [B]."""
        observation = tf.nest.map_structure(lambda part: part[:, 0], experience.observation)
        item = experience.policy_info["clicked"][:, 0]
        targets = tf.stop_gradient(self.targets(experience, shift_weight))
        errors = (self._values.value_of(observation, item) - targets) / self.learning.loss_scale
        mask = self.learnable(experience)
        weight = mask if weights is None else mask * weights
        loss = tf.reduce_sum(weight * 0.5 * errors**2) / tf.maximum(tf.reduce_sum(mask), 1.0)
        return tf_agent.LossInfo(loss, {"errors": errors, "mask": mask})

    def targets(self, experience: trajectory.Trajectory, shift_weight: types.Float = 1.0) -> tf.Tensor:
        """[B] the targets of the clicked items' values, from rewards + shift_weight * shifts."""
        n = self.learning.steps
        rewards = add_weighted(experience.reward[:, :n], experience.policy_info["shift"][:, :n], shift_weight)
        total, discount = n_step(rewards, self.learning.gamma * experience.discount[:, :n])
        next_observation = tf.nest.map_structure(lambda part: part[:, n], experience.observation)
        values, _ = self._target_values(next_observation)
        scores = next_observation["scores"]
        if self.learning.target == "sarsa":
            return td_target(total, discount, sarsa_value(scores, values, experience.action[:, n]))
        choose_by = self._values(next_observation)[0] if self.learning.double else None
        return td_target(total, discount, q_value(scores, values, self._target_optimiser, self._k, choose_by))

    def learnable(self, experience: trajectory.Trajectory) -> tf.Tensor:
        """[B] 1 where there is something to learn: an item whose value is learned, and no cut before the target."""
        n = self.learning.steps
        last = experience.next_step_type[:, :n] == ts.StepType.LAST
        cut = last & (experience.discount[:, :n] > 0)
        ended = (
            tf.cumsum(tf.cast(last & ~cut, tf.int32), axis=1, exclusive=True) > 0
        )  # a cut after the end is another's
        learnable = ~tf.reduce_any(cut & ~ended, axis=1)
        if not self._values.valued_no_click:
            learnable &= experience.policy_info["clicked"][:, 0] < experience.observation["topic"].shape[-1]
        return tf.cast(learnable, tf.float32)


def add_weighted(rewards: tf.Tensor, shifts: tf.Tensor, weight: types.Float) -> tf.Tensor:
    """reward + weight * shift in float32, of tensors; the reward itself where the shift is 0.

    Equals `lmgt_core.guidance.reward.shifted_reward`, which cannot be used here since this sum is part of the graph; a
    test compares them bit for bit (tests/apps/slateq/test_agent.py).
    """
    return tf.where(shifts == 0, rewards, rewards + weight * shifts)


def experience_spec(time_step_spec: ts.TimeStep, action_spec: types.TensorSpec) -> trajectory.Trajectory:
    """One step of one user, as the replay keeps it."""
    scalar = tensor_spec.TensorSpec([], tf.float32)
    kind = tensor_spec.TensorSpec([], tf.int32)
    return trajectory.Trajectory(
        step_type=kind,
        observation=time_step_spec.observation,
        action=action_spec,
        policy_info={"clicked": tensor_spec.TensorSpec([], tf.int64), "shift": scalar},
        next_step_type=kind,
        reward=scalar,
        discount=scalar,
    )
