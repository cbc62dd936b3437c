"""Weights of 8 or 4 bits for a model that is loaded, on an accelerator or the CPU, with bitsandbytes."""

import importlib
from typing import Any


def quantize(model: Any, bits: int, precision: Any) -> None:
    """Replaces the linear layers of `model`, all but its output's, by 8-bit or 4-bit (NF4) ones, in place.

    The weights are quantized by `model.to(device)`, layer by layer, so only this machine's memory ever holds the large
    ones. LLM.int8() is Dettmers et al. 2022 (arXiv 2208.07339), NF4 Dettmers et al. 2023 (arXiv 2305.14314).
    """
    from torch import nn

    output = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear and layer is not output:
                setattr(parent, name, _smaller(layer, bits, precision))


def _smaller(layer: Any, bits: int, precision: Any) -> Any:
    """The layer with weights that are quantized when it is moved to its device."""
    from torch.nn import Parameter

    quantized: Any = importlib.import_module("bitsandbytes.nn")  # its exports have no useful types

    sizes = (layer.in_features, layer.out_features, layer.bias is not None)
    if bits == 8:
        made = quantized.Linear8bitLt(*sizes, has_fp16_weights=False, device="meta")
        made.weight = quantized.Int8Params(layer.weight.data, requires_grad=False, has_fp16_weights=False)
    else:
        made = quantized.Linear4bit(*sizes, compute_dtype=precision, quant_type="nf4", device="meta")
        made.weight = quantized.Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4", module=made)
    if layer.bias is not None:
        made.bias = Parameter(layer.bias.data, requires_grad=False)
    return made
