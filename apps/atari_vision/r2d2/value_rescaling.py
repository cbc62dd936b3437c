"""The value rescaling that stands in for clipped rewards (Pohlen et al. 2018, arXiv 1805.11593, proposition A.2)."""

import torch
from torch import Tensor


def rescale(x: Tensor, eps: float) -> Tensor:
    """h(x) = sign(x)(sqrt(|x| + 1) - 1) + eps x, elementwise: returns of thousands become tens, signs are kept."""
    return torch.sign(x) * (torch.sqrt(x.abs() + 1) - 1) + eps * x


def unrescale(x: Tensor, eps: float) -> Tensor:
    """The inverse of `rescale`, elementwise.

    The paper's (sqrt(1 + 4 eps (|x| + 1 + eps)) - 1) / (2 eps) loses four digits in float32, since the root is almost 1
    for small eps; multiplied out with its conjugate it loses none.
    """
    shifted = x.abs() + 1 + eps
    root = 2 * shifted / (1 + torch.sqrt(1 + 4 * eps * shifted))
    return torch.sign(x) * (root.square() - 1)
