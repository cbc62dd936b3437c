"""Questions as the tokens that a model reads, cut into pieces that later questions can share."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lmgt_core.judges.control_tokens import taken_apart
from lmgt_core.judges.llamacpp.engine import Engine, EngineError, Piece
from lmgt_core.judging.prompt import Prompt

PLAIN = "{system}\n\n{user}\n\nAnswer:"  # for models without a chat template
LONG = 256  # tokens: the end of a question that is longer is kept but for its last, since rare labels read it again
PROBES = ("Aa", "(1")  # two user texts that begin differently
PICTURE = (  # one grey pixel: the chat format only wants to know that there is a picture
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class Question:
    """A question's tokens in pieces: what all questions of its system text begin with, the state, the rest."""

    pieces: tuple[Piece, ...]

    @property
    def length(self) -> int:
        """The number of tokens."""
        return sum(map(len, self.pieces))


class Questions:
    """Prompts into the model's chat format and tokens; what a prompt says can end no turn and open none.

    The pieces of a question depend on nothing but the question.
    """

    def __init__(self, engine: Engine, has_template: bool) -> None:
        self.engine = engine
        self.has_template = has_template
        self._head = lru_cache(maxsize=64)(self._find_head)
        self._tokens = lru_cache(maxsize=1024)(self._find_tokens)
        self._question = lru_cache(maxsize=4096)(self._find_question)

    def question(self, prompt: Prompt) -> Question:
        """The tokens of `prompt` up to where the answer begins."""
        return self._question(prompt.system, prompt.user)

    def label(self, text: str) -> Piece:
        """The tokens of a label at the beginning of the answer: after a space where no chat template ends a line."""
        return self._tokens((("" if self.has_template else " ") + text,), False)

    def text(self, system: str, user: str, images: int = 0) -> str:
        """The question as text; some chat formats know no system turn, whose words then open the user's.

        Text with `images` is read whole, so that its control tokens are taken apart here.
        """
        if images:
            system, user = self._taken_apart(system), self._taken_apart(user)
        if not self.has_template:
            return PLAIN.format(system=system, user=user).strip()
        pictures: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": PICTURE}}] * images

        def turn(role: str, text: str, seen: list[dict[str, Any]]) -> dict[str, Any]:
            return {"role": role, "content": [*seen, {"type": "text", "text": text}] if seen else text}

        turns = [turn("system", system, []), turn("user", user, pictures)]
        try:
            return self.engine.chat(turns if system else turns[1:])
        except EngineError:
            return self.engine.chat([turn("user", f"{system}\n\n{user}".strip(), pictures)])

    def _find_question(self, system: str, user: str) -> Question:
        whole = self._encode(system, user)
        cuts = sorted({shared(self._head(system), whole), self._state_end(system, user, whole)} - {0, len(whole)})
        if len(whole) - max(cuts, default=0) > LONG:
            cuts.append(len(whole) - 1)
        ends = [*(c for c in cuts if c < len(whole)), len(whole)]
        return Question(tuple(whole[a:b] for a, b in zip([0, *ends], ends, strict=False)))

    def _state_end(self, system: str, user: str, whole: Piece) -> int:
        """Where the last two lines of the user text begin: what goes before them is the state, in most templates."""
        lines = user.rsplit("\n", 2)
        if len(lines) < 3:
            return 0
        return shared(self._encode(system, lines[0] + "\n", opened=True), whole)

    def _encode(self, system: str, user: str, opened: bool = False) -> Piece:
        """The tokens of a question; of its text up to the end of `user` where it is `opened` only."""
        text = self.text(system, user)
        at = text.rfind(user.strip()) if user.strip() else -1
        if opened:
            text = text[: at + len(user.strip())] + "\n" if at >= 0 else text
        parts = _parts(text, [system.strip(), user.strip()])
        said = [part for part, ours in parts if not ours]
        if all(self._tokens((part,), True) == self._tokens((part,), False) for part in said):
            return self._tokens((text,), True, begins=True)
        # Where words of the question would be read as control tokens, they are read apart from the format's own.
        tokens: list[int] = list(self._tokens(("",), True, begins=True))
        for part, ours in parts:
            tokens += self._tokens((part,), ours)
        return tuple(tokens)

    def _taken_apart(self, content: str) -> str:
        """`content` with what the model would read as control tokens taken apart."""
        pieces = {self.engine.text([token]) for token in set(self._tokens((content,), True))}
        return taken_apart(content, [p for p in pieces if self._tokens((p,), True) != self._tokens((p,), False)])

    def _find_tokens(self, text: tuple[str], control: bool, begins: bool = False) -> Piece:
        return tuple(self.engine.tokens(text[0], begins, control))

    def _find_head(self, system: str) -> Piece:
        first, second = (self._encode(system, probe) for probe in PROBES)
        return first[: shared(first, second)]


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _parts(text: str, contents: Sequence[str]) -> list[tuple[str, bool]]:
    """`text` cut at `contents`, in this order: (part, whether it is the format's own)."""
    parts: list[tuple[str, bool]] = []
    for content in contents:
        before, found, after = text.partition(content) if content else (text, "", "")
        if not found:
            continue
        parts += [(before, True), (content, False)]
        text = after
    return [(part, ours) for part, ours in [*parts, (text, True)] if part]
