"""Exactly what is asked: text templates rendered with a description."""

import hashlib
import json
import re
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lmgt_core.errors import UserError
from lmgt_core.judging.answers import Answer, Offered, offered, read_answers
from lmgt_core.judging.description import Description, Image

STRATEGIES = ("name-only", "zero-shot", "few-shot", "cot", "retrieval")
REMEMBERED = 100_000  # prompts that a RememberedTemplate keeps
FIELDS = frozenset({"state", "action"})  # what any template's user part may name
UNKNOWN = "unknown"  # a fact that a description lacks


@dataclass(frozen=True)
class Prompt:
    """A system text, a user text and images, and the facts that they were rendered from.

    `answers` are the words that the template offers, with their verdicts; () where the texts alone say what to answer.
    """

    system: str
    user: str
    images: tuple[Image, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    answers: Offered = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content (texts, facts, answers, images): equal questions have equal digests."""
        said = [self.system, self.user, sorted(self.facts.items()), *([self.answers] if self.answers else [])]
        content = hashlib.sha256(json.dumps(said, ensure_ascii=False).encode())
        for image in self.images:
            content.update(repr((image.shape, image.dtype.str)).encode())
            content.update(image.tobytes())
        return content.hexdigest()


def neutralise(text: str) -> str:
    """`text` with what could pass for a delimiter or a chat role taken apart, so that a world's words stay words."""
    text = re.sub(r"<\|?/?([A-Za-z_ ]{1,30})\|?>", r"(\1)", text)
    text = text.replace("```", "'''").replace("[INST]", "(INST)").replace("[/INST]", "(/INST)")
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else " " for c in text)


@dataclass(frozen=True)
class PromptTemplate:
    """A system text and a user text with fields; both lie in one file, divided by a line of ---.

    The fields are {state}, {action}, and any of the `facts` that the domain's descriptions have. A file may begin with
    the `answers` that it offers (see answers.py) and another line of ---; without them, judges offer the verdicts that
    the texts name.
    """

    system: str
    user: str
    name: str = "inline"
    answers: tuple[Answer, ...] = ()
    facts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = {*FIELDS, *self.facts}
        if unknown := self.fields - known:
            names = ", ".join(f"{{{name}}}" for name in ("state", "action", *self.facts))
            raise UserError(f"prompt {self.name}: unknown field {{{min(unknown)}}}; use {names}")
        if untold := {answer.fact for answer in self.answers if answer.fact} - set(self.facts):
            raise UserError(f"prompt {self.name}: its answers depend on {min(untold)}, which nothing here tells")

    @cached_property
    def fields(self) -> frozenset[str]:
        """The fields that the user text names."""
        return frozenset(f for _, f, _, _ in string.Formatter().parse(self.user) if f is not None)

    @property
    def conditional(self) -> bool:
        """Whether one answer stands for different verdicts, depending on the decision."""
        return any(answer.fact for answer in self.answers)

    @classmethod
    def load(cls, path: Path, facts: Collection[str] = ()) -> "PromptTemplate":
        """The template in `path`, which may name `facts`; UserError when it is missing or malformed."""
        if not path.is_file():
            there = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt"))) or "none"
            raise UserError(f"{path}: no such prompt template; this folder has: {there}")
        parts = path.read_text(encoding="utf-8").split("\n---\n", 2)
        if len(parts) == 1:
            raise UserError(f"{path}: a template is a system text, a line of three dashes, and a user text")
        head, system, user = parts if len(parts) == 3 else ("", *parts)
        answers = read_answers(head, str(path)) if len(parts) == 3 else ()
        return cls(system.strip(), user.strip(), path.stem, answers, tuple(facts))

    @cached_property
    def hash(self) -> str:
        """The first 16 hex digits of a SHA-256 of texts and answers."""
        head = f"{self.answers}\n---\n" if self.answers else ""
        return hashlib.sha256(f"{head}{self.system}\n---\n{self.user}".encode()).hexdigest()[:16]

    def render(self, description: Description) -> Prompt:
        """The prompt for `description`, whose words cannot break out of the template."""
        words = {name: description.facts.get(name, UNKNOWN).replace("_", " ") for name in self.facts}
        words |= {"state": description.state, "action": description.action}
        user = self.user.format(**{name: neutralise(words[name]) for name in self.fields})
        answers = offered(self.answers, description.facts)
        return Prompt(self.system, user, description.images, description.facts, answers)


class RememberedTemplate:
    """A template that renders each question once: a step of training costs a lookup, not a formatting and a hash."""

    def __init__(self, template: PromptTemplate) -> None:
        self.template = template
        self.name, self.hash, self.conditional = template.name, template.hash, template.conditional
        self._known: dict[tuple[str, str, tuple[tuple[str, str], ...]], Prompt] = {}

    def render(self, description: Description) -> Prompt:
        """The prompt for `description`; one with images is rendered anew."""
        if description.images:
            return self.template.render(description)
        key = (description.state, description.action, tuple(description.facts.items()))
        if (prompt := self._known.get(key)) is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            prompt = self._known[key] = self.template.render(description)
        return prompt
