"""A sentence with slots, each filled by one of a few phrases: facts into words, and the same words back into facts."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

Facts = Mapping[str, str]  # slot -> phrase


@dataclass(frozen=True)
class Phrasing:
    """A `template` with a {slot} for each of `slots`, whose phrases are known."""

    template: str
    slots: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        named = re.findall(r"{([^{}]*)}", self.template)
        if sorted(named) != sorted(self.slots):
            raise ValueError(f"the template has the slots {sorted(named)}, the phrases are for {sorted(self.slots)}")

    def words(self, facts: Facts) -> str:
        """The sentence; LookupError for a missing slot, or a phrase that it does not know."""
        for slot, phrases in self.slots.items():
            if facts[slot] not in phrases:
                raise LookupError(f"{slot}: {facts[slot]!r} is none of its phrases")
        return re.sub(r"{([^{}]*)}", lambda match: facts[match[1]], self.template)

    def read(self, text: str) -> dict[str, str]:
        """The facts that a sentence of this form states; LookupError for any other text."""
        match = self._pattern.fullmatch(" ".join(text.split()))
        if match is None:
            raise LookupError("the text does not have the form of this world's captions")
        return dict(zip(self._order, match.groups(), strict=True))

    @cached_property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of template and phrases."""
        content = json.dumps([self.template, sorted(self.slots.items())])
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    @property
    def _order(self) -> list[str]:
        return re.findall(r"{([^{}]*)}", self.template)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        pieces = re.split(r"{([^{}]*)}", self.template)
        choices = [
            "(" + "|".join(re.escape(p) for p in sorted(self.slots[piece], key=len, reverse=True)) + ")"
            if i % 2
            else re.escape(piece)
            for i, piece in enumerate(pieces)
        ]
        return re.compile("".join(choices))
