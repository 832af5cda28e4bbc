"""The blocks of the layers that networks from elsewhere are made of."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from search_spaces.blocks.base import Block
from search_spaces.blocks.slicing import (
    Unit,
    activation,
    first,
    joined,
    lent_norm,
    run_norm,
    whole_norm,
)
from search_spaces.specs import (
    NORM_TENSORS,
    Activation,
    Add,
    Concat,
    GeneralConv,
    GlobalPool,
    LayerSpec,
    Linear,
    Multiply,
    Norm,
    Pool,
)


class GeneralConvBlock(Block[GeneralConv]):
    """Convolution, a norm where there is one, activation."""

    def __init__(self, spec: GeneralConv, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.main = Unit(
            spec.channels,
            spec.out,
            spec.kernel,
            spec.stride,
            spec.act,
            spec.group,
            tuple(kernels),
            spec.epsilon,
            padding=spec.padding,
            dilation=spec.dilation,
            bias=spec.bias,
            norm=spec.norm,
        )

    def weights(self, spec: GeneralConv) -> dict[str, Tensor]:
        return joined({"main": self.main.weights(spec.channels, spec.out, spec.kernel)})

    def forward(self, x: Tensor, spec: GeneralConv | None = None) -> Tensor:
        spec = spec or self.spec
        y: Tensor = self.main(x, spec.out, spec.kernel)
        return y


class NormBlock(Block[Norm]):
    """Batch norm of maps or of features, activation."""

    def __init__(self, spec: Norm, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        kind = nn.BatchNorm2d if len(spec.inputs[0].shape) == 3 else nn.BatchNorm1d
        self.norm = kind(spec.channels, eps=spec.epsilon)
        self.act = activation(spec.act)

    def weights(self, spec: Norm) -> dict[str, Tensor]:
        lent = lent_norm(self.norm, spec.channels)
        lent["num_batches_tracked"] = self.norm.num_batches_tracked  # type: ignore[assignment]
        return joined({"norm": lent})

    def forward(self, x: Tensor, spec: Norm | None = None) -> Tensor:
        if x.shape[1] == self.norm.num_features:
            y = whole_norm(self.norm, x)
        else:
            part = lent_norm(self.norm, x.shape[1])
            y = run_norm(self.norm, x, *(part[name] for name in NORM_TENSORS))
        result: Tensor = self.act(y)
        return result


class LinearBlock(Block[Linear]):
    """A linear layer, activation."""

    def __init__(self, spec: Linear, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.linear = nn.Linear(spec.channels, spec.out, spec.bias)
        self.act = activation(spec.act)
        nn.init.normal_(self.linear.weight, 0.0, 0.01)
        if spec.bias:
            nn.init.zeros_(self.linear.bias)

    def weights(self, spec: Linear) -> dict[str, Tensor]:
        part = {"linear.weight": first(self.linear.weight, spec.out, spec.channels)}
        if self.spec.bias:
            part["linear.bias"] = first(self.linear.bias, spec.out)
        return part

    def forward(self, x: Tensor, spec: Linear | None = None) -> Tensor:
        out = (spec or self.spec).out
        if (x.shape[1], out) == (self.linear.in_features, self.linear.out_features):
            y: Tensor = self.linear(x)
        else:
            part = self.weights(spec or self.spec)
            y = functional.linear(x, part["linear.weight"], part.get("linear.bias"))
        result: Tensor = self.act(y)
        return result


class Weightless(Block[LayerSpec]):
    """A layer that has nothing to lend."""

    def __init__(self, spec: LayerSpec, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)

    def weights(self, spec: LayerSpec) -> dict[str, Tensor]:
        return {}


class PoolBlock(Weightless):
    """The maximum or the average over a window."""

    spec: Pool

    def forward(self, x: Tensor, spec: Pool | None = None) -> Tensor:  # type: ignore[override]
        spec = spec or self.spec
        window = (spec.kernel, spec.stride, spec.padding)
        if spec.kind == "max":
            return functional.max_pool2d(x, *window, ceil_mode=spec.ceil)
        if (
            spec.size
        ):  # The same windows, but the operator that was asked for adds in its own order.
            return functional.adaptive_avg_pool2d(x, spec.size)
        return functional.avg_pool2d(
            x, *window, ceil_mode=spec.ceil, count_include_pad=spec.count_padding
        )


class GlobalPoolBlock(Weightless):
    """The mean of each map."""

    spec: GlobalPool

    def forward(self, x: Tensor, spec: LayerSpec | None = None) -> Tensor:
        return x.mean((2, 3), keepdim=self.spec.keep)


class FlattenBlock(Weightless):
    """Maps as features, channel after channel."""

    def forward(self, x: Tensor, spec: LayerSpec | None = None) -> Tensor:
        return x.flatten(1)


class ActivationBlock(Weightless):
    """An activation alone."""

    def __init__(self, spec: Activation, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.act = activation(spec.act)

    def forward(self, x: Tensor, spec: LayerSpec | None = None) -> Tensor:
        y: Tensor = self.act(x)
        return y


class AddBlock(Weightless):
    """The sum of two tensors, activation."""

    def __init__(self, spec: Add, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.act = activation(spec.act)

    def forward(  # type: ignore[override]
        self, x: Tensor, other: Tensor, spec: LayerSpec | None = None
    ) -> Tensor:
        y: Tensor = self.act(x + other)
        return y


class MultiplyBlock(Weightless):
    """The product of two tensors, activation."""

    def __init__(self, spec: Multiply, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.act = activation(spec.act)

    def forward(  # type: ignore[override]
        self, x: Tensor, other: Tensor, spec: LayerSpec | None = None
    ) -> Tensor:
        y: Tensor = self.act(x * other)
        return y


class ConcatBlock(Weightless):
    """Channels side by side."""

    def forward(  # type: ignore[override]
        self, x: Tensor, other: Tensor, spec: Concat | None = None
    ) -> Tensor:
        return torch.cat((x, other), 1)
