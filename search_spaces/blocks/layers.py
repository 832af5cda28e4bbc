"""The blocks of the specs: each names its units once, to run them and to lend them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from search_spaces.blocks.base import Block
from search_spaces.blocks.slicing import SqueezeExcite, Unit, prefixed
from search_spaces.specs import Classifier, Conv, FusedMBConv, MBConv


class ConvBlock(Block[Conv]):
    """Convolution, norm, activation."""

    def __init__(self, spec: Conv, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.main = Unit(
            spec.channels, spec.out, spec.kernel, spec.stride, spec.act, kernels=tuple(kernels)
        )

    def weights(self, spec: Conv) -> dict[str, Tensor]:
        return prefixed("main", self.main.weights(spec.channels, spec.out, spec.kernel))

    def forward(self, x: Tensor, spec: Conv | None = None) -> Tensor:
        spec = spec or self.spec
        y: Tensor = self.main(x, spec.out, spec.kernel)
        return y


class FusedMBConvBlock(Block[FusedMBConv]):
    """kxk convolution to the middle, 1x1 to the output, optional residual."""

    def __init__(self, spec: FusedMBConv, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.expand = Unit(
            spec.channels, spec.middle, spec.kernel, spec.stride, spec.act, kernels=tuple(kernels)
        )
        self.project = Unit(spec.middle, spec.out, 1)

    def weights(self, spec: FusedMBConv) -> dict[str, Tensor]:
        expand = self.expand.weights(spec.channels, spec.middle, spec.kernel)
        project = self.project.weights(spec.middle, spec.out, 1)
        return {**prefixed("expand", expand), **prefixed("project", project)}

    def forward(self, x: Tensor, spec: FusedMBConv | None = None) -> Tensor:
        spec = spec or self.spec
        y: Tensor = self.project(self.expand(x, spec.middle, spec.kernel), spec.out, 1)
        return x + y if spec.residual else y


class MBConvBlock(Block[MBConv]):
    """1x1 to the middle, depthwise kxk, optional squeeze-excite, 1x1 to the output."""

    def __init__(self, spec: MBConv, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        middle = spec.middle
        self.expand = Unit(spec.channels, middle, 1, act=spec.act)
        self.depthwise = Unit(
            middle, middle, spec.kernel, spec.stride, spec.act, True, tuple(kernels)
        )
        self.squeeze = SqueezeExcite(middle, spec.squeeze) if spec.squeeze else None
        self.project = Unit(middle, spec.out, 1)

    def weights(self, spec: MBConv) -> dict[str, Tensor]:
        parts = {
            "expand": self.expand.weights(spec.channels, spec.middle, 1),
            "depthwise": self.depthwise.weights(spec.middle, spec.middle, spec.kernel),
            "project": self.project.weights(spec.middle, spec.out, 1),
        }
        if self.squeeze is not None and spec.squeeze:
            parts["squeeze"] = self.squeeze.weights(spec.middle, spec.squeeze)
        return {
            name: tensor
            for prefix, part in parts.items()
            for name, tensor in prefixed(prefix, part).items()
        }

    def forward(self, x: Tensor, spec: MBConv | None = None) -> Tensor:
        spec = spec or self.spec
        y: Tensor = self.depthwise(self.expand(x, spec.middle, 1), spec.middle, spec.kernel)
        if self.squeeze is not None and spec.squeeze:
            y = self.squeeze(y, spec.squeeze)
        y = self.project(y, spec.out, 1)
        return x + y if spec.residual else y


class ClassifierBlock(Block[Classifier]):
    """Global average pooling and a linear layer."""

    def __init__(self, spec: Classifier, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.linear = nn.Linear(spec.channels, spec.classes)
        nn.init.normal_(self.linear.weight, 0.0, 0.01)
        nn.init.zeros_(self.linear.bias)

    def weights(self, spec: Classifier) -> dict[str, Tensor]:
        weight = self.linear.weight[: spec.classes, : spec.channels]
        return {"linear.weight": weight, "linear.bias": self.linear.bias[: spec.classes]}

    def forward(self, x: Tensor, spec: Classifier | None = None) -> Tensor:
        part = self.weights(spec or self.spec)
        pooled = x.mean((2, 3))
        return nn.functional.linear(pooled, part["linear.weight"], part["linear.bias"])
