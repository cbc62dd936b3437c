"""Questions that begin alike, and the labels after them, as trees of tokens: what is shared is computed once.

Every path from a root is a text; a token sees its ancestors (and the prefix that all trees go on from), not its
siblings, so one pass through a model gives every text the states it would have had alone. SpecInfer (Miao et al. 2023,
arXiv 2305.09781) verifies guessed continuations the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tokens = Sequence[int]
QUESTIONS = 8  # in a tree: attention's work grows with its square, and neighbours share most


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees of tokens side by side, padded to one size.

    `ends[question][label]` are the nodes whose next tokens are the label's: the question's last, then those of the
    label's tokens but the last.
    """

    tokens: NDArray[np.int64]  # [tree, node]
    positions: NDArray[np.int64]  # [tree, node]
    mask: NDArray[np.bool_]  # [tree, node, past + node]
    tree: list[int]  # of each question
    ends: list[list[list[int]]]


class _Tree:
    """One tree while it grows; node 0, 1, ... in the order in which they were first met."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []  # -1 for roots
        self.depths: list[int] = []
        self._children: dict[tuple[int, int], int] = {}

    def add(self, parent: int, tokens: Tokens) -> list[int]:
        """The nodes of `tokens` after `parent`, those that are there already shared."""
        path = []
        for token in tokens:
            node = self._children.setdefault((parent, token), len(self.tokens))
            if node == len(self.tokens):
                self.tokens.append(token)
                self.parents.append(parent)
                self.depths.append(0 if parent < 0 else self.depths[parent] + 1)
            path.append(node)
            parent = node
        return path


def grow(questions: Sequence[Tokens], labels: Sequence[Tokens], past: int, together: int = QUESTIONS) -> Forest:
    """The forest of `questions`, none empty, each followed by every one of `labels`, after `past` tokens read before.

    Neighbouring questions share a tree, so they should be sorted.
    """
    trees: list[_Tree] = []
    tree_of: list[int] = []
    ends: list[list[list[int]]] = []
    for i, question in enumerate(questions):
        if i % together == 0:
            trees.append(_Tree())
        last = trees[-1].add(-1, question)[-1]
        ends.append([[last, *trees[-1].add(last, label[:-1])] for label in labels])
        tree_of.append(len(trees) - 1)
    size = max(len(t.tokens) for t in trees)
    tokens = np.zeros((len(trees), size), np.int64)
    positions = np.full((len(trees), size), past, np.int64)
    mask = np.zeros((len(trees), size, past + size), np.bool_)
    mask[:, range(size), range(past, past + size)] = True  # padding too: what sees nothing has no mean, only NaN
    for i, tree in enumerate(trees):
        n = len(tree.tokens)
        tokens[i, :n] = tree.tokens
        positions[i, :n] += tree.depths
        mask[i, :n, :past] = True
        for node, parent in enumerate(tree.parents):
            if parent >= 0:
                mask[i, node] |= mask[i, parent]
    return Forest(tokens, positions, mask, tree_of, ends)
