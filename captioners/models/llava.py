"""The `llava` captioner: any image-text model of transformers, from the hub or a local folder.

`llava:MODEL[?revision=...&bits=4|8|16|32&device=...&max_tokens=N&batch=N]`. The model is loaded and asked as the judge
`hf:MODEL` is. Replies are greedy, so equal images get equal captions.
"""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from captioners.captioner import Caption, CaptionerError, CaptionFailure, Images, check_images
from captioners.models.llava_folder import check_world
from captioners.strips import apart
from lmgt_core.errors import UserError
from lmgt_core.judges.huggingface.loading import Loaded, Taught, taught, wanted
from lmgt_core.judges.huggingface.loading import load as load_model
from lmgt_core.judges.label_scoring import whole_number
from lmgt_core.judging.prompt import Prompt

if TYPE_CHECKING:
    from lmgt_core.judges.huggingface.scoring import HfVisionModel

OPTIONS = ("revision", "bits", "device", "max_tokens", "batch")
MAX_TOKENS = 96
BATCH = 8


class ImageTextCaptioner:
    """Describes images as `prompt` asks."""

    privileged = False

    def __init__(
        self, model: "HfVisionModel", id: str, prompt: str, max_tokens: int, frames: int = 1, on_labels: bool = False
    ) -> None:
        self.model, self.prompt, self.max_tokens = model, prompt, max_tokens
        self.frames, self.on_labels = frames, on_labels
        digest = hashlib.sha256(prompt.encode()).hexdigest()[:12]
        self.id = f"{id}:{max_tokens}:prompt={digest}"

    def caption(self, images: Images) -> list[Caption]:
        """What the model writes about each image; an empty reply is a failure.

        A model that takes several frames is shown those of the strip that an image is.
        """
        check_images(images)
        captions: list[Caption] = []
        for start in range(0, len(images), self.model.rows):
            some = images[start : start + self.model.rows]
            try:
                asked = [Prompt("", self.prompt, apart(image, self.frames)) for image in some]
                written = [" ".join(reply.text.split()) for reply in self.model.generate(asked, self.max_tokens)]
                captions += [text or CaptionFailure("the model wrote nothing") for text in written]
            except (ValueError, IndexError, ZeroDivisionError) as error:  # what processors say of odd images
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                captions += [CaptionFailure(f"the model cannot read the image ({reason})") for _ in some]
        return captions


def load(model: str, options: Mapping[str, str], prompt: str, world: str | None = None) -> ImageTextCaptioner:
    """The captioner; CaptionerError for what is missing: weights, a package, a device, eyes.

    A folder that was trained for another world than `world` is refused.
    """
    spec = f"llava:{model}"
    for name in options:
        if name not in OPTIONS:
            raise CaptionerError(f"{spec}: unknown option {name}; it takes {', '.join(OPTIONS)}")
    if not model:
        raise CaptionerError("llava:MODEL needs a model, a folder or a name on the hub")
    try:
        max_tokens, batch = (
            whole_number(spec, name, options.get(name, str(default)))
            for name, default in (("max_tokens", MAX_TOKENS), ("batch", BATCH))
        )
        known = taught(model) if world is None else check_world(model, world)
        found = load_model(wanted(f"--captioner {spec}", model, options))
        return _captioner(spec, found, known, prompt, max_tokens, batch)
    except UserError as error:
        raise CaptionerError(str(error).replace("--judge", "--captioner", 1)) from None


def _captioner(
    spec: str, found: Loaded, known: Taught | None, prompt: str, max_tokens: int, batch: int
) -> ImageTextCaptioner:
    if not found.sees_images:
        raise CaptionerError(
            f"{spec}: a {found.model.config.model_type} model sees no images; name an image-text model"
        )
    from lmgt_core.judges.huggingface.scoring import HfVisionModel

    model = HfVisionModel(found.model, found.reader, found.context, batch)
    repairs = "".join(f":{repair}" for repair in model.chat.repairs)
    labels = ":trained on labels" if known else ""
    id = f"llava:{found.name}:{found.content}:{found.bits}{repairs}{labels}"
    return ImageTextCaptioner(model, id, prompt, max_tokens, known.frames if known else 1, known is not None)
