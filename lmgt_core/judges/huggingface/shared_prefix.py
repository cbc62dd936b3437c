"""Questions that begin alike are read once: scoring many rows over one cached prefix.

Questions are sorted by their tokens, so that neighbours share as much as possible; what all rows of a batch share is
read once and kept, and the next batch takes over what it shares with it. So a template's constant part costs its
tokens once in a run, whether questions come in hundreds or one by one.
"""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

State = TypeVar("State")
Tokens = Sequence[int]
ROWS = 32  # questions a batch
TOKENS = 4096  # tokens a batch, beyond the prefix: bounds its memory
WORTH_READING = 32  # tokens saved over all rows; a pass of its own costs about what so many tokens cost in a batch


class TokenModel(Protocol[State]):
    """A causal language model over tokens, whose `State` is what it has read so far (one row)."""

    def extend(self, state: State | None, tokens: Tokens) -> State:
        """The state after reading `tokens` as well; it may consume the one given."""
        ...

    def crop(self, state: State, length: int) -> State:
        """The state after the first `length` tokens, at least one; it may consume the one given."""
        ...

    def continuations(
        self, state: State | None, rows: Sequence[Tokens], labels: Sequence[Tokens]
    ) -> NDArray[np.float64]:
        """Log-probabilities [row, label] of each label's tokens after the state and the row; rows are not empty."""
        ...


def common_prefix(rows: Sequence[Tokens]) -> int:
    """How many tokens all of `rows` begin with alike."""
    first, last = min(map(list, rows)), max(map(list, rows))  # in the order of tokens, these two differ the soonest
    for i, (a, b) in enumerate(zip(first, last, strict=False)):
        if a != b:
            return i
    return min(len(first), len(last))


class PrefixScorer(Generic[State]):
    """Scores labels after questions, remembering the prefix that it read last; whole ones where `shares` is False."""

    def __init__(self, model: TokenModel[State], rows: int = ROWS, tokens: int = TOKENS, shares: bool = True) -> None:
        self.model, self.shares = model, shares
        self.rows = rows
        self.tokens = tokens
        self._read: list[int] = []
        self._state: State | None = None

    def score(self, questions: Sequence[Tokens], labels: Sequence[Tokens]) -> NDArray[np.float64]:
        """Log-probabilities [question, label]; the order of `questions` changes nothing but rounding."""
        scores = np.zeros((len(questions), len(labels)))
        for rows in self._batches(questions):
            state, rest = self.share([questions[i] for i in rows])
            scores[rows] = self.model.continuations(state, rest, labels)
        return scores

    def share(self, batch: Sequence[Tokens]) -> tuple[State | None, list[Tokens]]:
        """The state after what all of `batch` begin with, or less, and what remains of each: at least a token."""
        shared = self._share(batch) if self.shares else 0
        return self._state, [q[shared:] for q in batch]

    def forget(self) -> None:
        """Lets go of the cached prefix."""
        self._read, self._state = [], None

    def _batches(self, questions: Sequence[Tokens]) -> list[list[int]]:
        order = sorted(range(len(questions)), key=lambda i: list(questions[i]))
        prefix = common_prefix(questions) if questions and self.shares else 0
        batches: list[list[int]] = []
        longest = 0
        for i in order:
            own = len(questions[i]) - prefix
            longest = max(longest, own)
            if not batches or len(batches[-1]) == self.rows or longest * (len(batches[-1]) + 1) > self.tokens:
                batches.append([])
                longest = own
            batches[-1].append(i)
        return batches

    def _share(self, batch: Sequence[Tokens]) -> int:
        """Makes the state hold tokens that all of `batch` begin with, and says how many."""
        shortest = min(len(q) for q in batch)
        target = min(common_prefix(batch), shortest - 1)  # every row keeps a token to go on from
        known = min(common_prefix([self._read, batch[0]]), target)
        if known == 0:
            self.forget()
        elif known < len(self._read):
            assert self._state is not None
            self._state, self._read = self.model.crop(self._state, known), self._read[:known]
        if (target - known) * (len(batch) - 1) > WORTH_READING or (known == 0 and target > 0):
            self._state = self.model.extend(self._state, batch[0][known:target])
            self._read = list(batch[0][:target])
        return len(self._read)
