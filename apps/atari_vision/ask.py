"""`lmgt atari ask`: one picture and one action to a judge, and everything that is said about them."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture
from PIL import UnidentifiedImageError

from apps.atari_vision.config import AskConfig
from apps.atari_vision.describe import FrameDescriber
from apps.atari_vision.domain import check_judge_of_captions, seeing_judge, world_captioner
from apps.atari_vision.worlds import World, world
from captioners.captioner import Caption, CaptionFailure, Image
from captioners.memory import FrameMemory
from lmgt_core.audit.commands import answer_lines, heard
from lmgt_core.errors import UserError
from lmgt_core.judging.judge import ask
from lmgt_core.judging.registry import NONE
from lmgt_core.judging.uncaptioned import CaptionedOnly
from lmgt_core.rules.make import make_rule
from lmgt_core.terminal.tables import write_rows

ORACLES = ("oracle", "noisy-oracle")


def main(config: AskConfig) -> dict[str, Any]:
    """Asks, prints caption, prompt, reply, probabilities, verdict and shift, and returns them."""
    made = world(config.env)
    action = made.action(config.action)
    rule = make_rule(config.rule, config.scale, 1)
    template = made.template(config.strategy, config.prompts)
    image = read_image(config.frame)
    _check_without_memory(config)
    check_judge_of_captions(config.judge, config.captioner)
    memory = FrameMemory()
    captioner = world_captioner(config.captioner, made, memory)
    judge = seeing_judge(config.judge, made, memory, captioned=captioner is not None)
    if judge is None:
        raise UserError(f"--judge {config.judge}: there is nobody to ask; name a judge")
    caption = None if captioner is None else captioner.caption(image[None])[0]
    describe = FrameDescriber(made, captioner, memory)
    told = describe.of_frame(image, action) if caption is None else describe.of_caption(caption, action)
    prompt = template.render(told)
    (judgment,) = ask(CaptionedOnly(judge), [prompt])
    answer = {
        "frame": config.frame.as_posix(),
        "captioner": "none" if captioner is None else captioner.id,
        "caption": caption if isinstance(caption, str) else None,
        "uncaptioned": caption.reason if isinstance(caption, CaptionFailure) else "",
        **heard(judge, prompt, judgment, float(rule.delta([judgment])[0])),
    }
    print("\n".join([*picture_lines(config.frame, image, made, caption), *answer_lines(answer)]))
    if config.json is not None:
        write_rows(config.json, [answer])
    return answer


def read_image(path: Path) -> Image:
    """The picture in `path` as uint8 RGB [height, width, 3]; UserError for what is no whole picture."""
    try:
        if path.stat().st_size == 0:
            raise UserError(f"--frame {path}: the file is empty; give a picture such as a PNG")
        with Picture.open(path) as picture:
            return np.array(picture.convert("RGB"))
    except UnidentifiedImageError:
        raise UserError(f"--frame {path}: is no picture that can be read; give a PNG or JPEG") from None
    except FileNotFoundError:
        raise UserError(f"--frame {path}: no such file") from None
    except (OSError, SyntaxError, ValueError, Picture.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--frame {path}: the picture is damaged ({reason}); save it again") from None


def _check_without_memory(config: AskConfig) -> None:
    """UserError for what would look behind the picture: a file has no game's memory."""
    if config.captioner.strip() == "objects":
        raise UserError("--captioner objects: reads a running game's memory, and a file has none; take another")
    if config.judge.partition(":")[0] in ORACLES and config.captioner.strip() == NONE:
        raise UserError(
            f"--judge {config.judge}: looks frames up in a running game's memory, and a file has none; give it a "
            "--captioner whose words it can read, or take another judge"
        )


def picture_lines(path: Path, image: Image, made: World, caption: Caption | None) -> list[str]:
    """What was shown, for people: the file, its size, and its caption or why there is none."""
    height, width = image.shape[:2]
    usual = "" if (height, width) == made.shape else f"; frames of {made.name} have {made.shape[1]}x{made.shape[0]}"
    lines = [f"frame    {path} ({width}x{height} pixels{usual})"]
    if isinstance(caption, CaptionFailure):
        return [*lines, f"caption  none: {caption.reason}"]
    return [*lines, "caption  none: the judge sees the picture" if caption is None else f"caption  {caption}"]
