"""What happened, for an agent to learn from: TF-Agents' uniform replay buffer, drawing from a generator of its own.

TF-Agents' buffer draws from TensorFlow's global generator, whose state no checkpoint holds. A row is one user's step;
sequences are one user's steps in a row, across the ends of sessions. Rewards and shifts are kept apart.
"""

import tensorflow as tf
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.typing import types


class SeededReplay(tf_uniform_replay_buffer.TFUniformReplayBuffer):
    """The last `max_length` steps of each of `batch_size` users; `tf.train.Checkpoint` keeps all of it."""

    def __init__(self, data_spec: types.NestedTensorSpec, batch_size: int, max_length: int, seed: int) -> None:
        super().__init__(data_spec, batch_size, max_length)
        self.generator = tf.random.Generator.from_seed(seed, alg="philox")

    def sample(self, size: int, steps: int) -> types.NestedTensor:
        """`size` sequences of `steps` steps [size, steps, ...], uniformly with replacement.

        The buffer must hold at least `steps` steps a user.
        """
        last = self._get_last_id()
        first = tf.maximum(last - self._max_length + 1, tf.constant(0, tf.int64))
        begin = self.generator.uniform([size, 1], first, last - steps + 2, dtype=tf.int64)
        user = self.generator.uniform([size, 1], 0, self._batch_size, dtype=tf.int64)
        rows = tf.math.mod(begin + tf.range(steps, dtype=tf.int64), self._max_length) + user * self._max_length
        return self._data_table.read(rows)
