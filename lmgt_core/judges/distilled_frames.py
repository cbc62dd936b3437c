"""A small convolutional network that judges frames as its teacher did: one look at a frame judges all actions in it.

Trained on labels: it is only as good as its teacher, on frames like those that it was taught with.
`lmgt_core/distill/frames.py` trains it. Frames are shrunk by a whole number (the mean of each block).
"""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic
from lmgt_core.judges.label_scoring import MENU, likeliest
from lmgt_core.judging.description import Image
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt

FORMAT = "lmgt-distilled-frames-1"
ACTION = "action"  # the fact that names the action
BATCH = 128
Pixels = NDArray[np.float32]  # [batch, 3, height, width]


def shrink(frames: NDArray[np.uint8], side: int) -> Pixels:
    """Frames [batch, height, width, 3] whose longer side is at most `side`, channels first, in [0, 1]."""
    height, width = frames.shape[1:3]
    factor = max(1, -(-max(height, width) // side))
    rows, columns = height // factor, width // factor
    blocks = frames[:, : rows * factor, : columns * factor].reshape(-1, rows, factor, columns, factor, 3)
    return np.ascontiguousarray(blocks.mean((2, 4), dtype=np.float32).transpose(0, 3, 1, 2)) / 255


def make_network(shape: Sequence[int], actions: int) -> Any:
    """The network for shrunk frames of `shape` (height, width): logits [batch, action * verdict]."""
    from torch import nn

    height, width = (-(-n // 8) for n in shape)  # three layers of stride 2, each rounding up
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, 2, 2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * height * width, 128),
        nn.ReLU(),
        nn.Linear(128, actions * len(MENU)),
    )


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
        import torch

        pixels = shrink(frames, self.side) - self.mean
        with torch.inference_mode():
            parts = [self._network(torch.from_numpy(pixels[i : i + BATCH])) for i in range(0, len(pixels), BATCH)]
            shaped = torch.cat(parts).double().view(len(frames), len(self.actions), len(MENU))
            said: NDArray[np.float64] = shaped.softmax(-1).numpy()
        return said

    @cached_property
    def _network(self) -> Any:
        import torch

        network = make_network(self.mean.shape[1:], len(self.actions))
        network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in self.weights.items()})
        return network.eval()

    @cached_property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of all that changes its answers."""
        known = repr((self.actions, self.frame, self.side)).encode()
        arrays = (self.mean, *(self.weights[name] for name in sorted(self.weights)))
        return hashlib.sha256(known + b"".join(a.tobytes() for a in arrays)).hexdigest()[:12]


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
    text = np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), np.uint8)
    file = BytesIO()
    weights: dict[str, Any] = {f"weights.{name}": array for name, array in student.weights.items()}
    np.savez(file, about=text, mean=student.mean, **weights)
    write_atomic(path, file.getvalue())


def load_frame_judge(path: Path) -> FrameJudge:
    """The judge in `path`; UserError for anything that is not one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            mean = file["mean"]
            weights = {name.removeprefix("weights."): file[name] for name in file.files if name.startswith("weights.")}
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}")
        if any(a.dtype != np.float32 or not np.isfinite(a).all() for a in (mean, *weights.values())):
            raise ValueError("its numbers are not finite floats")
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
