"""The `llava` captioner: any image-text model of transformers, from the hub or a local folder.

`llava:MODEL[?revision=...&bits=8|16|32&device=...&max_tokens=N&batch=N]`. Replies are greedy, so equal images get equal
captions. No code from a model's repository is run.
"""

import hashlib
import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from captioners.captioner import Caption, CaptionerError, CaptionFailure, Images, check_images

OPTIONS = ("revision", "bits", "device", "max_tokens", "batch")
PACKAGES = ("torch", "transformers", "safetensors")
SAMPLE = 2**20  # bytes at either end of a weight file that name its content
MAX_TOKENS = 96
BATCH = 8


class ImageTextCaptioner:
    """Describes images as `prompt` asks; batches are padded on the left."""

    privileged = False

    def __init__(self, model: Any, processor: Any, id: str, prompt: str, max_tokens: int, batch: int) -> None:
        self.model, self.processor, self.prompt = model, processor, prompt
        self.max_tokens, self.batch = max_tokens, batch
        self.processor.tokenizer.padding_side = "left"
        digest = hashlib.sha256(prompt.encode()).hexdigest()[:12]
        self.id = f"{id}:{max_tokens}:prompt={digest}"

    def caption(self, images: Images) -> list[Caption]:
        """What the model writes about each image; an empty reply is a failure."""
        check_images(images)
        captions: list[Caption] = []
        for start in range(0, len(images), self.batch):
            some = images[start : start + self.batch]
            try:
                captions += self._write(some)
            except (ValueError, IndexError, ZeroDivisionError) as error:  # what processors say of odd images
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                captions += [CaptionFailure(f"the model cannot read the image ({reason})") for _ in some]
        return captions

    def _write(self, images: Images) -> list[Caption]:
        import torch

        content = [{"type": "image"}, {"type": "text", "text": self.prompt}]
        text = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        inputs = self.processor(
            text=[text] * len(images), images=[[image] for image in images], return_tensors="pt", padding=True
        )
        floats = self.model.dtype
        on_device = {
            name: value.to(self.model.device, floats if value.is_floating_point() else value.dtype)
            for name, value in inputs.items()
        }
        tokenizer = self.processor.tokenizer
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        with torch.inference_mode():
            out = self.model.generate(
                **on_device, max_new_tokens=self.max_tokens, do_sample=False, pad_token_id=pad
            )  # fmt: skip
        written = tokenizer.batch_decode(out[:, on_device["input_ids"].shape[1] :], skip_special_tokens=True)
        return [" ".join(text.split()) or CaptionFailure("the model wrote nothing") for text in written]


def load(model: str, options: Mapping[str, str], prompt: str) -> ImageTextCaptioner:
    """The captioner; CaptionerError for what is missing: weights, a package, a device, eyes."""
    spec = f"llava:{model}"
    for name in options:
        if name not in OPTIONS:
            raise CaptionerError(f"{spec}: unknown option {name}; it takes {', '.join(OPTIONS)}")
    if not model:
        raise CaptionerError("llava:MODEL needs a model, a folder or a name on the hub")
    for package in (*PACKAGES, *(["bitsandbytes"] if options.get("bits") == "8" else [])):
        if importlib.util.find_spec(package) is None:
            raise CaptionerError(f"{spec}: needs the package {package}; pip install {package}")
    max_tokens, batch = (
        _number(spec, name, options.get(name, str(default)))
        for name, default in (("max_tokens", MAX_TOKENS), ("batch", BATCH))
    )
    _check_folder(spec, model)
    try:
        loaded, processor, id = _load(spec, model, options)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CaptionerError(f"{spec}: the model cannot be loaded ({first}); name a folder or a hub model") from None
    return ImageTextCaptioner(loaded, processor, id, prompt, max_tokens, batch)


def _load(spec: str, name: str, options: Mapping[str, str]) -> tuple[Any, Any, str]:
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    bits = options.get("bits")
    if bits not in (None, "8", "16", "32"):
        raise CaptionerError(f"{spec}: bits={bits} is none of 8, 16, 32")
    revision = options.get("revision")
    config = AutoConfig.from_pretrained(name, revision=revision)
    if config.model_type not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise CaptionerError(f"{spec}: a {config.model_type} model sees no images; name an image-text model")
    device = options.get("device") or ("cuda" if torch.cuda.is_available() else "cpu")
    full = bits == "32" or (bits is None and device == "cpu")
    dtype = torch.float32 if full else torch.bfloat16
    model: Any = AutoModelForImageTextToText.from_pretrained(name, revision=revision, dtype=dtype)
    model.eval().requires_grad_(False)
    if bits == "8":
        _quantize(model)
    model.to(device)
    reader: Any = AutoProcessor  # its constructor has no types
    processor = reader.from_pretrained(name, revision=revision)
    id = f"llava:{Path(name).name}:{_content(name, config)}:{bits or torch.finfo(dtype).bits}"
    return model, processor, id


def _quantize(model: Any) -> None:
    """Replaces the linear layers, all but the output's, by 8-bit ones (Dettmers et al. 2022, arXiv 2208.07339)."""
    from torch import nn

    quantized: Any = importlib.import_module("bitsandbytes.nn")
    output = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is not nn.Linear or layer is output:
                continue
            small = quantized.Linear8bitLt(
                layer.in_features, layer.out_features, layer.bias is not None, has_fp16_weights=False, device="meta"
            )
            small.weight = quantized.Int8Params(layer.weight.data, requires_grad=False, has_fp16_weights=False)
            if layer.bias is not None:
                small.bias = nn.Parameter(layer.bias.data, requires_grad=False)
            setattr(parent, name, small)


def _check_folder(spec: str, name: str) -> None:
    folder = Path(name)
    looks_local = folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1
    if looks_local and not folder.is_dir():
        raise CaptionerError(f"{spec}: no such folder; name a model's folder or a hub model")
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise CaptionerError(f"{spec}: no model, its config.json is missing")


def _content(name: str, config: Any) -> str:
    """What names the weights: the hub's commit, or for a folder a digest of its files (large ones at both ends)."""
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


def _number(spec: str, name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise CaptionerError(f"{spec}: {name}={value} is no whole number of at least 1")
    return int(value)
