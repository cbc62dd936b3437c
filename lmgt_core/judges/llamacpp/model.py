"""A GGUF model as a `LabelModel`: it scores labels, or writes."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmgt_core.judges.label_scoring import Reply
from lmgt_core.judges.llamacpp.engine import Engine, Piece
from lmgt_core.judges.llamacpp.questions import Questions
from lmgt_core.judging.description import Image
from lmgt_core.judging.prompt import Prompt

IMAGE_TOKENS = 1024  # allowed for an image before it is read; the engine counts


class GgufModel:
    """Log-probabilities of whole labels, and replies; images where a projector is loaded."""

    def __init__(self, engine: Engine, has_template: bool) -> None:
        self.engine = engine
        self.questions = Questions(engine, has_template)
        self.sees_images = engine.sees_images
        self.context = engine.context

    def length(self, prompt: Prompt) -> int:
        return self.questions.question(prompt).length + IMAGE_TOKENS * len(prompt.images)

    def score(self, prompts: Sequence[Prompt], labels: Sequence[str]) -> NDArray[np.float64]:
        spelled = [self.questions.label(text) for text in labels]
        scores = np.zeros((len(prompts), len(labels)))
        read = [self.questions.question(p).pieces for p in prompts]
        for i in sorted(range(len(prompts)), key=lambda i: read[i]):  # neighbours share most
            after = self._seen if prompts[i].images else self._read
            scores[i] = after(prompts[i], spelled)
        return scores

    def generate(self, prompts: Sequence[Prompt], max_tokens: int) -> list[Reply]:
        replies = []
        for prompt in prompts:
            if prompt.images:
                text = self.questions.text(prompt.system, prompt.user, len(prompt.images))
                written = self.engine.write_seen(text, [encoded(image) for image in prompt.images], max_tokens)
            else:
                written = self.engine.write(self.questions.question(prompt).pieces, max_tokens)
            replies.append(Reply(written.text, written.tokens))
        return replies

    def _read(self, prompt: Prompt, labels: Sequence[Piece]) -> list[float]:
        """The log-probabilities of `labels` after a question of words: a label is the sum over its tokens."""
        pieces = self.questions.question(prompt).pieces
        total = dict.fromkeys(labels, 0.0)
        for head, tokens in branches(labels).items():
            after = self.engine.next_log_probs([*pieces, *((t,) for t in head)], tokens)
            for label in total:
                if label[: len(head)] == head and len(label) > len(head):
                    total[label] += after[label[len(head)]]
        return [total[label] for label in labels]

    def _seen(self, prompt: Prompt, labels: Sequence[Piece]) -> list[float]:
        """The same after a question with images."""
        text = self.questions.text(prompt.system, prompt.user, len(prompt.images))
        images = [encoded(image) for image in prompt.images]
        total = dict.fromkeys(labels, 0.0)
        for head, tokens in branches(labels).items():
            after, _ = self.engine.next_log_probs_seen(text + (self.engine.text(head) if head else ""), images, tokens)
            for label in total:
                if label[: len(head)] == head and len(label) > len(head):
                    total[label] += after[label[len(head)]]
        return [total[label] for label in labels]


def branches(labels: Sequence[Piece]) -> dict[Piece, list[int]]:
    """Every beginning of a label that more follows, shortest first, and the tokens that follow it."""
    found: dict[Piece, list[int]] = {}
    for label in labels:
        for i, token in enumerate(label):
            after = found.setdefault(label[:i], [])
            if token not in after:
                after.append(token)
    return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))


def encoded(image: Image) -> str:
    """A picture as PNG in base64."""
    from PIL import Image as Pillow

    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()
