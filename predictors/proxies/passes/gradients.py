"""Gradients of a network's weights, as records of passes hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Gradients:
    """Weights and, of the same shapes, the derivative by each of them; see ``layers.weights``."""

    weights: list[Tensor]
    gradients: list[Tensor]


def derivatives(value: Tensor, by: Sequence[Tensor], *, keep_graph: bool = False) -> list[Tensor]:
    """The derivative of a scalar by each tensor: zeros where it does not depend on one.

    ``keep_graph``: the derivatives can be differentiated again.
    """
    if not by:
        return []
    if not value.requires_grad:
        return [torch.zeros_like(tensor) for tensor in by]
    found = torch.autograd.grad(value, by, allow_unused=True, create_graph=keep_graph)
    return [
        torch.zeros_like(tensor) if gradient is None else gradient
        for tensor, gradient in zip(by, found, strict=True)
    ]
