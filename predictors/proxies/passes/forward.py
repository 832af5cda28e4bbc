"""One forward pass without gradients: what runs, which units are on, what comes out of where."""

from __future__ import annotations

from collections.abc import Set
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from predictors.proxies.activations import Codes
from predictors.proxies.batch import Batch
from predictors.proxies.layers import blocks, normalise_by_batch, weighted
from predictors.proxies.passes.channels import by_channel
from predictors.proxies.passes.logits import output

WIDEST = 256
"""Of wider blocks as many channels are kept, evenly spaced."""
UNCOUNTED = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: (
        lambda query, key, value, *_, **__: sdpa_flop_count(  # type: ignore[no-untyped-call]
            query, key, value
        )
    )
}
"""What PyTorch's FLOP counter knows only as it runs on a GPU; of shapes."""


@dataclass(frozen=True, eq=False)
class Forward:
    """What a forward pass saw; norms normalise by the batch.

    Attributes:
        parameters: numbers that can be trained, shared ones once.
        layers: how many times a convolution or a linear layer ran.
        seed: of what a reader draws.

    Only if asked for, else zero or empty:

    Attributes:
        macs: multiply-accumulates of one image, as PyTorch's FLOP counter knows them.
        codes: which units are on, of every activation, in order: see ``Codes``; with them
            ``units``, how many there are.
        maps: what came out of every weighted layer for the first image, [channels, positions].
        features: what came out of every block, [C, positions of all images], of wide blocks as
            many channels as ``WIDEST``; vectors have no positions and are left out.
        tokens: what came out of linear layers on tokens that widen them, [N * tokens, features].
    """

    parameters: int
    layers: int
    seed: int
    macs: float
    codes: list[npt.NDArray[np.uint8]]
    units: list[int]
    maps: list[Tensor]
    features: list[Tensor]
    tokens: list[Tensor]

    @cached_property
    def bits(self) -> npt.NDArray[np.uint64]:
        """The codes of all units, 64 to a word, filled up with zeros: [N, words]."""
        rest = np.zeros((len(self.codes[0]), -sum(codes.shape[1] for codes in self.codes) % 8))
        return np.concatenate([*self.codes, rest.astype(np.uint8)], axis=1).view(np.uint64)


def forward(model: nn.Module, batch: Batch, rng: torch.Generator, asked: Set[str]) -> Forward:
    """Run the batch once."""
    n = len(batch)
    calls, maps, features, tokens = 0, [], [], []

    def of_layer(layer: nn.Module, _: Any, y: Tensor) -> None:
        nonlocal calls
        calls += 1
        if len(y) != n or y.ndim < 3:
            return
        # Copies, because the next layer may overwrite what this one gave it.
        if "maps" in asked:
            one = y[0].clone()
            maps.append(one.flatten(0, -2).T if isinstance(layer, nn.Linear) else one.flatten(1))
        if "tokens" in asked and isinstance(layer, nn.Linear) and _widens(layer):
            tokens.append(y.clone().flatten(0, -2))

    def of_block(_: nn.Module, __: Any, y: Any) -> None:
        if isinstance(y, Tensor) and len(y) == n and y.ndim > 2:
            features.append(_vectors(y))

    for layer in weighted(model):
        layer.register_forward_hook(of_layer)
    for block in blocks(model) if "features" in asked else ():
        block.register_forward_hook(of_block)
    normalise_by_batch(model)
    codes, counter = Codes(n), FlopCounterMode(display=False, custom_mapping=UNCOUNTED)
    with torch.no_grad(), ExitStack() as modes:
        if "macs" in asked:
            modes.enter_context(counter)
        if "codes" in asked:
            modes.enter_context(codes)
        output(model, batch.images)
    return Forward(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        layers=calls,
        seed=rng.initial_seed(),
        macs=counter.get_total_flops() / 2 / n,
        codes=codes.found,
        units=codes.units,
        maps=maps,
        features=features,
        tokens=tokens,
    )


def _vectors(y: Tensor) -> Tensor:
    channels = by_channel(y).transpose(0, 1)
    step = -(-len(channels) // WIDEST)
    return channels[::step].clone(memory_format=torch.contiguous_format).flatten(1)


def _widens(layer: nn.Linear) -> bool:
    return layer.out_features > layer.in_features
