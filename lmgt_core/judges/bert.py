"""The forward pass of a BERT encoder (Devlin et al. 2018), from its weights.

Written out because the library class costs more than ten seconds of imports in every process that judges; a slow test
compares the two. There is no attention mask: a batch holds texts of one length, so nothing is padded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class BertShape:
    """What the weights do not tell: layers, heads, and the epsilon of the layer norms."""

    layers: int
    heads: int
    epsilon: float

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "BertShape":
        """The shape in a model's config.json."""
        return cls(config["num_hidden_layers"], config["num_attention_heads"], config["layer_norm_eps"])


def last_hidden_state(weights: Mapping[str, "Tensor"], shape: BertShape, tokens: "Tensor") -> "Tensor":
    """The top layer's states [batch, position, hidden] of `tokens` [batch, position], which are one segment each."""
    x = (
        weights["embeddings.word_embeddings.weight"][tokens]
        + weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = _norm(weights, "embeddings.LayerNorm", shape, x)
    for layer in range(shape.layers):
        x = _block(weights, f"encoder.layer.{layer}", shape, x)
    return x


def _block(weights: Mapping[str, "Tensor"], name: str, shape: BertShape, x: "Tensor") -> "Tensor":
    """One transformer layer: self-attention, then a feed-forward network, each added to its input and normalised."""
    from torch.nn.functional import gelu

    attended = _linear(
        weights, f"{name}.attention.output.dense", _attention(weights, f"{name}.attention.self", shape, x)
    )
    x = _norm(weights, f"{name}.attention.output.LayerNorm", shape, x + attended)
    hidden = gelu(_linear(weights, f"{name}.intermediate.dense", x))  # the exact gelu, not the tanh approximation
    return _norm(weights, f"{name}.output.LayerNorm", shape, x + _linear(weights, f"{name}.output.dense", hidden))


def _attention(weights: Mapping[str, "Tensor"], name: str, shape: BertShape, x: "Tensor") -> "Tensor":
    batch, positions, hidden = x.shape
    query, key, value = (
        _linear(weights, f"{name}.{part}", x).view(batch, positions, shape.heads, -1).transpose(1, 2)
        for part in ("query", "key", "value")
    )  # each [batch, head, position, hidden / heads]
    scores = query @ key.transpose(2, 3) * (hidden // shape.heads) ** -0.5
    mixed: Tensor = (scores.softmax(-1) @ value).transpose(1, 2)
    return mixed.reshape(batch, positions, hidden)


def _linear(weights: Mapping[str, "Tensor"], name: str, x: "Tensor") -> "Tensor":
    from torch.nn.functional import linear

    return linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _norm(weights: Mapping[str, "Tensor"], name: str, shape: BertShape, x: "Tensor") -> "Tensor":
    from torch.nn.functional import layer_norm

    normed: Tensor = layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], shape.epsilon)
    return normed
