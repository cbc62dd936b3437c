"""Policies of TF-Agents that serve slates: by item values and an optimiser, and with a share of random slates."""

from typing import NoReturn

import tensorflow as tf
from tf_agents.networks import network
from tf_agents.policies import tf_policy
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from apps.slateq.optimisers import Optimiser


class SlatePolicy(tf_policy.TFPolicy):
    """Serves the slate that the optimiser makes of a network's item values; `PolicySaver` can save it."""

    def __init__(
        self, time_step_spec: ts.TimeStep, action_spec: types.TensorSpec, values: network.Network, optimise: Optimiser
    ) -> None:
        super().__init__(time_step_spec, action_spec, name="SlatePolicy")
        self._values, self._optimise, self._k = values, optimise, action_spec.shape[0]

    def _action(
        self, time_step: ts.TimeStep, policy_state: types.NestedTensor, seed: types.Seed | None
    ) -> policy_step.PolicyStep:
        values, _ = self._values(time_step.observation, time_step.step_type)
        slates = self._optimise(time_step.observation["scores"], values, self._k)
        return policy_step.PolicyStep(tf.cast(slates, self.action_spec.dtype), policy_state)

    def _distribution(self, time_step: ts.TimeStep, policy_state: types.NestedTensor) -> NoReturn:
        raise NotImplementedError("slates are chosen, not drawn; use action")


class ExploringPolicy(tf_policy.TFPolicy):
    """Serves what `inner` would, and with probability `epsilon` a random slate instead.

    Draws from `generator`, which a checkpoint can hold; TF-Agents' own epsilon-greedy policy draws each place of a
    slate by itself, so that it may show one document twice.
    """

    def __init__(self, inner: SlatePolicy, epsilon: tf.Variable, generator: tf.random.Generator) -> None:
        super().__init__(inner.time_step_spec, inner.action_spec, name="ExploringPolicy")
        self._inner, self._epsilon, self._generator = inner, epsilon, generator

    def _action(
        self, time_step: ts.TimeStep, policy_state: types.NestedTensor, seed: types.Seed | None
    ) -> policy_step.PolicyStep:
        chosen = self._inner.action(time_step, policy_state).action
        shape = tf.shape(time_step.observation["topic"])
        k = self.action_spec.shape[0]
        drawn = tf.argsort(self._generator.uniform(shape), axis=-1)[:, :k]
        explores = self._generator.uniform([shape[0], 1]) < self._epsilon
        return policy_step.PolicyStep(tf.where(explores, tf.cast(drawn, chosen.dtype), chosen), policy_state)

    def _distribution(self, time_step: ts.TimeStep, policy_state: types.NestedTensor) -> NoReturn:
        raise NotImplementedError("slates are chosen, not drawn; use action")
