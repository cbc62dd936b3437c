"""Passages of a folder of manuals, put before the question (Lewis et al. 2020, retrieval-augmented generation).

Passages are found by the cosine of sentence embeddings: the question is the state and the action.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import Prompt, PromptTemplate, neutralise

SUFFIXES = (".txt", ".md")
WORDS = 100  # of a passage at most; all-MiniLM-L6-v2 reads 256 tokens
PASSAGES = 3  # put before a question
HEADING = "From the manuals:"

Encode = Callable[[Sequence[str]], NDArray[np.float32]]  # texts -> unit vectors [text, size]


@dataclass(frozen=True)
class Passage:
    """A piece of a text, and the file it comes from, named within its folder."""

    text: str
    source: str


def read_passages(folder: Path) -> list[Passage]:
    """The passages of all .txt and .md files under `folder`, in the order of their names; each passage once.

    Texts are parted at blank lines; long paragraphs at sentences, so that no passage has more than WORDS words.
    UserError where the folder is missing, holds no text, or a file is not UTF-8.
    """
    if not folder.is_dir():
        raise UserError(f"--documents {folder}: no such folder; name one with {' or '.join(SUFFIXES)} files")
    found: dict[str, Passage] = {}
    for file in sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file()):
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UserError(f"--documents {file}: cannot be read ({reason}); mend it or take it out") from None
        for piece in split_text(text):
            found.setdefault(piece, Passage(piece, file.relative_to(folder).as_posix()))
    if not found:
        raise UserError(f"--documents {folder}: holds no text; put {' or '.join(SUFFIXES)} files into it")
    return list(found.values())


def split_text(text: str) -> list[str]:
    """The passages of a text, none longer than WORDS words, spaces made alike."""
    pieces = []
    for paragraph in re.split(r"\n\s*\n", text):
        piece: list[str] = []
        for sentence in re.split(r"(?<=[.!?])\s+", paragraph.strip()):
            words = sentence.split()
            while words:
                if len(piece) + len(words) > WORDS and piece:
                    pieces.append(" ".join(piece))
                    piece = []
                piece += words[: WORDS - len(piece)]
                words = words[WORDS:] if len(words) > WORDS else []
        if piece:
            pieces.append(" ".join(piece))
    return pieces


class Retriever:
    """Finds the passages nearest to a question; equal questions find equal passages."""

    def __init__(self, passages: Sequence[Passage], encode: Encode, count: int = PASSAGES) -> None:
        if not passages or count < 1:
            raise ValueError("a retriever needs passages, and finds at least one")
        self.passages = tuple(passages)
        self.count = min(count, len(passages))
        self._encode = encode
        self._vectors = encode([p.text for p in passages])  # [passage, size]

    def __call__(self, question: str) -> list[Passage]:
        """The nearest passages, the nearest first; of equally near ones the earlier."""
        nearness = self._vectors @ self._encode([question])[0]
        order = np.argsort(-nearness, kind="stable")[: self.count]
        return [self.passages[i] for i in order.tolist()]

    @property
    def digest(self) -> str:
        """The first 16 hex digits of a SHA-256 of the passages and their number a question."""
        content = "\0".join([str(self.count), *(p.text for p in self.passages)])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class RetrievalTemplate(PromptTemplate):
    """A template whose questions come with passages before them."""

    retriever: Retriever | None = None

    @cached_property
    def hash(self) -> str:
        """Of the texts and of what can be retrieved."""
        assert self.retriever is not None
        return hashlib.sha256(f"{super().hash}\n{self.retriever.digest}".encode()).hexdigest()[:16]

    def render(self, description: Description) -> Prompt:
        """The prompt for `description`; a manual's words cannot break out of it either."""
        assert self.retriever is not None
        plain = super().render(description)
        found = self.retriever(f"{description.state} {description.action}")
        lines = [HEADING, *(f"- {neutralise(p.text)}" for p in found)]
        return replace(plain, user="\n".join([*lines, "", plain.user]))
