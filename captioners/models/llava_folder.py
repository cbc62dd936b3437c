"""A trained LLaVA as an ordinary Hugging Face folder, with a README and `lmgt.json`, which says what it was taught."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioners.captioner import CaptionerError
from lmgt_core.errors import UserError
from lmgt_core.files import sync_folder, write_atomic, write_json_atomic
from lmgt_core.judges.huggingface.loading import TAUGHT, Taught, taught

LAST = "config.json"  # without it a folder is no model yet


@dataclass(frozen=True)
class Report:
    """What a folder's README tells of a training."""

    command: str
    frames: int
    """Frames that it was shown in training, not all different."""
    minutes: float
    parameters: int
    seed: int
    figures: Mapping[str, str]
    """What was measured on frames that it was not taught with: name -> figure, in words."""


def save_folder(model: Any, processor: Any, folder: Path, world: str, frames: int) -> None:
    """Writes weights, processor and lmgt.json to `folder`; until the last file is there it is no model."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving") as made:
            model.save_pretrained(made)
            processor.save_pretrained(made)
            write_json_atomic(Path(made) / TAUGHT, Taught(world, frames)._asdict())
            names = sorted((path.name for path in Path(made).iterdir()), key=lambda name: name == LAST)
            for name in names:
                os.replace(Path(made) / name, folder / name)
        sync_folder(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from error


def check_world(folder: str, world: str) -> Taught | None:
    """What the model in `folder` was taught, None for any other model; CaptionerError where it is another world."""
    found = taught(folder)
    if found is not None and found.world != world:
        raise CaptionerError(f"{folder}: was trained for {found.world}, not for {world}")
    return found


def write_readme(folder: Path, world: str, frames: int, report: Report) -> None:
    """The folder's README.md: what the model is, that it was trained on labels, how it is loaded, what it is worth."""
    images = "one image" if frames == 1 else f"{frames} images, the last moments, the oldest first"
    figures = "\n".join(f"| {name} | {figure} |" for name, figure in report.figures.items())
    write_atomic(folder / "README.md", README.format(
        world=world, images=images, figures=figures, command=report.command, shown=f"{report.frames:,}",
        minutes=f"{report.minutes:.0f}", millions=f"{report.parameters / 1e6:.1f}", seed=report.seed,
        pictures="image" if frames == 1 else f"image1, ..., image{frames}",
        parts='{"type": "image"}' + ("" if frames == 1 else f" (times {frames})"),
    ))  # fmt: skip


README = """---
library_name: transformers
pipeline_tag: image-text-to-text
---
# A small LLaVA for {world}, **trained on labels**

Trained from scratch by `lmgt` on rendered frames of one world: it describes a frame, and says whether an action in it
is good, neutral or bad. Its captions were learnt from the true state, its verdicts from the world's expert, so it is
**trained on labels**: it shows how well a model of this kind can see, not what a language model knows by itself. It
knows nothing but {world}, and takes {images} a question.

| what | |
| --- | --- |
{figures}
| parameters | {millions} million |
| frames shown in training | {shown} |
| minutes | {minutes} |
| seed | {seed} |

    {command}

```python
from transformers import AutoModelForImageTextToText, AutoProcessor

model, processor = AutoModelForImageTextToText.from_pretrained(FOLDER), AutoProcessor.from_pretrained(FOLDER)
turns = [{{"role": "user", "content": [{parts}, {{"type": "text", "text": QUESTION}}]}}]
text = processor.apply_chat_template(turns, add_generation_prompt=True)
inputs = processor(text=text, images=[{pictures}], return_tensors="pt")
print(processor.decode(model.generate(**inputs, max_new_tokens=64)[0], skip_special_tokens=True))
```
"""
