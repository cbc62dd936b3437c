"""A vision-language model of LLaVA's kind as a pair of GGUF files: 60 KB of random weights that llama.cpp loads."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH, HEADS, HIDDEN = 32, 4, 64  # of the language model
SEEN, PATCH, SIDE = 16, 14, 28  # the vision model's width; pixels of a patch and of a picture
CHAT = (
    "{% for m in messages %}{{ m['role'] }}: {% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% else %}<__media__>{% endif %}{% endfor %}"
    "{% endif %}\n{% endfor %}assistant: "
)


def write_pair(folder: Path) -> tuple[Path, Path]:
    """The language model's file and its projector's, written into `folder`."""
    draw = np.random.default_rng(0)
    return _language_model(folder / "text.gguf", draw), _projector(folder / "mmproj.gguf", draw)


def _language_model(path: Path, draw: np.random.Generator) -> Path:
    """A llama of one layer over the 256 bytes, `<s>`, `</s>` and one merge."""
    import gguf

    tokens = [*_bytes(), "<s>", "</s>", "oo"]
    file = gguf.GGUFWriter(path, "llama")
    file.add_context_length(4096)
    file.add_embedding_length(WIDTH)
    file.add_block_count(1)
    file.add_feed_forward_length(HIDDEN)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_freq_base(10_000.0)
    file.add_rope_dimension_count(WIDTH // HEADS)
    file.add_vocab_size(len(tokens))
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("gpt-2")
    file.add_token_list(tokens)
    file.add_token_types([1] * 256 + [3, 3, 1])
    file.add_token_merges(["o o"])
    file.add_bos_token_id(256)
    file.add_eos_token_id(257)
    file.add_chat_template(CHAT)
    file.add_tensor("token_embd.weight", _random(draw, len(tokens), WIDTH))
    file.add_tensor("output.weight", _random(draw, len(tokens), WIDTH))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        file.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        file.add_tensor(f"blk.0.{name}.weight", _random(draw, WIDTH, WIDTH))
    for name, shape in (("ffn_gate", (HIDDEN, WIDTH)), ("ffn_up", (HIDDEN, WIDTH)), ("ffn_down", (WIDTH, HIDDEN))):
        file.add_tensor(f"blk.0.{name}.weight", _random(draw, *shape))
    return _written(file, path)


def _projector(path: Path, draw: np.random.Generator) -> Path:
    """A CLIP of two layers, of which LLaVA uses the first, and two matrices from its width to the language model's."""
    import gguf

    file = gguf.GGUFWriter(path, "clip")
    file.add_bool("clip.has_vision_encoder", True)
    file.add_string("clip.projector_type", "mlp")
    file.add_bool("clip.use_gelu", True)
    whole = {"image_size": SIDE, "patch_size": PATCH, "embedding_length": SEEN, "feed_forward_length": HIDDEN}
    whole |= {"projection_dim": WIDTH, "block_count": 2, "attention.head_count": 2}
    for name, value in whole.items():
        file.add_uint32(f"clip.vision.{name}", value)
    file.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    file.add_array("clip.vision.image_mean", [0.5] * 3)
    file.add_array("clip.vision.image_std", [0.5] * 3)
    file.add_tensor("v.class_embd", _random(draw, SEEN))
    file.add_tensor("v.patch_embd.weight", _random(draw, SEEN, 3, PATCH, PATCH))
    file.add_tensor("v.position_embd.weight", _random(draw, (SIDE // PATCH) ** 2 + 1, SEEN))
    shapes = {name: (SEEN, SEEN) for name in ("attn_q", "attn_k", "attn_v", "attn_out")}
    layer = shapes | {"ffn_up": (HIDDEN, SEEN), "ffn_down": (SEEN, HIDDEN), "ln1": (SEEN,), "ln2": (SEEN,)}
    named = {f"v.blk.{i}.{name}": shape for i in range(2) for name, shape in layer.items()}
    named |= {"v.pre_ln": (SEEN,), "v.post_ln": (SEEN,), "mm.0": (WIDTH, SEEN), "mm.2": (WIDTH, WIDTH)}
    for name, shape in named.items():
        file.add_tensor(f"{name}.weight", _random(draw, *shape) if len(shape) > 1 else np.ones(shape, np.float32))
        file.add_tensor(f"{name}.bias", _random(draw, shape[0]))
    return _written(file, path)


def _bytes() -> list[str]:
    """What GPT-2's vocabulary writes for each byte: itself where it can be seen, a letter beyond 255 elsewhere."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    unseen = [byte for byte in range(256) if byte not in seen]
    letters = {byte: chr(byte) for byte in seen} | {byte: chr(256 + i) for i, byte in enumerate(unseen)}
    return [letters[byte] for byte in range(256)]


def _random(draw: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return (draw.normal(size=shape) * 0.3).astype(np.float32)


def _written(file: object, path: Path) -> Path:
    for step in ("write_header_to_file", "write_kv_data_to_file", "write_tensors_to_file", "close"):
        getattr(file, step)()
    return path
