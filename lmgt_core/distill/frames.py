"""Training a small convolutional network to judge frames as a teacher does, and measuring whether it does."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmgt_core.errors import UserError
from lmgt_core.judges.distilled_frames import ACTION, FrameStudent
from lmgt_core.judges.frame_network import make_network, shrink
from lmgt_core.judges.label_scoring import MENU, likeliest
from lmgt_core.judging.judge import Judge, ask
from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt
from lmgt_core.rules.shift import speaks

HELD_OUT = 0.2  # share of the frames that report the agreement
FEWEST = 20  # frames


@dataclass(frozen=True)
class FrameSettings:
    """The network's input and training."""

    side: int = 100
    """Pixels of the longer side of the shrunk frames, at most."""
    epochs: int = 15
    batch: int = 32
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class Distilled:
    """The student, and its agreement with the teacher on frames that it was not taught with."""

    student: FrameStudent
    agreement: float
    judgments: int
    """The teacher's, that it was taught with."""


def distill_frames(
    teacher: Judge, prompts: Sequence[Prompt], rng: np.random.Generator, settings: FrameSettings = FrameSettings()
) -> Distilled:
    """Asks `teacher` about frames (one image and an action each) and trains a student on four fifths of the frames.

    UserError where the teacher answers about fewer than FEWEST frames.
    """
    answers = ask(teacher, prompts)
    by_frame: dict[bytes, list[tuple[Prompt, Judgment]]] = defaultdict(list)
    for prompt, answer in zip(prompts, answers, strict=True):
        if speaks(answer):
            by_frame[prompt.images[0].tobytes()].append((prompt, answer))
    taught = list(by_frame.values())
    if len(taught) < FEWEST:
        raise UserError(f"the teacher {teacher.id} answered about {len(taught)} frames; distilling takes {FEWEST}")
    order = rng.permutation(len(taught))
    held = max(1, int(HELD_OUT * len(taught)))
    train = [taught[i] for i in order[held:]]
    student = _fit(teacher.id, train, rng, settings)
    agreement = _agreement(student, [taught[i] for i in order[:held]])
    return Distilled(student, agreement, sum(len(frame) for frame in train))


def _agreement(student: FrameStudent, frames: Sequence[Sequence[tuple[Prompt, Judgment]]]) -> float:
    said = student.probabilities(np.stack([frame[0][0].images[0] for frame in frames]))
    right = [
        likeliest(said[i, student.actions.index(prompt.facts[ACTION])]) is answer.verdict
        for i, frame in enumerate(frames)
        for prompt, answer in frame
        if prompt.facts[ACTION] in student.actions
    ]
    return float(np.mean(right)) if right else 0.0


def _fit(
    teacher: str,
    frames: Sequence[Sequence[tuple[Prompt, Judgment]]],
    rng: np.random.Generator,
    settings: FrameSettings,
) -> FrameStudent:
    import torch

    actions = tuple(dict.fromkeys(prompt.facts[ACTION] for frame in frames for prompt, _ in frame))
    images = np.stack([frame[0][0].images[0] for frame in frames])
    pixels = shrink(images, settings.side)
    mean = pixels.mean(0)
    target = torch.zeros(len(frames), len(actions), len(MENU))  # rows of zeros where the teacher said nothing
    for i, frame in enumerate(frames):
        for prompt, answer in frame:
            certain = [float(answer.verdict is verdict) for verdict in MENU]
            target[i, actions.index(prompt.facts[ACTION])] = torch.tensor(list(answer.probabilities or certain))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        network = make_network(pixels.shape[2:], len(actions) * len(MENU))
    inputs = torch.from_numpy(pixels - mean)
    batches = -(-len(inputs) // settings.batch)
    adam = torch.optim.Adam(network.parameters(), settings.learning_rate)
    falling: Any = torch.optim.lr_scheduler.OneCycleLR(
        adam, 3 * settings.learning_rate, total_steps=settings.epochs * batches
    )
    for _ in range(settings.epochs):
        for batch in np.array_split(rng.permutation(len(inputs)), batches):
            logits = network(inputs[batch]).view(len(batch), len(actions), len(MENU))
            loss = -(target[batch] * logits.log_softmax(-1)).sum(-1).mean()
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()
            falling.step()
    weights = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}
    frame_size = (int(images.shape[1]), int(images.shape[2]))
    return FrameStudent(actions, frame_size, settings.side, mean, weights, teacher)
