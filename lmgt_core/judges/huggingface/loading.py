"""A model of transformers from the hub or a local folder, loaded for judges and captioners alike.

Weights of 4 and 8 bits are quantized with bitsandbytes after loading, on an accelerator or the CPU. No code from a
model's repository is run.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lmgt_core.errors import UserError
from lmgt_core.extras import need
from lmgt_core.files import read_json
from lmgt_core.judges.quiet_libraries import quiet_libraries, without_progress_bars

PACKAGES = ("torch", "transformers", "safetensors")
GIB = 2**30
SAMPLE = 2**20  # bytes at either end of a weight file that name its content
HUB_TIMEOUT = 10.0  # seconds
TAUGHT = "lmgt.json"  # in the folder of a model that lmgt captioner train has made


class Wanted(NamedTuple):
    """What of a model is asked for."""

    spec: str  # as it was named, with its flag: `--judge hf:MODEL`
    name: str  # on the hub, or a folder
    revision: str | None
    bits: int | None  # of each weight; None: what suits the device
    device: str


class Taught(NamedTuple):
    """What a model was trained for, from scratch and on labels; see `lmgt captioner train --architecture llava`."""

    world: str
    frames: int  # images a question
    trained_on_labels: bool = True


class Loaded(NamedTuple):
    """A model, its tokenizer or processor, and what it is."""

    model: Any
    reader: Any
    context: int  # tokens that it can read and write
    sees_images: bool
    name: str  # without the folders above it
    content: str  # names the weights
    bits: int
    precision: str


def wanted(spec: str, name: str, options: Mapping[str, str]) -> Wanted:
    """What is asked for; UserError for a missing package, a device that is not there, or odd bits."""
    quiet_libraries()
    need(spec, *PACKAGES)
    import torch

    bits = options.get("bits")
    if bits is not None and bits not in ("4", "8", "16", "32"):
        raise UserError(f"{spec}: bits={bits} is none of 4, 8, 16, 32")
    if bits in ("4", "8"):
        need(spec, "bitsandbytes")
    device = options.get("device") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{spec}: device={device} cannot be used here ({reason}); use cpu") from None
    return Wanted(spec, name, options.get("revision"), int(bits) if bits else None, device)


def taught(name: str) -> Taught | None:
    """What the model in the folder `name` was trained on labels for; None for any other model.

    UserError for a damaged lmgt.json.
    """
    file = Path(name) / TAUGHT
    if not file.is_file():
        return None
    try:
        found = read_json(file)
        return Taught(str(found["world"]), int(found["frames"]), bool(found["trained_on_labels"]))
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{file}: does not say what the model was trained for; train it again") from None


def load(wanted: Wanted) -> Loaded:
    """The model; UserError for what is missing: weights, memory, a package."""
    with _errors(wanted.spec):
        return _load(wanted)


@contextmanager
def _errors(spec: str) -> Iterator[None]:
    """Turns what loading a model can run into into one line."""
    import torch
    from safetensors import SafetensorError

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise UserError(f"{spec}: not enough memory for this model; try bits=4, or a smaller one") from None
    except ImportError as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"{spec}: the model needs a package that is not installed ({first})") from None
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "memory" in first.lower():
            raise UserError(f"{spec}: not enough memory ({first}); try bits=4, or a smaller model") from None
        raise UserError(f"{spec}: the model cannot be loaded ({first}); name a folder or a hub model") from None


def _load(wanted: Wanted) -> Loaded:
    without_progress_bars()
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    from lmgt_core.judges.huggingface.quantize import quantize

    _check_folder(wanted)
    where: dict[str, Any] = {"revision": wanted.revision, "local_files_only": _on_this_machine_only(wanted)}
    config = AutoConfig.from_pretrained(wanted.name, **where)
    vision = config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    _check_memory(wanted)
    auto = AutoModelForImageTextToText if vision else AutoModelForCausalLM
    precision = _precision(wanted)
    model: Any = auto.from_pretrained(wanted.name, dtype=precision, **where)
    model.eval().requires_grad_(False)
    if wanted.bits in (4, 8):
        quantize(model, wanted.bits, precision)
    model.to(wanted.device)
    reader: Any = AutoProcessor if vision else AutoTokenizer  # their constructors have no types
    return Loaded(
        model,
        reader.from_pretrained(wanted.name, **where),
        int(getattr(config.get_text_config(), "max_position_embeddings", None) or 2048),
        vision,
        Path(wanted.name).name,
        _content(wanted.name, config),
        wanted.bits or torch.finfo(precision).bits,
        str(precision).removeprefix("torch."),
    )


def _on_this_machine_only(wanted: Wanted) -> bool:
    """Whether the hub is left alone: for a folder, and where it is out of reach and the model was loaded before.

    Asked once and without the library's five tries; UserError when the hub has no such model or cannot be reached.
    """
    from huggingface_hub import HfApi, constants, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if Path(wanted.name).is_dir():
        return True
    try:
        kept = isinstance(try_to_load_from_cache(wanted.name, "config.json", revision=wanted.revision), str)
        if constants.HF_HUB_OFFLINE and not kept:
            raise UserError(f"{wanted.spec}: the model is not on this machine, and HF_HUB_OFFLINE keeps the hub away")
        if not constants.HF_HUB_OFFLINE:
            HfApi().model_info(wanted.name, revision=wanted.revision, timeout=HUB_TIMEOUT)
        return bool(constants.HF_HUB_OFFLINE)
    except HFValidationError:
        raise UserError(f"{wanted.spec}: {wanted.name} is neither a folder nor a name on the hub") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403, 404):
            way = "it may be private or gated: log in with `hf auth login`, or name another"
            raise UserError(f"{wanted.spec}: the hub has no such model for you (HTTP {status}); {way}") from None
        reason = f"HTTP {status}"
    except Exception as error:  # of whatever HTTP library the hub's client uses
        if isinstance(error, UserError):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
    if not kept:
        raise UserError(f"{wanted.spec}: the hub cannot be reached ({reason}), and the model is not on this machine")
    return True


def _check_folder(wanted: Wanted) -> None:
    """UserError for what can only be a folder and is not there, or is not a model's."""
    spec, name, folder = wanted.spec, wanted.name, Path(wanted.name)
    looks_local = folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1
    if not folder.is_dir():
        if looks_local:
            raise UserError(f"{spec}: {name}: no such folder; name a model's folder or a hub model")
        return
    if not (folder / "config.json").is_file():
        raise UserError(f"{spec}: {name}: no model, its config.json is missing")
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise UserError(f"{spec}: {name}: the weights are missing (*.safetensors)")


def _check_memory(wanted: Wanted) -> None:
    """UserError when a folder's weights are larger than the memory that is free on the CPU."""
    size = sum(file.stat().st_size for file in Path(wanted.name).glob("*.safetensors"))
    free = free_memory()
    if free is not None and size > free:
        raise UserError(
            f"{wanted.spec}: the weights take {size / GIB:.1f} GiB, {free / GIB:.1f} GiB are free; use a smaller model"
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
