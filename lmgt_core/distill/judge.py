"""Training a small network to answer as a judge does, and measuring whether it does.

Of the questions, 70 % train the network, 15 % choose the confidence from which on it speaks, and 15 % report.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.audit.precision import clopper_pearson
from lmgt_core.errors import UserError
from lmgt_core.judges.distilled import Student, pairs_of, save_student, system_digest, words_of
from lmgt_core.judges.label_scoring import MENU
from lmgt_core.judging.judge import Judge, ask
from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt
from lmgt_core.rules.shift import speaks

if TYPE_CHECKING:
    from torch import Tensor

FEWEST = 40  # answered questions; fewer teach nothing that could be checked
SHARES = (0.7, 0.15)  # of the questions: training, choosing the threshold; the rest reports
SILENT = 2.0  # a threshold that no confidence reaches
CANDIDATES = 40  # thresholds tried
BATCH = 256


@dataclass(frozen=True)
class DistillSettings:
    """The student's size and training."""

    heads: int = 4
    hidden: int = 48
    features: int = 8192
    """Words and pairs at most; the most frequent are kept."""
    epochs: int = 60
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    agreement: float = 0.95
    """With its teacher where it speaks: the lower 95 % bound on questions it was not trained on."""


@dataclass(frozen=True)
class DistillReport:
    """How well the student does, on held-out questions.

    `agreement` is with the teacher, on all of them; `spoken_agreement` on those it speaks on (None: on none), whose
    share is `coverage`. `baseline` is the agreement of always giving the teacher's most frequent verdict. Speeds are
    judgments a second, on this machine; the teacher's from what its answers cost when they were asked.
    """

    teacher: str
    questions: int
    unanswered: int
    trained_on: int
    held_out: int
    agreement: float
    baseline: float
    spoken_agreement: float | None
    coverage: float
    threshold: float
    teacher_per_second: float
    student_per_second: float
    training_seconds: float

    @property
    def speedup(self) -> float:
        """How many times faster than its teacher the student is."""
        return self.student_per_second / self.teacher_per_second

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, and the speedup."""
        return asdict(self) | {"speedup": self.speedup}


def distill(
    teacher: Judge,
    prompts: Sequence[Prompt],
    out: Path,
    rng: np.random.Generator,
    settings: DistillSettings = DistillSettings(),
) -> DistillReport:
    """Asks `teacher`, trains a student on the answers, writes it to `out`, and reports on held-out questions."""
    questions = list({p.digest: p for p in prompts}.values())
    start = time.perf_counter()
    answers = ask(teacher, questions)
    asking = max(time.perf_counter() - start, sum(a.cost.seconds for a in answers), 1e-9)
    taught = [(p, a) for p, a in zip(questions, answers, strict=True) if speaks(a)]
    if len(taught) < FEWEST:
        raise UserError(f"{out}: the teacher answered {len(taught)} different questions; distilling takes {FEWEST}")
    order = rng.permutation(len(taught)).tolist()
    first, second = int(SHARES[0] * len(taught)), int(sum(SHARES) * len(taught))
    parts = (order[:first], order[first:second], order[second:])
    train, choose, held_out = ([taught[i] for i in part] for part in parts)
    start = time.perf_counter()
    student = train_student(teacher.id, train, rng, settings)
    training = time.perf_counter() - start
    student = student.with_threshold(choose_threshold(student, choose, settings.agreement))
    save_student(student, out)
    return _report(student, teacher.id, held_out, len(questions), len(taught), len(train), asking, training)


def _report(
    student: Student,
    teacher: str,
    held_out: Sequence[tuple[Prompt, Judgment]],
    questions: int,
    answered: int,
    trained_on: int,
    asking: float,
    training: float,
) -> DistillReport:
    prompts = [p for p, _ in held_out]
    start, rounds = time.perf_counter(), 0
    while rounds == 0 or time.perf_counter() - start < 0.05:  # a clock says little about a millisecond
        said = student.answers(prompts)
        rounds += 1
    per_second = rounds * len(prompts) / (time.perf_counter() - start)
    right = np.array([s.verdict is t.verdict for s, (_, t) in zip(said, held_out, strict=True)])
    spoken = np.array([speaks(s) for s in said])
    return DistillReport(
        teacher=teacher,
        questions=questions,
        unanswered=questions - answered,
        trained_on=trained_on,
        held_out=len(held_out),
        agreement=float(right.mean()),
        baseline=max(Counter(t.verdict for _, t in held_out).values()) / len(held_out),
        spoken_agreement=float(right[spoken].mean()) if spoken.any() else None,
        coverage=float(spoken.mean()),
        threshold=student.threshold,
        teacher_per_second=questions / asking,
        student_per_second=per_second,
        training_seconds=training,
    )


def choose_threshold(student: Student, taught: Sequence[tuple[Prompt, Judgment]], agreement: float) -> float:
    """The lowest confidence from which on the student surely agrees with its teacher, or SILENT."""
    said = student.with_threshold(0.0).answers([p for p, _ in taught])
    kept = [(s.confidence, s.verdict is t.verdict) for s, (_, t) in zip(said, taught, strict=True) if speaks(s)]
    confidence, right = np.array([c for c, _ in kept]), np.array([r for _, r in kept], bool)
    if not kept:
        return SILENT
    for threshold in np.unique(np.quantile(confidence, np.linspace(0, 1, CANDIDATES), method="lower")):
        above = confidence >= threshold
        if clopper_pearson(int(right[above].sum()), int(above.sum())) >= agreement:
            return float(threshold)
    return SILENT


def train_student(
    teacher: str, taught: Sequence[tuple[Prompt, Judgment]], rng: np.random.Generator, settings: DistillSettings
) -> Student:
    """A student trained on `taught`, whose threshold is still to be chosen (it is SILENT).

    Every head has its own starting point and its own resample: each question counts Poisson(1) times.
    """
    import torch

    features = _vocabulary([p for p, _ in taught], settings.features)
    student = Student(
        systems=frozenset(system_digest(p) for p, _ in taught),
        words=frozenset(w for p, _ in taught for w in words_of(p)),
        features=features,
        threshold=SILENT,
        teacher=teacher,
        **_initial(len(features), settings, rng),
    )
    rows = [student.rows(p) for p, _ in taught]
    target = torch.tensor([_target(a) for _, a in taught])
    weight = torch.from_numpy(rng.poisson(1.0, (len(taught), settings.heads)).astype(np.float32))
    names = ("read", "read_bias", "answer", "answer_bias")
    parameters = [torch.from_numpy(getattr(student, n)).requires_grad_() for n in names]  # shares the arrays' memory
    adam = torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=settings.weight_decay)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(settings.epochs):
            order = rng.permutation(len(taught))
            for batch in np.array_split(order, -(-len(taught) // BATCH)):
                inputs = _multi_hot([rows[i] for i in batch], len(features))
                loss = _loss(parameters, inputs, target[batch], weight[batch])
                adam.zero_grad()
                torch.autograd.backward(loss)
                adam.step()
    finally:
        torch.set_num_threads(threads)
    return student


def _vocabulary(prompts: Sequence[Prompt], limit: int) -> dict[str, int]:
    """Words and pairs by row, the most frequent first; those that are in every question tell nothing."""
    counts: Counter[str] = Counter()
    for prompt in prompts:
        words = words_of(prompt)
        counts.update({*words, *pairs_of(words)})
    telling = sorted((name for name, n in counts.items() if n < len(prompts)), key=lambda name: (-counts[name], name))
    return {name: i for i, name in enumerate(telling[:limit])}


def _initial(features: int, settings: DistillSettings, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    width = settings.heads * settings.hidden
    return {
        "read": (0.2 * rng.standard_normal((features, width))).astype(np.float32),
        "read_bias": np.zeros(width, np.float32),
        "answer": (rng.standard_normal((settings.heads, settings.hidden, len(MENU))) / np.sqrt(settings.hidden)).astype(
            np.float32
        ),
        "answer_bias": np.zeros((settings.heads, len(MENU)), np.float32),
    }


def _target(answer: Judgment) -> list[float]:
    """The teacher's probabilities, or certainty where it gives none."""
    return list(answer.probabilities) if answer.probabilities else [float(answer.verdict is v) for v in MENU]


def _multi_hot(rows: Sequence[Sequence[int]], features: int) -> "Tensor":
    import torch

    inputs = torch.zeros(len(rows), features)
    for i, row in enumerate(rows):
        inputs[i, row] = 1.0
    return inputs


def _loss(parameters: Sequence["Tensor"], inputs: "Tensor", target: "Tensor", weight: "Tensor") -> "Tensor":
    """The heads' mean cross-entropy with the teacher, each on its own resample."""
    import torch

    read, read_bias, answer, answer_bias = parameters
    heads, hidden, _ = answer.shape
    state = torch.relu(inputs @ read + read_bias).view(-1, heads, hidden)
    logits = torch.einsum("bkh,khv->bkv", state, answer) + answer_bias
    cross_entropy = -(target[:, None] * logits.log_softmax(-1)).sum(-1)  # [question, head]
    return (weight * cross_entropy).sum() / weight.sum().clamp(min=1.0) * heads
