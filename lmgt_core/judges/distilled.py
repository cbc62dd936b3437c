"""A small network that answers as its teacher did, thousands of times faster, and knows where it does not know.

It reads the words of the question, and pairs of neighbouring words, through several small heads trained on different
resamples (a deep ensemble, Lakshminarayanan et al. 2017). Where a word is new, the heads disagree, or their mean
confidence is under the threshold found on questions kept back from training, it abstains or hands the question to its
teacher. `lmgt_core/distill/judge.py` trains it.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic
from lmgt_core.judges.label_scoring import MENU, likeliest
from lmgt_core.judges.nested_specs import make_inner, own_text
from lmgt_core.judging.judge import Judge, JudgeKind, ask
from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec

FORMAT = "lmgt-distilled-1"
_WORD = re.compile(r"[\w.+-]*\w|[+-]")


def words_of(prompt: Prompt) -> list[str]:
    """The question's words and numbers, in order, in small letters."""
    return _WORD.findall(prompt.user.casefold())


def pairs_of(words: Sequence[str]) -> list[str]:
    """Neighbouring words: they tell `pole left, cart right` from `pole right, cart left`."""
    return [f"{a} {b}" for a, b in pairwise(words)]


def system_digest(prompt: Prompt) -> str:
    """Names the system text: a student knows its teacher's answers to one way of asking."""
    return hashlib.sha256(prompt.system.encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Student:
    """The network's numbers and what it has seen; F features, K heads of H hidden units."""

    systems: frozenset[str]  # digests of the system texts that it was taught with
    words: frozenset[str]  # all words that it was taught with
    features: dict[str, int]  # word or pair -> row of `read`
    read: NDArray[np.float32]  # [F, K * H]
    read_bias: NDArray[np.float32]  # [K * H]
    answer: NDArray[np.float32]  # [K, H, 3]
    answer_bias: NDArray[np.float32]  # [K, 3]
    threshold: float  # the confidence from which on it speaks; above 1: never
    teacher: str  # the judge's id

    def probabilities(self, prompts: Sequence[Prompt]) -> NDArray[np.float32]:
        """What each head says [head, prompt, verdict]."""
        heads, hidden, _ = self.answer.shape
        state = np.empty((len(prompts), heads * hidden), np.float32)
        for row, prompt in enumerate(prompts):
            state[row] = self.read_bias + self.read[self.rows(prompt)].sum(0)
        by_head = np.maximum(state, 0.0).reshape(len(prompts), heads, hidden).swapaxes(0, 1)
        logits = by_head @ self.answer + self.answer_bias[:, None]
        weight = np.exp(logits - logits.max(-1, keepdims=True))
        scaled: NDArray[np.float32] = weight / weight.sum(-1, keepdims=True)
        return scaled

    def rows(self, prompt: Prompt) -> list[int]:
        """The features of a question; each counts once."""
        words = words_of(prompt)
        return sorted({self.features[f] for f in (*words, *pairs_of(words)) if f in self.features})

    def unknown(self, prompt: Prompt) -> str:
        """Why a question is unlike those it was taught with; "" where it is not."""
        if system_digest(prompt) not in self.systems:
            return "it was taught with another system text"
        if prompt.images:
            return "it was taught with words, not images"
        new = [w for w in words_of(prompt) if w not in self.words]
        return f"it was never taught the word {new[0]!r}" if new else ""

    def answers(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """Its judgments; those it is not sure of are abstained, with the reason."""
        if not prompts:
            return []
        by_head = self.probabilities(prompts)
        mean, chosen = by_head.mean(0).astype(np.float64), by_head.argmax(-1)
        return [self._judgment(p, mean[i], bool((chosen[:, i] == chosen[0, i]).all())) for i, p in enumerate(prompts)]

    def _judgment(self, prompt: Prompt, mean: NDArray[np.float64], agreed: bool) -> Judgment:
        good, neutral, bad = (mean / mean.sum()).tolist()
        judgment = Judgment(likeliest((good, neutral, bad)), (good, neutral, bad))
        reason = self.unknown(prompt)
        if not reason and not agreed:
            reason = "its heads disagree"
        if not reason and judgment.confidence < self.threshold:
            reason = f"its confidence {judgment.confidence:.3f} is under {self.threshold:.3f}"
        return judgment.abstain(reason) if reason else judgment

    def with_threshold(self, threshold: float) -> "Student":
        """The same network with another threshold."""
        return replace(self, threshold=threshold)

    @cached_property
    def content(self) -> bytes:
        """The file: an .npz of plain arrays, nothing in it is code."""
        about = {
            "format": FORMAT,
            "systems": sorted(self.systems),
            "words": sorted(self.words),
            "features": sorted(self.features, key=self.features.__getitem__),
            "threshold": self.threshold,
            "teacher": self.teacher,
        }
        arrays = {name: getattr(self, name) for name in ("read", "read_bias", "answer", "answer_bias")}
        text = np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), np.uint8)
        file = BytesIO()
        np.savez(file, about=text, **arrays)
        return file.getvalue()

    @property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of all it holds."""
        parts = [self.read, self.read_bias, self.answer, self.answer_bias]
        known = repr((sorted(self.systems), sorted(self.words), sorted(self.features.items()), self.threshold))
        return hashlib.sha256(known.encode() + b"".join(p.tobytes() for p in parts)).hexdigest()[:12]


def save_student(student: Student, path: Path) -> None:
    """Writes the student to `path`, whole or not at all."""
    write_atomic(path, student.content)


def load_student(path: Path) -> Student:
    """The student in `path`; UserError for anything that is not one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            arrays = {name: file[name] for name in ("read", "read_bias", "answer", "answer_bias")}
        return _checked(about, arrays)
    except OSError as error:
        raise UserError(f"{path}: cannot be read as a distilled judge ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{path}: not a distilled judge, or a damaged one ({reason}); distil it again") from None


def _checked(about: dict[str, Any], arrays: dict[str, NDArray[np.float32]]) -> Student:
    """The student of these parts; ValueError where they do not fit together."""
    if about["format"] != FORMAT:
        raise ValueError(f"format {about['format']}")
    heads, hidden, verdicts = arrays["answer"].shape
    shapes = {
        "read": (len(about["features"]), heads * hidden),
        "read_bias": (heads * hidden,),
        "answer": (heads, hidden, len(MENU)),
        "answer_bias": (heads, verdicts),
    }
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"{name} is not {shape} finite numbers")
    return Student(
        systems=frozenset(about["systems"]),
        words=frozenset(about["words"]),
        features={name: i for i, name in enumerate(about["features"])},
        threshold=float(about["threshold"]),
        teacher=str(about["teacher"]),
        **arrays,
    )


class DistilledJudge:
    """A student as a judge; what it does not know goes to `teacher`, in one batch, or is abstained from."""

    kind = JudgeKind.TRAINED

    def __init__(self, student: Student, teacher: Judge | None = None) -> None:
        self.student = student
        self.teacher = teacher
        self.cacheable = teacher is not None and teacher.cacheable
        self.id = f"distilled:{student.digest}" + (f"(else {teacher.id})" if teacher else "")
        self.handed_on = 0  # questions that the teacher got

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """One judgment a prompt; the teacher's are as it gives them."""
        answers = self.student.answers(prompts)
        if self.teacher is None:
            return answers
        open_rows = [i for i, answer in enumerate(answers) if answer.abstained]
        if open_rows:
            self.handed_on += len(open_rows)
            for i, answer in zip(open_rows, ask(self.teacher, [prompts[i] for i in open_rows]), strict=True):
                answers[i] = answer
        return answers


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `distilled:FILE[?teacher=SPEC]`; the teacher's name is all that follows `teacher=`."""
    file, _, teacher = own_text(spec).partition("?teacher=")
    if not file or "?" in file:
        raise UserError(f"--judge {spec}: distilled:FILE[?teacher=JUDGE] needs a file of lmgt judge distill")
    return DistilledJudge(load_student(Path(file)), make_inner(spec, teacher, context) if teacher else None)
