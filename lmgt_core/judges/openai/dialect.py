"""What an OpenAI-compatible server understands, learnt from its refusals.

Servers refuse what they do not know with any status (400, 403, 422, 500, an error in a 200) and in any words. So the
words decide: what they name, and what can be left out, is left out when the question is asked again.
"""

import re
from dataclasses import dataclass, replace

TOP = 20  # alternatives to each token; as many as the protocol allows
FEWER = 5  # where a server allows fewer and does not say how many
ROOM_NAMES = ("max_tokens", "max_completion_tokens", "")  # for the length of a reply; "": it is not limited

_LIMIT = re.compile(
    r"must|most|less|great|\bmax\b|maximum|range|between|exceed|limit|up to|large|many|high|<=|≤|\ble\b"
)
_WHOLE = re.compile(r"(?<![\w.-])\d+(?![\w-]|\.\d)")
_ROOM = re.compile(r"max_?(?:completion_?|new_?|output_?)?tokens|max tokens|num_predict")
# A question that is too long for the context, or came too often, says nothing about the name of the limit.
_QUESTIONS_OWN = re.compile(
    r"context|input (?:tokens|length)|prompt|too long|\bmessages\b|reduce|per minute|per day|rate.?limit|quota|\btpm\b"
    r"|`inputs`"
)
_ROLE = re.compile(
    r"\broles?\b|(?:system|developer)[ _-]?(?:message|prompt|turn|instruction)s?|['\"`](?:system|developer)['\"`]"
)


@dataclass(frozen=True)
class Dialect:
    """What may be sent."""

    top: int = TOP  # alternatives asked for; 0: no log-probabilities at all
    room: str = ROOM_NAMES[0]
    temperature: bool = True
    system: bool = True  # False: the system's words open the user's turn

    def after(self, refusal: str) -> "Dialect | None":
        """What is left to ask with when this one was refused with these words; None where they name none of it."""
        if self.top and ("logprob" in refusal or "log prob" in refusal):
            return replace(self, top=self._fewer(refusal))
        if self.room and _ROOM.search(refusal) and not _QUESTIONS_OWN.search(refusal):
            return replace(self, room=ROOM_NAMES[ROOM_NAMES.index(self.room) + 1])
        if self.temperature and re.search(r"temperature|sampling param", refusal):
            return replace(self, temperature=False)
        if self.system and _ROLE.search(refusal):
            return replace(self, system=False)
        return None

    def also(self, other: "Dialect") -> "Dialect":
        """What both this one and `other` may send."""
        return Dialect(
            min(self.top, other.top),
            max(self.room, other.room, key=ROOM_NAMES.index),
            self.temperature and other.temperature,
            self.system and other.system,
        )

    def _fewer(self, refusal: str) -> int:
        """The largest smaller number that a refusal with a limit names, else a few, else none."""
        if not _LIMIT.search(refusal):
            return 0
        named = [int(n) for n in _WHOLE.findall(refusal) if 0 < int(n) < self.top]
        return max(named) if named else FEWER if self.top > FEWER else 0
