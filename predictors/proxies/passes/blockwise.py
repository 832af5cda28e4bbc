"""One forward pass and one backward pass in pieces: how each block hands back what it is given."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from predictors.proxies.batch import Batch
from predictors.proxies.layers import blocks, normalise_by_batch
from predictors.proxies.passes.channels import by_channel
from predictors.proxies.passes.logits import output

IMAGES = 16
"""How many images of the batch."""


@dataclass(frozen=True, eq=False)
class Blockwise:
    """Of each two blocks that follow each other, what was sent into the second one's output.

    Attributes:
        pairs: what was sent, -1 or 1, and what came back at the output of the first, both
            [N, C, positions], on as many positions.
    """

    pairs: list[tuple[Tensor, Tensor]]


def blockwise(model: nn.Module, batch: Batch, rng: torch.Generator, asked: Set[str]) -> Blockwise:
    """Run the first images, and send random signs back through every block on its own."""
    images = batch.first(IMAGES).images
    seen: list[Tensor] = []

    def of_block(_: nn.Module, __: Any, y: Any) -> None:
        if isinstance(y, Tensor) and len(y) == len(images) and y.ndim > 2 and y.requires_grad:
            seen.append(y)

    for block in blocks(model):
        block.register_forward_hook(of_block)
    normalise_by_batch(model)
    model.requires_grad_(False)
    output(model, images.clone().requires_grad_())
    pairs = []
    # From the last to the first, so that what is done with is freed.
    while len(seen) > 1:
        after, before = seen.pop(), seen[-1]
        drawn = torch.randint(0, 2, after.shape, generator=rng, dtype=after.dtype)
        signs = drawn.mul_(2).sub_(1).to(after.device)
        (back,) = torch.autograd.grad(after, before, signs, retain_graph=True, allow_unused=True)
        aligned = None if back is None else _folded(back, signs)
        if aligned is not None:
            pairs.append((by_channel(signs), by_channel(aligned)))
    return Blockwise(pairs)


def _folded(back: Tensor, sent: Tensor) -> Tensor | None:
    """``back`` with the positions of ``sent``: a stride's positions become channels."""
    if back.shape[2:] == sent.shape[2:] and back.ndim > 3:
        return back
    if back.ndim == sent.ndim == 3:
        return back if back.shape[1] == sent.shape[1] else None
    if back.ndim != 4 or sent.ndim != 4 or back.shape[2] % sent.shape[2]:
        return None
    stride = back.shape[2] // sent.shape[2]
    if back.shape[3] != stride * sent.shape[3]:
        return None
    return F.pixel_unshuffle(back, stride)
