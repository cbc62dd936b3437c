"""A small convolutional network that judges frames as its teacher did: one look at a frame judges all actions in it.

Trained on labels: it is only as good as its teacher, on frames like those that it was taught with.
`lmgt_core/distill/frames.py` trains it.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic
from lmgt_core.judges.frame_network import digest, from_file, load_network, logits, shrink, to_file
from lmgt_core.judges.label_scoring import MENU, likeliest
from lmgt_core.judging.description import Image
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt

FORMAT = "lmgt-distilled-frames-1"
ACTION = "action"  # the fact that names the action


@dataclass(frozen=True, eq=False)
class FrameStudent:
    """The network's numbers, the actions that it knows, and the size of the frames that it was taught with."""

    actions: tuple[str, ...]
    frame: tuple[int, int]  # height and width
    side: int
    mean: NDArray[np.float32]  # [3, height, width] of the shrunk frames
    weights: dict[str, NDArray[np.float32]]
    teacher: str  # the judge's id

    def probabilities(self, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
        """What it says of frames: [frame, action, verdict]."""
        said = logits(self._network, shrink(frames, self.side), self.mean)
        shaped: NDArray[np.float64] = said.double().view(len(frames), len(self.actions), len(MENU)).softmax(-1).numpy()
        return shaped

    @cached_property
    def _network(self) -> Any:
        return load_network(self.mean.shape[1:], len(self.actions) * len(MENU), self.weights)

    @cached_property
    def digest(self) -> str:
        """Names all that changes its answers."""
        return digest((self.actions, self.frame, self.side), self.mean, self.weights)


class FrameJudge:
    """A student of frames as a judge; what it was not taught it abstains from, words alone it cannot read."""

    kind = JudgeKind.TRAINED
    cacheable = False  # looking is as quick as looking up

    def __init__(self, student: FrameStudent) -> None:
        self.student = student
        self.id = f"distilled-frames:{student.digest}"

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """One judgment a prompt; frames that stand behind several prompts are looked at once."""
        known = {i: prompt.images[0] for i, prompt in enumerate(prompts) if not self._unknown(prompt)}
        frames: dict[bytes, Image] = {image.tobytes(): image for image in known.values()}
        looked = self.student.probabilities(np.stack(list(frames.values()))) if frames else np.zeros((0, 0, 3))
        said = dict(zip(frames, looked, strict=True))
        return [
            self._judgment(prompt, said[known[i].tobytes()]) if i in known else self._refusal(prompt)
            for i, prompt in enumerate(prompts)
        ]

    def _judgment(self, prompt: Prompt, said: NDArray[np.float64]) -> Judgment:
        good, neutral, bad = said[self.student.actions.index(prompt.facts[ACTION])].tolist()
        return Judgment(likeliest((good, neutral, bad)), (good, neutral, bad))

    def _refusal(self, prompt: Prompt) -> Judgment:
        judgment = Judgment(Verdict.UNREADABLE if not prompt.images else Verdict.NEUTRAL, reason=self._unknown(prompt))
        return judgment if not prompt.images else judgment.abstain(judgment.reason)

    def _unknown(self, prompt: Prompt) -> str:
        """Why a question is unlike those that it was taught with; "" where it is not."""
        if len(prompt.images) != 1:
            return f"it judges one frame, and the question has {len(prompt.images)}"
        if prompt.images[0].shape[:2] != self.student.frame:
            height, width = self.student.frame
            return f"it was taught with frames of {width}x{height} pixels"
        if prompt.facts.get(ACTION) not in self.student.actions:
            return "it was never taught this action"
        return ""


def save_frame_student(student: FrameStudent, path: Path) -> None:
    """Writes the student to `path`, whole or not at all: an .npz of plain arrays, nothing in it is code."""
    about = {
        "format": FORMAT,
        "actions": list(student.actions),
        "frame": list(student.frame),
        "side": student.side,
        "teacher": student.teacher,
    }
    write_atomic(path, to_file(about, student.mean, student.weights))


def load_frame_judge(path: Path) -> FrameJudge:
    """The judge in `path`; UserError for anything that is not one."""
    try:
        about, mean, weights = from_file(path, FORMAT)
        height, width = (int(n) for n in about["frame"])
        student = FrameStudent(
            tuple(about["actions"]), (height, width), int(about["side"]), mean, weights, str(about["teacher"])
        )
        student._network  # noqa: B018 - weights that do not fit are a mistake of the file, to be told now
        return FrameJudge(student)
    except OSError as error:
        raise UserError(f"{path}: cannot be read as a distilled judge ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{path}: no judge distilled on frames, or a damaged one ({reason}); distil it again") from None
