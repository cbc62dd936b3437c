"""`gguf:FILE|NAME[?ctx=&threads=&mode=&max_tokens=&mmproj=]`: a GGUF model judges, run by llama.cpp in this process.

FILE is any GGUF file, of any architecture that llama.cpp knows; NAME is a model of `lmgt models`. Answers are equal bit
for bit whatever is asked beside or before (see engine.py), on one thread or several, after a restart; the judge's id
names the file's content, the context and the engine's version, since another build may calculate otherwise. Several
questions at once (llama.cpp's slots) would give that up, so they are asked one after another.
"""

import mmap
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import MAX_TOKENS, LabelScoringJudge, known_options, mode_option, whole_number
from lmgt_core.judges.llamacpp.engine import PACKAGE, Engine, Settings
from lmgt_core.judges.llamacpp.model import GgufModel
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.registry import JudgeContext, JudgeSpec
from lmgt_core.models.store import content_hash, find_model

OPTIONS = ("ctx", "threads", "mode", "max_tokens", "mmproj")
CONTEXT = 4096
HEADER = 64 * 2**20  # bytes at a file's beginning in which its metadata lies
TEMPLATE = b"tokenizer.chat_template"


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `gguf:FILE|NAME`; UserError for what is missing: the file, the package, memory."""
    known_options(spec, spec.options, OPTIONS)
    if not spec.argument:
        raise UserError(f"--judge {spec}: gguf:FILE or gguf:NAME; `lmgt models` lists the names")
    mode = mode_option(spec, spec.options.get("mode", "auto"))
    max_tokens = whole_number(spec, "max_tokens", spec.options.get("max_tokens", str(MAX_TOKENS)))
    room = whole_number(spec, "ctx", spec.options.get("ctx", str(CONTEXT)), 64)
    threads = whole_number(spec, "threads", spec.options.get("threads", str(free_cores())))
    file = find_model(spec.argument)
    if not is_gguf(file):
        raise UserError(f"--judge {spec}: {file} is no GGUF file (its first bytes are not GGUF)")
    projector = find_model(spec.options["mmproj"]) if "mmproj" in spec.options else None
    model = load_model(Settings(file, room, threads, projector))
    parts = [spec.argument if not Path(spec.argument).suffix else file.name, content_hash(file)[:12], f"ctx{room}"]
    if projector is not None:
        parts.append(f"mmproj-{content_hash(projector)[:12]}")
    kind = JudgeKind.VISION_LANGUAGE_MODEL if model.sees_images else JudgeKind.LANGUAGE_MODEL
    return LabelScoringJudge(model, ":".join(["gguf", *parts, engine_version()]), kind, mode, max_tokens)


@cache
def load_model(settings: Settings) -> GgufModel:
    """The model, one for the process: loading takes seconds."""
    return GgufModel(Engine(settings), mentions(settings.file, TEMPLATE))


def engine_version() -> str:
    """`llama.cpp-` and the package's version."""
    try:
        return f"llama.cpp-{version(PACKAGE)}"
    except PackageNotFoundError:
        return "llama.cpp"


def free_cores() -> int:
    """Cores that nobody used in the last minute, at least one; answers do not depend on their number.

    llama.cpp's threads wait for each other by spinning: more of them than free cores made it three times slower.
    """
    try:
        cores, busy = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    except (AttributeError, OSError):
        cores, busy = os.cpu_count() or 1, 0.0
    return max(1, cores - round(busy))


def is_gguf(file: Path) -> bool:
    """Whether the file's first bytes are those of a GGUF file."""
    with file.open("rb") as content:
        return content.read(4) == b"GGUF"


def mentions(file: Path, key: bytes) -> bool:
    """Whether a GGUF file's metadata has the key `key`."""
    with file.open("rb") as content, mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(key, 0, min(len(data), HEADER)) >= 0
