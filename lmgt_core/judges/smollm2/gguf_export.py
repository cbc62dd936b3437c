"""A Llama out of a GGUF file as a folder of transformers' kind: `hf:FOLDER?bits=8` then quantizes it offline."""

import importlib
from pathlib import Path
from typing import Any

from lmgt_core.judges.smollm2.gguf_file import GgufFile
from lmgt_core.judges.smollm2.gguf_llama import llama_shape, load_tokenizer, load_weights

SHARD = "model.safetensors"


def export_folder(file: GgufFile, folder: Path) -> None:
    """Writes config, weights (dequantized to float32) and tokenizer of `file` into `folder`; UserError if no llama."""
    import torch
    from safetensors.torch import save_file

    shape = llama_shape(file)
    weights = load_weights(file, shape, torch.float32)
    _config(shape, weights).save_pretrained(folder)
    save_file(weights, str(folder / SHARD), metadata={"format": "pt"})
    _tokenizer(file).save_pretrained(folder)


def _config(shape: Any, weights: Any) -> Any:
    """The library's description of the model; what the file does not name is read off the weights."""
    from transformers import LlamaConfig

    vocabulary, hidden = weights["model.embed_tokens.weight"].shape
    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=weights["model.layers.0.mlp.gate_proj.weight"].shape[0],
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        rms_norm_eps=shape.epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": shape.theta},
        max_position_embeddings=shape.context,
        tie_word_embeddings="lm_head.weight" not in weights,
    )


def _tokenizer(file: GgufFile) -> Any:
    """The tokenizer with its chat template, which is what reads control tokens as such."""
    library: Any = importlib.import_module("transformers")
    tokenizer = load_tokenizer(file)
    tokenizer.encode_special_tokens = False
    tokens = file.value("tokenizer.ggml.tokens")
    end = tokens[file.value("tokenizer.ggml.eos_token_id")]
    made = library.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, pad_token=end)
    made.chat_template = file.value("tokenizer.chat_template")
    return made
