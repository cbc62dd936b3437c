"""Exactly what is asked: text templates rendered with a description."""

import hashlib
import json
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lmgt_core.errors import UserError
from lmgt_core.judging.description import Description, Image

STRATEGIES = ("name-only", "zero-shot", "few-shot", "cot", "retrieval")
REMEMBERED = 100_000  # prompts that a RememberedTemplate keeps
FIELDS = frozenset({"state", "action"})  # what a template's user part may name


@dataclass(frozen=True)
class Prompt:
    """A system text, a user text and images, and the facts that they were rendered from."""

    system: str
    user: str
    images: tuple[Image, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content (texts, facts, image bytes and shapes): equal questions have equal digests."""
        text = json.dumps([self.system, self.user, sorted(self.facts.items())], ensure_ascii=False)
        content = hashlib.sha256(text.encode())
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
    """A system and a user text with the fields {state} and {action}; both lie in one file, divided by a line of ---."""

    system: str
    user: str
    name: str = "inline"

    def __post_init__(self) -> None:
        named = {f for _, f, _, _ in string.Formatter().parse(self.user) if f is not None}
        if unknown := named - FIELDS:
            raise UserError(f"prompt {self.name}: unknown field {{{min(unknown)}}}; use {{state}} and {{action}}")

    @classmethod
    def load(cls, path: Path) -> "PromptTemplate":
        """The template in `path`; UserError when it is missing or has no --- line."""
        if not path.is_file():
            there = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt"))) or "none"
            raise UserError(f"{path}: no such prompt template; this folder has: {there}")
        system, divider, user = path.read_text(encoding="utf-8").partition("\n---\n")
        if not divider:
            raise UserError(f"{path}: a template is a system text, a line of three dashes, and a user text")
        return cls(system.strip(), user.strip(), path.stem)

    @cached_property
    def hash(self) -> str:
        """The first 16 hex digits of the texts' SHA-256."""
        return hashlib.sha256(f"{self.system}\n---\n{self.user}".encode()).hexdigest()[:16]

    def render(self, description: Description) -> Prompt:
        """The prompt for `description`, whose words cannot break out of the template."""
        user = self.user.format(state=neutralise(description.state), action=neutralise(description.action))
        return Prompt(self.system, user, description.images, description.facts)


class RememberedTemplate:
    """A template that renders each question once: a step of training costs a lookup, not a formatting and a hash."""

    def __init__(self, template: PromptTemplate) -> None:
        self.template = template
        self.name, self.hash = template.name, template.hash
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
