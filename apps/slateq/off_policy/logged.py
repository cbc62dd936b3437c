"""The policy that served a log, as far as the log tells: every ratio is 1."""

import numpy as np

from apps.slateq.logs.schema import Floats, Integers, Slates


class Logged:
    """Probabilities of exactly the slates that `rows` hold; of others nothing is known."""

    def __init__(self, rows: Slates) -> None:
        self.rows = rows

    def prefixes(self, slate: Integers) -> Floats:
        """[B, K]; only the whole slate's where the log has no propensities of places."""
        if self.rows.propensities is None:
            return np.repeat(self.rows.propensity[:, None], slate.shape[1], axis=1)
        each = np.cumprod(self.rows.propensities, axis=1)
        return np.c_[each[:, :-1], self.rows.propensity]

    def items(self, slate: Integers) -> Floats:
        """[B, K]"""
        assert self.rows.marginals is not None
        return self.rows.marginals

    def next_items(self, slate: Integers) -> Floats:
        """Not known: LookupError."""
        raise LookupError("a log does not say what else could have been shown")

    def draw(self, uniform: Floats) -> Integers:
        """[B, K] what was shown."""
        return self.rows.slate
