"""The blocks of the specs: each names its units once, to run them and to lend them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional

from search_spaces.blocks.base import Block
from search_spaces.blocks.slicing import SqueezeExcite, Unit, activation, first, joined
from search_spaces.specs import (
    Bottleneck,
    Classifier,
    Conv,
    FusedMBConv,
    MaxPool,
    MBConv,
    SeparableConv,
)


class ConvBlock(Block[Conv]):
    """Convolution, norm, activation."""

    def __init__(self, spec: Conv, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.main = Unit(
            spec.channels,
            spec.out,
            spec.kernel,
            spec.stride,
            spec.act,
            kernels=tuple(kernels),
            epsilon=spec.epsilon,
        )

    def weights(self, spec: Conv) -> dict[str, Tensor]:
        return joined({"main": self.main.weights(spec.channels, spec.out, spec.kernel)})

    def forward(self, x: Tensor, spec: Conv | None = None) -> Tensor:
        spec = spec or self.spec
        y: Tensor = self.main(x, spec.out, spec.kernel)
        return x + y if spec.residual else y


class SeparableConvBlock(Block[SeparableConv]):
    """Depthwise kxk, 1x1 to the output, optional residual."""

    def __init__(self, spec: SeparableConv, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.depthwise = Unit(
            spec.channels,
            spec.channels,
            spec.kernel,
            spec.stride,
            spec.act,
            group=1,
            kernels=tuple(kernels),
            epsilon=spec.epsilon,
        )
        self.project = Unit(spec.channels, spec.out, 1, epsilon=spec.epsilon)

    def weights(self, spec: SeparableConv) -> dict[str, Tensor]:
        depthwise = self.depthwise.weights(spec.channels, spec.channels, spec.kernel)
        project = self.project.weights(spec.channels, spec.out, 1)
        return joined({"depthwise": depthwise, "project": project})

    def forward(self, x: Tensor, spec: SeparableConv | None = None) -> Tensor:
        spec = spec or self.spec
        y: Tensor = self.project(self.depthwise(x, spec.channels, spec.kernel), spec.out, 1)
        return x + y if spec.residual else y


class MaxPoolBlock(Block[MaxPool]):
    """The maximum over a window; no weights."""

    def __init__(self, spec: MaxPool, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)

    def weights(self, spec: MaxPool) -> dict[str, Tensor]:
        return {}

    def forward(self, x: Tensor, spec: MaxPool | None = None) -> Tensor:
        spec = spec or self.spec
        return functional.max_pool2d(x, spec.kernel, spec.stride, spec.kernel // 2)


class FusedMBConvBlock(Block[FusedMBConv]):
    """kxk convolution to the middle, 1x1 to the output, optional residual."""

    def __init__(self, spec: FusedMBConv, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.expand = Unit(
            spec.channels,
            spec.middle,
            spec.kernel,
            spec.stride,
            spec.act,
            kernels=tuple(kernels),
            epsilon=spec.epsilon,
        )
        self.project = Unit(spec.middle, spec.out, 1, epsilon=spec.epsilon)

    def weights(self, spec: FusedMBConv) -> dict[str, Tensor]:
        expand = self.expand.weights(spec.channels, spec.middle, spec.kernel)
        project = self.project.weights(spec.middle, spec.out, 1)
        return joined({"expand": expand, "project": project})

    def forward(self, x: Tensor, spec: FusedMBConv | None = None) -> Tensor:
        spec = spec or self.spec
        y: Tensor = self.project(self.expand(x, spec.middle, spec.kernel), spec.out, 1)
        return x + y if spec.residual else y


class MBConvBlock(Block[MBConv]):
    """1x1 to the middle, depthwise kxk, optional squeeze-excite, 1x1 to the output."""

    def __init__(self, spec: MBConv, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        middle, epsilon = spec.middle, spec.epsilon
        self.expand = Unit(spec.channels, middle, 1, act=spec.act, epsilon=epsilon)
        self.depthwise = Unit(
            middle, middle, spec.kernel, spec.stride, spec.act, 1, tuple(kernels), epsilon
        )
        self.squeeze = SqueezeExcite(middle, spec.squeeze) if spec.squeeze else None
        self.project = Unit(middle, spec.out, 1, epsilon=epsilon)

    def weights(self, spec: MBConv) -> dict[str, Tensor]:
        parts = {
            "expand": self.expand.weights(spec.channels, spec.middle, 1),
            "depthwise": self.depthwise.weights(spec.middle, spec.middle, spec.kernel),
            "project": self.project.weights(spec.middle, spec.out, 1),
        }
        if self.squeeze is not None and spec.squeeze:
            parts["squeeze"] = self.squeeze.weights(spec.middle, spec.squeeze)
        return joined(parts)

    def forward(self, x: Tensor, spec: MBConv | None = None) -> Tensor:
        spec = spec or self.spec
        y: Tensor = self.depthwise(self.expand(x, spec.middle, 1), spec.middle, spec.kernel)
        if self.squeeze is not None and spec.squeeze:
            y = self.squeeze(y, spec.squeeze)
        y = self.project(y, spec.out, 1)
        return x + y if spec.residual else y


class BottleneckBlock(Block[Bottleneck]):
    """1x1, kxk, 1x1, a shortcut that may be averaged and projected, the activation."""

    def __init__(self, spec: Bottleneck, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        middle, act, epsilon = spec.middle, spec.act, spec.epsilon
        self.reduce = Unit(spec.channels, middle, 1, act=act, epsilon=epsilon)
        self.main = Unit(
            middle, middle, spec.kernel, spec.stride, act, kernels=tuple(kernels), epsilon=epsilon
        )
        self.expand = Unit(middle, spec.out, 1, epsilon=epsilon)
        self.shortcut = Unit(spec.channels, spec.out, 1, epsilon=epsilon) if spec.project else None
        self.act = activation(act)

    def weights(self, spec: Bottleneck) -> dict[str, Tensor]:
        parts = {
            "reduce": self.reduce.weights(spec.channels, spec.middle, 1),
            "main": self.main.weights(spec.middle, spec.middle, spec.kernel),
            "expand": self.expand.weights(spec.middle, spec.out, 1),
        }
        if self.shortcut is not None:
            parts["shortcut"] = self.shortcut.weights(spec.channels, spec.out, 1)
        return joined(parts)

    def forward(self, x: Tensor, spec: Bottleneck | None = None) -> Tensor:
        spec = spec or self.spec
        y: Tensor = self.main(self.reduce(x, spec.middle, 1), spec.middle, spec.kernel)
        y = self.expand(y, spec.out, 1)
        if self.shortcut is not None:
            if spec.stride > 1:
                x = functional.avg_pool2d(x, spec.stride, spec.stride, ceil_mode=True)
            x = self.shortcut(x, spec.out, 1)
        joint: Tensor = self.act(x + y)
        return joint


class ClassifierBlock(Block[Classifier]):
    """Global average pooling, an optional hidden layer, a linear layer."""

    def __init__(self, spec: Classifier, kernels: Iterable[int] = ()) -> None:
        super().__init__(spec)
        self.hidden = nn.Linear(spec.channels, spec.hidden, bias=False) if spec.hidden else None
        self.act = activation(spec.act)
        self.linear = nn.Linear(spec.features, spec.classes)
        if self.hidden is not None:
            nn.init.normal_(self.hidden.weight, 0.0, (2.0 / spec.channels) ** 0.5)
        nn.init.normal_(self.linear.weight, 0.0, 0.01)
        nn.init.zeros_(self.linear.bias)

    def weights(self, spec: Classifier) -> dict[str, Tensor]:
        part = {
            "linear.weight": first(self.linear.weight, spec.classes, spec.features),
            "linear.bias": first(self.linear.bias, spec.classes),
        }
        if self.hidden is not None:
            part["hidden.weight"] = first(self.hidden.weight, spec.hidden, spec.channels)
        return part

    def forward(self, x: Tensor, spec: Classifier | None = None) -> Tensor:
        part = self.weights(spec or self.spec)
        y = x.mean((2, 3))
        if "hidden.weight" in part:
            y = self.act(functional.linear(y, part["hidden.weight"]))
        return functional.linear(y, part["linear.weight"], part["linear.bias"])
