"""Two forward passes with random weights: on noise, and on noise a little off."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from predictors.proxies.batch import Batch
from predictors.proxies.layers import blocks, normalise_by_batch, weights
from predictors.proxies.passes.logits import output
from predictors.proxies.passes.statistics import fresh_statistics
from predictors.proxies.scratch import Remaking

IMAGES = 16
STEP = 0.01


@dataclass(frozen=True, eq=False)
class Gaussian:
    """What two forward passes on noise saw.

    Attributes:
        near, far: features of n images and of the same images a step away, [n, numbers]: the last
            maps or tokens that a block gave, else the output.
        variances: what each batch norm divided by, squared, [channels].
    """

    near: Tensor
    far: Tensor
    variances: list[Tensor]


def _room(parameter: Tensor) -> Tensor:
    return torch.empty_like(parameter) if parameter.ndim > 1 else parameter.clone()


@partial(Remaking, remake=_room)
def gaussian(model: nn.Module, batch: Batch, rng: torch.Generator, asked: Set[str]) -> Gaussian:
    """Draw weights and as many images of noise as the batch has, 16 at most, and run both."""
    seen: list[Tensor] = []

    def of_block(_: nn.Module, __: Any, y: Any) -> None:
        if isinstance(y, Tensor) and y.ndim > 2:
            seen.append(y)

    with torch.no_grad():
        for weight in weights(model):
            _draw(weight, rng)
        images = _noise(batch.images[:IMAGES], rng)
        other = images + STEP * _noise(images, rng)
        for block in blocks(model):
            block.register_forward_hook(of_block)
        fresh_statistics(model)
        normalise_by_batch(model)
        y = output(model, images)
        near = (seen or [y])[-1].clone()
        used = [m.running_var for m in model.modules() if isinstance(m, _BatchNorm) and m.training]
        variances = [variance.clone() for variance in used if variance is not None]
        y = output(model, other)
        far = (seen or [y])[-1]
    return Gaussian(near.flatten(1), far.flatten(1), variances)


def _draw(weight: Tensor, rng: torch.Generator) -> None:
    if weight.is_cpu:
        weight.normal_(generator=rng)
    else:
        weight.copy_(torch.randn(weight.shape, generator=rng, dtype=weight.dtype))


def _noise(like: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal numbers of that shape, the same on every device."""
    return torch.randn(like.shape, generator=rng).to(like)
