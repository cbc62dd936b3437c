"""A Llama out of one GGUF file: weights and tokenizer, without a hub, without llama.cpp, in seconds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.judges.smollm2.gguf_file import GgufFile
from lmgt_core.judges.smollm2.llama import Llama, LlamaShape

if TYPE_CHECKING:
    import torch

CONTROL_TOKEN = 3  # the GGUF token type of <|im_start|> and its like
SINGLE_DIGITS = frozenset({"smollm"})  # tokenizers that split numbers into digits before merging

BLOCK_NAMES: Mapping[str, str] = {  # GGUF name -> transformers name, for the tensors of one block
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTER_NAMES: Mapping[str, str] = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}


def llama_shape(file: GgufFile) -> LlamaShape:
    """The shape in the metadata of `file`; UserError where it is another architecture."""
    if file.value("general.architecture") != "llama":
        raise UserError(f"{file.path}: a GGUF file of a {file.value('general.architecture')}; need a llama")
    return LlamaShape(
        layers=file.value("llama.block_count"),
        heads=file.value("llama.attention.head_count"),
        key_heads=file.value("llama.attention.head_count_kv"),
        epsilon=file.value("llama.attention.layer_norm_rms_epsilon"),
        theta=file.value("llama.rope.freq_base"),
        context=file.value("llama.context_length"),
    )


def load_llama(file: GgufFile, precision: "torch.dtype") -> Llama:
    """The model in `file`, its weights dequantized to `precision`; UserError where tensors are missing."""
    shape = llama_shape(file)
    try:
        return Llama(load_weights(file, shape, precision), shape)
    except KeyError as error:
        raise UserError(f"{file.path}: the GGUF file has no tensor for {error}") from None


def load_weights(file: GgufFile, shape: LlamaShape, precision: "torch.dtype") -> dict[str, "torch.Tensor"]:
    """The tensors of `file` under transformers' names, [out, in]."""
    import torch

    weights = {}
    for name in file.tensors:
        array = file.load(name)
        if name.endswith("attn_q.weight"):
            array = unpermute(array, shape.heads)
        elif name.endswith("attn_k.weight"):
            array = unpermute(array, shape.key_heads)
        weights[transformers_name(name)] = torch.from_numpy(array).to(precision)
    return weights


def transformers_name(name: str) -> str:
    """What transformers calls the GGUF tensor `name`; an unknown one keeps its name."""
    head, _, rest = name.removesuffix(".weight").partition(".")
    if head == "blk":
        block, _, part = rest.partition(".")
        return f"model.layers.{block}.{BLOCK_NAMES.get(part, part)}.weight"
    return f"{OUTER_NAMES.get(head, head)}.weight"


def unpermute(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """A query or key matrix [out, in] with the rows of each head in transformers' order.

    llama.cpp turns neighbouring rows by the rotary angle, transformers the first half of a head against the second;
    converting to GGUF interleaves the halves, so reading has to take them apart again.
    """
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(rows, columns))


def load_tokenizer(file: GgufFile) -> Any:
    """The `tokenizers.Tokenizer` in the metadata of `file`; UserError where it is no byte-level BPE.

    Control tokens are encoded as the words they are written with (`encode_special_tokens`), so that no text can speak
    as another role; who builds a chat puts their ids in.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    if file.value("tokenizer.ggml.model") != "gpt2":
        raise UserError(f"{file.path}: a {file.value('tokenizer.ggml.model')} tokenizer; need gpt2's kind")
    tokens, types = file.value("tokenizer.ggml.tokens"), file.value("tokenizer.ggml.token_type")
    first, second = zip(*(merge.split(" ") for merge in file.value("tokenizer.ggml.merges")), strict=True)
    tokenizer = Tokenizer(BPE({token: i for i, token in enumerate(tokens)}, list(zip(first, second, strict=True))))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=bool(file.metadata.get("tokenizer.ggml.add_space_prefix")))
    digits = (
        [pre_tokenizers.Digits(individual_digits=True)] if file.value("tokenizer.ggml.pre") in SINGLE_DIGITS else []
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*digits, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, types, strict=True) if kind == CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    tokenizer.encode_special_tokens = True
    return tokenizer
