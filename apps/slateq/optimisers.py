"""Which slate to serve, given what each item is worth: top-k (TS), greedy (GS) and optimal (OS).

After Ie et al. 2019 (arXiv 1905.12767, section 4.3). Each function takes choice scores and values [B, N + 1] (last: no
click), as NumPy arrays or TensorFlow tensors, and gives slates int64 [B, K] of places among the N candidates. All work
on advantages over no click (`apps.slateq.decomposition`), so the paper's policies and the -N ones share them. Equal
items go in the order of the candidates. A slate always holds K items, even where fewer would be worth more.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.slateq.decomposition import Array, advantages, namespace, taken
from lmgt_core.errors import UserError

ROUNDS = 8  # of `optimal`: it converges faster than quadratically, and no slate in the tests needed more than 5
Optimiser = Callable[[Array, Array, int], Array]


def top_k(scores: Array, values: Array, k: int) -> Array:
    """The k items with the highest score * advantage, best first [B, K]."""
    return _first(-scores[..., :-1] * advantages(values), k)


def greedy(scores: Array, values: Array, k: int) -> Array:
    """Item by item the one that makes the slate so far worth most, in the order of choice [B, K]."""
    xp = namespace(scores)
    s, worth = scores[..., :-1], scores[..., :-1] * advantages(values)
    places = xp.arange(s.shape[-1])
    numerator, denominator = xp.zeros_like(s[..., :1]), scores[..., -1:]
    served = xp.zeros_like(s) > 0
    slate = []
    for _ in range(k):
        total = denominator + s
        worth_with = (numerator + worth) / xp.where(total > 0, total, xp.ones_like(total))
        best = xp.argmax(xp.where(served, xp.full_like(s, -np.inf), worth_with), axis=-1)[..., None]
        numerator = numerator + taken(worth, best)
        denominator = denominator + taken(s, best)
        served = served | (places == best)
        slate.append(best)
    return xp.concatenate(slate, axis=-1)


def optimal(scores: Array, values: Array, k: int) -> Array:
    """The k items whose slate is worth most, best first [B, K].

    The best value lambda is where the largest sum over k items of score * (advantage - lambda) equals
    lambda * score of no click. Newton's method finds it (Dinkelbach 1967, "On Nonlinear Fractional Programming"): take
    the best k items for this lambda, take their slate's value as the next. It rises and stops at the optimum, which is
    that of the paper's linear program (`optimal_by_linear_program`) at a thousandth of the time.
    """
    xp = namespace(scores)
    s, gain = scores[..., :-1], advantages(values)

    def improved(slate: Array) -> Array:
        chosen = taken(s, slate)
        total = xp.sum(chosen, axis=-1, keepdims=True) + scores[..., -1:]
        worth = xp.sum(chosen * taken(gain, slate), axis=-1, keepdims=True)
        return _first(-s * (gain - worth / xp.where(total > 0, total, xp.ones_like(total))), k)

    return _settled(improved, top_k(scores, values, k))


def optimal_by_linear_program(scores: NDArray[Any], values: NDArray[Any], k: int) -> NDArray[np.int64]:
    """What `optimal` gives, by the paper's linear program (Charnes and Cooper 1962), for all B users at once [B, K].

    With y = t x, x the items' places in the slate and t = 1 / (sum of scores): maximise sum of s a y, where
    sum of s y + s0 t = 1, sum of y = k t, 0 <= y <= t. Its corners are slates. Needs a positive score of no click.
    """
    from scipy.optimize import linprog
    from scipy.sparse import block_diag

    users, items = scores.shape[0], scores.shape[1] - 1
    s, s0, gain = scores[:, :-1].astype(np.float64), scores[:, -1], advantages(values)
    goals = np.column_stack([-s * gain, np.zeros(users)])  # each user's unknowns are y (one an item) and t
    equal = [np.vstack([np.append(s[b], s0[b]), np.append(np.ones(items), -k)]) for b in range(users)]
    at_most = np.column_stack([np.eye(items), -np.ones(items)])
    found = linprog(
        goals.ravel(),
        A_ub=block_diag([at_most] * users, format="csc"),
        b_ub=np.zeros(users * items),
        A_eq=block_diag(equal, format="csc"),
        b_eq=np.tile([1.0, 0.0], users),
        method="highs",
    )
    if not found.success:
        raise ValueError(f"no slate of {k} of {items} documents: {found.message}")
    return np.asarray(_first(-found.x.reshape(users, items + 1)[:, :-1], k))


OPTIMISERS: Mapping[str, Optimiser] = {"top-k": top_k, "greedy": greedy, "optimal": optimal}
LETTERS: Mapping[str, str] = {"T": "top-k", "G": "greedy", "O": "optimal"}  # in the paper's names: TS, GS, OS; TT, ...


def optimiser(name: str) -> Optimiser:
    """The optimiser called `name`; UserError with the names there are."""
    if name not in OPTIMISERS:
        raise UserError(f"{name}: no such slate optimiser; choose one of {', '.join(OPTIMISERS)}")
    return OPTIMISERS[name]


def _settled(improved: Callable[[Array], Array], slate: Array) -> Array:
    """What `improved` makes of `slate` [B, K] when it is repeated until nothing changes, ROUNDS times at most."""
    if isinstance(slate, np.ndarray):
        for _ in range(ROUNDS):
            before, slate = slate, improved(slate)
            if (slate == before).all():
                break
        return slate
    import tensorflow as tf

    def step(slate: Array, changes: Array) -> tuple[Array, Array]:
        better = improved(slate)
        return better, tf.reduce_any(better != slate)

    return tf.while_loop(lambda _, changes: changes, step, (slate, tf.constant(True)), maximum_iterations=ROUNDS)[0]


def _first(keys: Array, k: int) -> Array:
    """The places of the k smallest keys, smallest first, equal ones in their order [B, K]."""
    if isinstance(keys, np.ndarray):
        return np.argsort(keys, axis=-1, kind="stable")[..., :k]
    import tensorflow as tf

    return tf.cast(tf.math.top_k(-keys, k).indices, tf.int64)
