"""A captioner's name on a command line becomes a captioner: `ocr`, `objects`, `trained:FILE`, `llava:MODEL?bits=8`,
`openai:MODEL@URL`. A captioner's module is imported when it is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from captioners.captioner import Captioner, CaptionerError
from lmgt_core.judging.registry import JudgeSpec, split_spec

NAMES: Mapping[str, str] = {
    "ocr": "reads what is written in a frame (RapidOCR)",
    "objects": "privileged: what the game's memory holds, in words",
    "trained": "trained:FILE, a small network taught with known descriptions (lmgt captioner train)",
    "llava": "llava:MODEL[?bits=8], an image-text model from a local folder or hub; hf:MODEL is the same",
    "openai": "openai:MODEL@URL, an image-text model over HTTP",
}


@dataclass(frozen=True)
class CaptionerContext:
    """What a world lends to its captioners."""

    world: str
    prompt: str
    """What image-text models are asked."""
    make: Mapping[str, Callable[[], Captioner]] = field(default_factory=dict)
    """The world's own captioners, by name."""


def make_captioner(spec: str, context: CaptionerContext) -> Captioner:
    """The captioner called `spec`; CaptionerError for an unknown name, a bad argument, or what is missing."""
    name, argument, options = parse_captioner(spec)
    if name in context.make:
        if argument or options:
            raise CaptionerError(f"--captioner {spec}: {name} takes no argument and no options")
        return context.make[name]()
    if name == "trained":
        from captioners.models.trained import load_captioner

        if not argument:
            raise CaptionerError(f"--captioner {spec}: trained:FILE needs a file of lmgt captioner train")
        captioner = load_captioner(Path(argument))
        if captioner.world != context.world:
            raise CaptionerError(f"{argument}: was trained for {captioner.world}, not for {context.world}")
        return captioner
    if name in ("llava", "hf"):
        from captioners.models.llava import load

        return load(argument, options, context.prompt, context.world)
    if name == "openai":
        from captioners.models.openai_server import load as load_served

        return load_served(argument, options, context.prompt)
    raise CaptionerError(f"--captioner {spec}: no such captioner here; choose one of {', '.join(NAMES)}")


def parse_captioner(spec: str) -> JudgeSpec:
    """Name, argument and options of `name:argument?option=value&...`; "" and {} where there are none."""
    parsed = split_spec(spec)
    if not parsed.provider:
        raise CaptionerError(f"--captioner {spec!r}: a captioner is named name or name:argument, like ocr")
    return parsed
