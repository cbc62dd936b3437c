"""Item values Q(s, x) as TF-Agents networks: a network on user and item, and a table.

Both read an observation of `user` [B, U], `history` [B, H], `documents` [B, N, D], `topic` [B, N] and `scores`
[B, N + 1], and give values [B, N + 1], the last that of no click. With `valued_no_click` off that is exactly 0, as in
the paper.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf
from tf_agents.networks import network
from tf_agents.typing import types

Observation = Mapping[str, tf.Tensor]
Values = tuple[tf.Tensor, types.NestedTensor]


class ItemNetwork(network.Network):
    """Q(s, x) by layers on what is known of the user and of one item; no click is an item of zeros with a mark.

    `history` off hides the session so far. With `dueling`, Q(s, x) = V(s) + A(s, x) - A(s, no click): what all items
    share is not learned item by item. Values are multiplied by `value_scale`, so that the layers work near 1.
    """

    def __init__(
        self,
        input_tensor_spec: types.NestedTensorSpec,
        hidden: Sequence[int] = (128, 128),
        valued_no_click: bool = False,
        history: bool = False,
        dueling: bool = False,
        value_scale: float = 1.0,
        seed: int = 0,
        name: str = "ItemNetwork",
    ) -> None:
        super().__init__(input_tensor_spec, state_spec=(), name=name)
        self.valued_no_click, self.history, self.dueling = valued_no_click, history, dueling
        self.value_scale = value_scale
        # Two parts of one layer on (state, item), so that the state's part is computed once for all items.
        self.state_layer, self.item_layer = _dense(hidden[0], seed, 0), _dense(hidden[0], seed, 1, use_bias=False)
        self.item_layer.build([None, input_tensor_spec["documents"].shape[-1] + 1])  # `call` reads its kernel
        self.deeper = [_dense(size, seed, 2 + i, activation="relu") for i, size in enumerate(hidden[1:])]
        self.head = _dense(1, seed, 20)
        self.shared = [_dense(hidden[0], seed, 21, activation="relu"), _dense(1, seed, 22)] if dueling else []

    def call(
        self,
        observation: Observation,
        step_type: types.Tensor | None = None,
        network_state: types.NestedTensor = (),
        training: bool = False,
    ) -> Values:
        """(values [B, N + 1], ())."""
        documents = observation["documents"]
        if self.valued_no_click or self.dueling:
            values = self._values(observation, self.item_layer(_marked(documents)))
            return values if self.valued_no_click else _unvalued(values), network_state
        # Nothing asks for the value of no click, and documents have no mark: its weights are left out.
        rows = tf.reshape(documents, [-1, documents.shape[-1]])
        items = tf.matmul(rows, self.item_layer.kernel[:-1])
        values = self._values(observation, tf.reshape(items, [-1, documents.shape[-2], items.shape[-1]]))
        return tf.concat([values, tf.zeros_like(values[..., :1])], axis=-1), network_state

    def value_of(self, observation: Observation, item: tf.Tensor) -> tf.Tensor:
        """[B] the value of one item each, by its place [B] among the candidates, N for no click.

        The same as picking it from `call`, for a fraction of the work.
        """
        none = observation["documents"].shape[1]
        needed = [item, tf.fill(tf.shape(item), tf.cast(none, item.dtype))] if self.dueling else [item]
        items = _marked_at(observation["documents"], tf.stack(needed, 1))
        values = self._values(observation, self.item_layer(items))[:, 0]
        return values if self.valued_no_click else tf.where(item < none, values, tf.zeros_like(values))

    def _values(self, observation: Observation, items: tf.Tensor) -> tf.Tensor:
        """[B, M] the values of `items` [B, M, H] behind their layer; for dueling values the last has to be no click."""
        history = observation["history"]
        state = tf.concat([observation["user"], history if self.history else tf.zeros_like(history)], axis=-1)
        layer = tf.nn.relu(self.state_layer(state)[..., None, :] + items)
        rows = tf.reshape(layer, [-1, layer.shape[-1]])  # of matrices, TensorFlow joins product, bias and relu
        for deeper in self.deeper:
            rows = deeper(rows)
        values = tf.reshape(self.head(rows), tf.shape(items)[:-1])
        if self.dueling:
            for deeper in self.shared:
                state = deeper(state)
            values = values - values[..., -1:] + state
        return self.value_scale * values


class TableNetwork(network.Network):
    """Q(s, x) from a table: the item's topic, and how well it fits the user in `bins` steps of s(x) / (s(x) + s(none)).

    The smallest state that says anything about an item; what else is known of the user, and the session, is ignored.
    """

    def __init__(
        self,
        input_tensor_spec: types.NestedTensorSpec,
        topics: int,
        bins: int = 10,
        valued_no_click: bool = False,
        value_scale: float = 1.0,
        name: str = "TableNetwork",
    ) -> None:
        super().__init__(input_tensor_spec, state_spec=(), name=name)
        self.topics, self.bins = topics, bins
        self.valued_no_click, self.value_scale = valued_no_click, value_scale
        self.table = tf.Variable(tf.zeros([topics * bins + 1]), name="table")

    def call(
        self,
        observation: Observation,
        step_type: types.Tensor | None = None,
        network_state: types.NestedTensor = (),
        training: bool = False,
    ) -> Values:
        """(values [B, N + 1], ())."""
        scores, topic = observation["scores"], tf.cast(observation["topic"], tf.int32)
        total = scores[..., :-1] + scores[..., -1:]
        fit = scores[..., :-1] / tf.where(total > 0, total, tf.ones_like(total))
        cell = topic * self.bins + tf.clip_by_value(tf.cast(fit * self.bins, tf.int32), 0, self.bins - 1)
        none = tf.fill(tf.shape(cell[..., :1]), self.topics * self.bins)
        values = tf.gather(self.table, tf.concat([cell, none], axis=-1))
        return self.value_scale * (values if self.valued_no_click else _unvalued(values)), network_state

    def value_of(self, observation: Observation, item: tf.Tensor) -> tf.Tensor:
        """[B] the value of one item each, by its place [B] among the candidates, N for no click."""
        return tf.gather(self.call(observation)[0], item, batch_dims=1)


def _marked(documents: tf.Tensor) -> tf.Tensor:
    """Items [B, N + 1, D + 1]: the documents, then no click; the last column marks it."""
    marks = tf.zeros_like(documents[..., :1])
    none = tf.concat([tf.zeros_like(documents[..., :1, :]), tf.ones_like(marks[..., :1, :])], axis=-1)
    return tf.concat([tf.concat([documents, marks], axis=-1), none], axis=-2)


def _marked_at(documents: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """The items [B, M, D + 1] of `_marked` at `places` [B, M], for a fraction of the work where these are few."""
    none = documents.shape[1]
    mark = tf.cast(places == none, documents.dtype)[..., None]
    chosen = tf.gather(documents, tf.minimum(places, tf.cast(none - 1, places.dtype)), batch_dims=1)
    return tf.concat([tf.where(mark > 0, tf.zeros_like(chosen), chosen), mark], axis=-1)


def _unvalued(values: tf.Tensor) -> tf.Tensor:
    return tf.concat([values[..., :-1], tf.zeros_like(values[..., -1:])], axis=-1)


def _dense(
    units: int, seed: int, number: int, activation: str | None = None, use_bias: bool = True
) -> tf.keras.layers.Dense:
    start = tf.keras.initializers.GlorotUniform(seed=1000 * seed + number)
    return tf.keras.layers.Dense(units, activation=activation, use_bias=use_bias, kernel_initializer=start)
