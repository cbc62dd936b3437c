"""The forward pass of a Llama (Touvron et al. 2023), from its weights, over a shared and cached prefix.

Written out because the library class costs ten seconds of imports in every process that judges, and because scoring
wants two things of the attention: that all rows of a batch read one cached prefix, and that a row may be a tree (see
token_tree.py). Tests compare it with the library's model.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LlamaShape:
    """What the weights do not tell."""

    layers: int
    heads: int
    key_heads: int  # keys and values have fewer heads than queries (grouped-query attention)
    epsilon: float  # of the RMS norms
    theta: float  # base of the rotary frequencies
    context: int  # tokens


@dataclass(frozen=True, eq=False)
class Past:
    """Keys and values of tokens that were read, for each layer [row, key head, token, size]."""

    keys: tuple["Tensor", ...]
    values: tuple["Tensor", ...]

    def __len__(self) -> int:
        return int(self.keys[0].shape[2])

    def crop(self, length: int) -> "Past":
        """The first `length` tokens."""
        return Past(tuple(k[:, :, :length] for k in self.keys), tuple(v[:, :, :length] for v in self.values))

    def rows(self, wanted: "Tensor") -> "Past":
        """Only the rows where `wanted` [row] is true."""
        return Past(tuple(k[wanted] for k in self.keys), tuple(v[wanted] for v in self.values))


class Llama:
    """Weights under transformers' names, in float32 or bfloat16, ready to run.

    Matrices that read the same input lie together: one product instead of three (query, key, value) or two (gate, up).
    """

    def __init__(self, weights: Mapping[str, "Tensor"], shape: LlamaShape) -> None:
        import torch

        self.shape = shape
        self.embedding = weights["model.embed_tokens.weight"]
        self.output = weights.get("lm_head.weight", self.embedding)
        self.norm = weights["model.norm.weight"]
        self.layers = [_layer(weights, f"model.layers.{i}.") for i in range(shape.layers)]
        size = weights["model.layers.0.self_attn.q_proj.weight"].shape[0] // shape.heads
        frequency = shape.theta ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
        angle = torch.arange(shape.context, dtype=torch.float32)[:, None] * frequency
        self.cos, self.sin = (f(torch.cat([angle, angle], -1)).to(self.embedding.dtype) for f in (torch.cos, torch.sin))

    def read(
        self, tokens: "Tensor", positions: "Tensor", mask: "Tensor | None", past: Past | None
    ) -> tuple["Tensor", Past]:
        """The last layer's states [row, token, hidden], normalised, and everything read so far.

        `tokens` and `positions` are [row, token]; `mask` [row, token, past + token] says what each token sees. Without
        one it sees all before it, which takes a `past` of None. A `past` of one row serves every row.
        """
        from torch.nn.functional import embedding, linear, silu

        x = embedding(tokens, self.embedding)
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]  # [row, 1, token, size]
        keys, values = [], []
        for i, layer in enumerate(self.layers):
            before = None if past is None else (past.keys[i], past.values[i])
            attended, k, v = self._attend(layer, self._norm(x, layer["attention_norm"]), cos, sin, mask, before)
            x = x + linear(attended, layer["attention_output"])
            gate, up = linear(self._norm(x, layer["mlp_norm"]), layer["gate_up"]).chunk(2, -1)
            x = x + linear(silu(gate) * up, layer["down"])
            keys.append(k)
            values.append(v)
        return self._norm(x, self.norm), Past(tuple(keys), tuple(values))

    def log_probs(self, states: "Tensor") -> "Tensor":
        """Log-probabilities float32 [..., vocabulary] of the token after each of `states` [..., hidden]."""
        from torch.nn.functional import linear, log_softmax

        return log_softmax(linear(states, self.output).float(), -1)

    def _norm(self, x: "Tensor", weight: "Tensor") -> "Tensor":
        wide = x.float()
        wide = wide * (wide.square().mean(-1, keepdim=True) + self.shape.epsilon).rsqrt()
        return weight * wide.to(x.dtype)

    def _attend(
        self,
        layer: Mapping[str, "Tensor"],
        x: "Tensor",
        cos: "Tensor",
        sin: "Tensor",
        mask: "Tensor | None",
        before: "tuple[Tensor, Tensor] | None",
    ) -> tuple["Tensor", "Tensor", "Tensor"]:
        """What attention mixes [row, token, hidden], and the keys and values of all tokens so far."""
        import torch
        from torch.nn.functional import linear, scaled_dot_product_attention

        rows, tokens, _ = x.shape
        heads, key_heads = self.shape.heads, self.shape.key_heads
        mixed = linear(x, layer["query_key_value"]).view(rows, tokens, heads + 2 * key_heads, -1).transpose(1, 2)
        query, key, value = mixed[:, :heads], mixed[:, heads:-key_heads], mixed[:, -key_heads:]
        query, key = _rotate(query, cos, sin), _rotate(key, cos, sin)
        if before is not None:
            key = torch.cat([before[0].expand(rows, -1, -1, -1), key], 2)
            value = torch.cat([before[1].expand(rows, -1, -1, -1), value], 2)
        out = scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if mask is None else mask[:, None],
            is_causal=mask is None and tokens > 1,
            scale=1 / math.sqrt(query.shape[-1]),
            enable_gqa=True,
        )
        return out.transpose(1, 2).reshape(rows, tokens, -1), key, value


def _layer(weights: Mapping[str, "Tensor"], name: str) -> dict[str, "Tensor"]:
    import torch

    def together(*parts: str) -> "Tensor":
        return torch.cat([weights[f"{name}{part}.weight"] for part in parts])

    return {
        "attention_norm": weights[name + "input_layernorm.weight"],
        "query_key_value": together("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "attention_output": weights[name + "self_attn.o_proj.weight"],
        "mlp_norm": weights[name + "post_attention_layernorm.weight"],
        "gate_up": together("mlp.gate_proj", "mlp.up_proj"),
        "down": weights[name + "mlp.down_proj.weight"],
    }


def _rotate(x: "Tensor", cos: "Tensor", sin: "Tensor") -> "Tensor":
    """Rotary position embedding (Su et al. 2021), halves of a head against each other."""
    import torch

    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin
