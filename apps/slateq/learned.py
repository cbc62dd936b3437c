"""A learned policy as the evaluation plays it: from an agent in training, or from what `PolicySaver` saved."""

import os
import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.policies import policy_saver, tf_policy
from tf_agents.trajectories import time_step as ts

from apps.slateq.features import Features
from apps.slateq.simulator.protocol import Floats, Integers
from lmgt_core.errors import UserError


def time_step(features: Features) -> ts.TimeStep:
    """`features` as TF-Agents hands it to a policy; step types and rewards are not looked at."""
    step_type, reward, discount = _unread(len(features))
    observation = {name: tf.constant(part) for name, part in features.as_dict().items()}
    return ts.TimeStep(step_type, reward, discount, observation)


@lru_cache(maxsize=64)
def _unread(users: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What a policy does not look at, [B] each: made once, since making it costs as much as half of a slate."""
    return tf.fill([users], tf.constant(ts.StepType.MID)), tf.zeros([users]), tf.ones([users])


def padded(features: Features) -> Features:
    """`features` with its first user repeated until their number is a power of two.

    TensorFlow prepares its products anew for every number of rows that it meets, at many times the cost of a product,
    and the number of users whose session is not over is another at nearly every step.
    """
    users = len(features)
    rows = np.zeros(1 << (users - 1).bit_length(), dtype=np.int64)
    rows[:users] = np.arange(users)
    return features.of(rows)


class Served:
    """A `baselines.Policy` around a TF-Agents policy's action."""

    def __init__(self, action: Callable[[ts.TimeStep], Any]) -> None:
        self._action = action

    @classmethod
    def of(cls, policy: tf_policy.TFPolicy) -> "Served":
        """The policy of an agent, compiled for any number of users."""
        signature = tf.nest.map_structure(
            lambda spec: tf.TensorSpec([None, *spec.shape], spec.dtype), policy.time_step_spec
        )
        return cls(tf.function(policy.action, input_signature=[signature]))

    @classmethod
    def load(cls, folder: Path) -> "Served":
        """The policy that was saved in `folder`; UserError when there is none."""
        if not (folder / "saved_model.pb").exists():
            raise UserError(f"{folder}: holds no policy; let the run finish with train --resume")
        saved = tf.saved_model.load(str(folder))
        return cls(lambda step: saved.action(step))

    def serve(self, features: Features) -> Integers:
        """Slates [B, K]."""
        return np.asarray(self._action(time_step(padded(features))).action.numpy())[: len(features)]

    def learn(self, topics: Integers, clicked: Integers, reward: Floats) -> None:
        """Nothing: it was trained before."""


def save_policy(policy: tf_policy.TFPolicy, folder: Path) -> None:
    """Writes `policy` as a SavedModel to `folder`, in place of what was there; a kill leaves no half of it."""
    half = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(half, ignore_errors=True)
    policy_saver.PolicySaver(policy, batch_size=None).save(str(half))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(half, folder)
