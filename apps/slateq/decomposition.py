"""Slate values from item values and the user's choice (SlateQ, Ie et al. 2019, arXiv 1905.12767, section 4).

    Q(s, A) = sum over x in A of P(x | s, A) Q(s, x) + P(none | s, A) Q(s, none),   P(x | s, A) = s(x) / (sum of s)

The paper leaves out the last term, which is the same as Q(s, none) = 0: a user who chooses nothing would be worth
nothing, though the session goes on. The policies called ...-N learn that value; everything here takes either.

Every function takes NumPy arrays or TensorFlow tensors and gives back what it was given. Arrays of items have N + 1
columns, the last of which is the choice of nothing.
"""

from types import ModuleType
from typing import Any

import numpy as np

Array = Any  # a NumPy array or a TensorFlow tensor


def namespace(array: Array) -> ModuleType:
    """The module whose functions work on `array`: NumPy, or TensorFlow's NumPy."""
    if isinstance(array, np.ndarray | np.generic):
        return np
    import tensorflow.experimental.numpy as tensorflow_numpy

    return tensorflow_numpy


def taken(items: Array, places: Array) -> Array:
    """[B, M] the columns of `items` [B, N] at `places` [B, M]."""
    if isinstance(items, np.ndarray | np.generic):
        return np.take_along_axis(items, places, axis=-1)
    import tensorflow as tf

    return tf.gather(items, places, batch_dims=1)  # a tenth of the operations of TensorFlow's take_along_axis


def with_no_click(items: Array, slates: Array) -> Array:
    """[B, K + 1] the columns of `items` [B, N + 1] at `slates` [B, K], and the last one."""
    xp = namespace(items)
    chosen = taken(items, slates)
    return xp.concatenate([chosen, items[..., -1:]], axis=-1)


def choice_probabilities(scores: Array, slates: Array) -> Array:
    """P [B, K + 1] of choosing each place of `slates` [B, K], last that of nothing, from `scores` [B, N + 1].

    The conditional choice model of the paper (multinomial proportional or logit: `scores` are its numerators). Cascade
    users do not choose like this; the paper's agents, and ours, assume that they do. All 0 where all scores are 0.
    """
    xp = namespace(scores)
    chosen = with_no_click(scores, slates)
    total = xp.sum(chosen, axis=-1, keepdims=True)
    return chosen / xp.where(total > 0, total, xp.ones_like(total))


def slate_value(scores: Array, values: Array, slates: Array) -> Array:
    """Q(s, A) [B] of `slates` [B, K]; `scores` and `values` [B, N + 1], `values[:, -1]` being 0 in the paper."""
    xp = namespace(values)
    return xp.sum(choice_probabilities(scores, slates) * with_no_click(values, slates), axis=-1)


def advantages(values: Array) -> Array:
    """[B, N] how much better each item is than no click; the item's value itself where that of no click is 0.

    Maximising a slate's value is maximising the same slate's value of these: P sums to 1, so a constant taken from all
    values, no click among them, is taken from every slate's.
    """
    return values[..., :-1] - values[..., -1:]
