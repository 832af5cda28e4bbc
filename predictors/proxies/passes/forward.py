"""One forward pass without gradients: what runs, which units are on, what comes out of where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from predictors.proxies.activations import Codes
from predictors.proxies.batch import Batch
from predictors.proxies.layers import blocks, normalise_by_batch, weighted
from predictors.proxies.passes.logits import output


@dataclass(frozen=True, eq=False)
class Forward:
    """What a forward pass saw; norms normalise by the batch.

    Attributes:
        parameters: numbers that can be trained, shared ones once.
        macs: multiply-accumulates of one image, as PyTorch's FLOP counter knows them.
        layers: how many times a convolution or a linear layer ran.
        codes: which units are on, bool [N, units] of every activation, in order.
        maps: what came out of every weighted layer for the first image, [channels, positions].
        features: what came out of every block, [N, C, positions]; vectors have no positions and
            are left out.
        tokens: what came out of linear layers on tokens that widen them, [N * tokens, features].
        seed: of what a reader draws.
    """

    parameters: int
    macs: float
    layers: int
    codes: list[Tensor]
    maps: list[Tensor]
    features: list[Tensor]
    tokens: list[Tensor]
    seed: int

    @cached_property
    def bits(self) -> npt.NDArray[np.uint64]:
        """The codes of all units, 64 to a word, filled up with zeros: [N, words]."""
        packed = [np.packbits(codes.cpu().numpy(), axis=1) for codes in self.codes]
        rows = np.concatenate(packed, axis=1)
        return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 8))).view(np.uint64)


def forward(model: nn.Module, batch: Batch, rng: torch.Generator) -> Forward:
    """Run the batch once."""
    n = len(batch)
    calls, maps, features, tokens = 0, [], [], []

    def of_layer(layer: nn.Module, _: Any, y: Tensor) -> None:
        nonlocal calls
        calls += 1
        if len(y) == n and y.ndim > 2:
            one = y[0].clone()
            if not isinstance(layer, nn.Linear):
                maps.append(one.flatten(1))
                return
            maps.append(one.flatten(0, -2).T)
            if layer.out_features > layer.in_features:
                tokens.append(y.clone().flatten(0, -2))

    def of_block(_: nn.Module, __: Any, y: Any) -> None:
        if isinstance(y, Tensor) and len(y) == n and y.ndim > 2:
            features.append(by_channel(y.clone()))

    for layer in weighted(model):
        layer.register_forward_hook(of_layer)
    for block in blocks(model):
        block.register_forward_hook(of_block)
    normalise_by_batch(model)
    codes, counter = Codes(n), FlopCounterMode(display=False)
    with torch.no_grad(), counter, codes:
        output(model, batch.images)
    return Forward(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        macs=counter.get_total_flops() / 2 / n,
        layers=calls,
        codes=codes.found,
        maps=maps,
        features=features,
        tokens=tokens,
        seed=rng.initial_seed(),
    )


def by_channel(y: Tensor) -> Tensor:
    """[N, C, H, W], or tokens [N, T, C], as [N, C, positions]."""
    return y.mT if y.ndim == 3 else y.flatten(2)
