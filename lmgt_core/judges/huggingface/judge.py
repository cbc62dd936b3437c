"""Any language model of transformers as a judge: from the hub or a local folder, text only or image and text.

`hf:MODEL[?revision=...&bits=4|8|16|32&device=...&mode=...&max_tokens=N&rows=N]`. Weights of 4 and 8 bits are
quantized with bitsandbytes after loading, on an accelerator or the CPU. No code from a model's repository is run.
"""

import hashlib
import importlib
import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lmgt_core.errors import UserError
from lmgt_core.judges.huggingface.shared_prefix import ROWS
from lmgt_core.judges.label_scoring import MAX_TOKENS, LabelScoringJudge, known_options, mode_option, whole_number
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.registry import JudgeContext, JudgeSpec

OPTIONS = ("revision", "bits", "device", "mode", "max_tokens", "rows")
PACKAGES = {"torch": "torch", "transformers": "transformers", "safetensors": "safetensors"}
GIB = 2**30
SAMPLE = 2**20  # bytes at either end of a weight file that name its content


class Wanted(NamedTuple):
    """What of a model is asked for."""

    name: str  # on the hub, or a folder
    revision: str | None
    bits: int | None  # of each weight; None: what suits the device
    device: str


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `hf:MODEL`; UserError for what is missing: weights, memory, a package, a device."""
    known_options(spec, spec.options, OPTIONS)
    if not spec.argument:
        raise UserError(f"--judge {spec}: hf:MODEL needs a model, a folder or a name on the hub")
    mode = mode_option(spec, spec.options.get("mode", "auto"))
    max_tokens = whole_number(spec, "max_tokens", spec.options.get("max_tokens", str(MAX_TOKENS)))
    rows = whole_number(spec, "rows", spec.options.get("rows", str(ROWS)))
    for module, package in PACKAGES.items():
        _need(spec, module, package)
    wanted = _wanted(spec)
    with _load_errors(spec), _quiet():
        model, id, vision = _load(spec, wanted, rows)
    kind = JudgeKind.VISION_LANGUAGE_MODEL if vision else JudgeKind.LANGUAGE_MODEL
    return LabelScoringJudge(model, id, kind, mode, max_tokens)


def _need(spec: JudgeSpec, module: str, package: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise UserError(f"--judge {spec}: needs the package {package}; pip install {package}")


def _wanted(spec: JudgeSpec) -> Wanted:
    import torch

    bits = spec.options.get("bits")
    if bits is not None and bits not in ("4", "8", "16", "32"):
        raise UserError(f"--judge {spec}: bits={bits} is none of 4, 8, 16, 32")
    if bits in ("4", "8"):
        _need(spec, "bitsandbytes", "bitsandbytes")
    device = spec.options.get("device") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--judge {spec}: device={device} cannot be used here ({reason}); use cpu") from None
    return Wanted(spec.argument, spec.options.get("revision"), int(bits) if bits else None, device)


@contextmanager
def _load_errors(spec: JudgeSpec) -> Iterator[None]:
    """Turns what loading a model can run into into one line."""
    import torch
    from safetensors import SafetensorError

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise UserError(f"--judge {spec}: not enough memory for this model; try bits=4, or a smaller one") from None
    except ImportError as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"--judge {spec}: the model needs a package that is not installed ({first})") from None
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "memory" in first.lower():
            raise UserError(f"--judge {spec}: not enough memory ({first}); try bits=4, or a smaller model") from None
        raise UserError(f"--judge {spec}: the model cannot be loaded ({first}); name a folder or a hub model") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's progress bars, and another's complaints about parts that are not used, off the screen."""
    logging.getLogger("torchao").setLevel(logging.ERROR)
    library: Any = importlib.import_module("transformers.utils.logging")
    bars = library.is_progress_bar_enabled()
    library.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            library.enable_progress_bar()


def _load(spec: JudgeSpec, wanted: Wanted, rows: int) -> tuple[Any, str, bool]:
    """The LabelModel, its id, and whether it sees images."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    from lmgt_core.judges.huggingface.quantize import quantize
    from lmgt_core.judges.huggingface.scoring import HfTextModel, HfVisionModel

    _check_folder(spec, wanted.name)
    config = AutoConfig.from_pretrained(wanted.name, revision=wanted.revision)
    vision = config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    _check_memory(spec, wanted)
    auto = AutoModelForImageTextToText if vision else AutoModelForCausalLM
    precision = _precision(wanted)
    model: Any = auto.from_pretrained(wanted.name, revision=wanted.revision, dtype=precision)
    model.eval().requires_grad_(False)
    if wanted.bits in (4, 8):
        quantize(model, wanted.bits, precision)
    model.to(wanted.device)
    text_config = config.get_text_config()
    context = int(getattr(text_config, "max_position_embeddings", None) or 2048)
    bits = wanted.bits or torch.finfo(precision).bits
    id = f"hf:{Path(wanted.name).name}:{_content(wanted.name, config)}:{bits}:{str(precision).removeprefix('torch.')}"
    reader = _reader(wanted, vision)
    if vision:
        return HfVisionModel(model, reader, context, min(rows, 8)), id, True
    return HfTextModel(model, reader, context, rows), id, False


def _reader(wanted: Wanted, vision: bool) -> Any:
    """The model's tokenizer, or its processor of images and text."""
    from transformers import AutoProcessor, AutoTokenizer

    return (AutoProcessor if vision else AutoTokenizer).from_pretrained(wanted.name, revision=wanted.revision)


def _check_folder(spec: JudgeSpec, name: str) -> None:
    """UserError for what can only be a folder and is not there, or is not a model's."""
    folder = Path(name)
    looks_local = folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1
    if not folder.is_dir():
        if looks_local:
            raise UserError(f"--judge {spec}: {name}: no such folder; name a model's folder or a hub model")
        return
    if not (folder / "config.json").is_file():
        raise UserError(f"--judge {spec}: {name}: no model, its config.json is missing")
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise UserError(f"--judge {spec}: {name}: the weights are missing (*.safetensors)")


def _check_memory(spec: JudgeSpec, wanted: Wanted) -> None:
    """UserError when a folder's weights are larger than the memory that is free on the CPU."""
    size = sum(file.stat().st_size for file in Path(wanted.name).glob("*.safetensors"))
    free = free_memory()
    if free is not None and size > free:
        raise UserError(
            f"--judge {spec}: the weights take {size / GIB:.1f} GiB, {free / GIB:.1f} GiB are free; use a smaller model"
        )


def free_memory() -> int | None:
    """Bytes of memory that are free or can be freed; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, AttributeError):
        return None


def _precision(wanted: Wanted) -> Any:
    """The arithmetic's type: bfloat16 on accelerators and with bits=16, else float32.

    On a processor bfloat16 would be faster, but there a question's answer would depend on the questions beside it.
    """
    import torch

    on_processor = wanted.device.startswith("cpu")
    return torch.float32 if wanted.bits == 32 or (on_processor and wanted.bits != 16) else torch.bfloat16


def _content(name: str, config: Any) -> str:
    """What names the weights: the hub's commit, or for a folder the first 12 hex digits of a SHA-256.

    That covers all of its small files, and of weight files the size and a megabyte at either end: hashing tens of
    gigabytes would take longer than loading them.
    """
    folder = Path(name)
    if not folder.is_dir():
        return str(getattr(config, "_commit_hash", None) or "unknown")[:12]
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.iterdir() if f.is_file()):
        size = file.stat().st_size
        digest.update(f"{file.name}\0{size}\0".encode())
        with file.open("rb") as content:
            digest.update(content.read(SAMPLE))
            content.seek(max(0, size - SAMPLE))
            digest.update(content.read())
    return digest.hexdigest()[:12]
