"""What a layer is once all is decided: frozen, hashable, resolved integers.

Builders, latency tables, cost counters and export read these and nothing else, so a channel
count is rounded in one place only: in a spec's ``resolve``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from search_spaces.errors import SpaceError

SLICED = ("out", "kernel", "middle", "squeeze", "classes")
ACTIVATIONS = ("none", "relu", "relu6", "h_swish", "h_sigmoid")


@dataclass(frozen=True)
class Tensor:
    """What flows between layers, one image of it: ``shape`` is [C, H, W] or [features]."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    bits: int = 32
    layout: str = ""


def divisible(channels: float, divisor: int = 8) -> int:
    """The multiple of ``divisor`` nearest to ``channels``, never more than 10% below it.

    The rule of MobileNet's and OFA's code (``make_divisible``).
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def strided(size: int, stride: int) -> int:
    """Output size of an odd kernel with padding ``kernel // 2``."""
    return (size - 1) // stride + 1


@dataclass(frozen=True)
class LayerSpec:
    """A layer: what goes in, resolved attributes, and what follows from them."""

    inputs: tuple[Tensor, ...]

    @classmethod
    def resolve(cls, inputs: tuple[Tensor, ...], **attributes: Any) -> Self:
        """The spec on these inputs; ratios in ``attributes`` become integers here."""
        return cls(inputs, **attributes)

    @property
    def output(self) -> Tensor:
        """What comes out."""
        raise NotImplementedError

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image: half of what PyTorch's FLOP counter counts."""
        raise NotImplementedError

    @property
    def params(self) -> int:
        """Trainable parameters, norms' included."""
        raise NotImplementedError

    @property
    def channels(self) -> int:
        """Channels of the first input."""
        return self.inputs[0].shape[0]


@dataclass(frozen=True)
class Absent(LayerSpec):
    """No layer. ``SKIP``: consumers get its input."""

    kind: str = "skip"

    @property
    def macs(self) -> int:
        return 0

    @property
    def params(self) -> int:
        return 0


SKIP = Absent((), "skip")


@dataclass(frozen=True)
class Spatial(LayerSpec):
    """A layer on maps with a kernel, a stride, an activation: [C, H, W] to [out, H', W']."""

    out: int
    kernel: int
    stride: int
    act: str

    def __post_init__(self) -> None:
        if self.act not in ACTIVATIONS:
            raise SpaceError(f"activation {self.act!r} is not one of {', '.join(ACTIVATIONS)}")
        if self.kernel % 2 == 0:
            raise SpaceError(f"kernel {self.kernel} is even; kernels are odd, padded by half")

    @property
    def output(self) -> Tensor:
        _, height, width = self.inputs[0].shape
        shape = (self.out, strided(height, self.stride), strided(width, self.stride))
        return replace(self.inputs[0], shape=shape)

    @property
    def pixels_in(self) -> int:
        return self.inputs[0].shape[1] * self.inputs[0].shape[2]

    @property
    def pixels_out(self) -> int:
        return self.output.shape[1] * self.output.shape[2]


@dataclass(frozen=True)
class Conv(Spatial):
    """Convolution, norm, activation."""

    @classmethod
    def resolve(  # type: ignore[override]
        cls,
        inputs: tuple[Tensor, ...],
        *,
        out: int,
        kernel: int = 3,
        stride: int = 1,
        act: str = "relu",
    ) -> Self:
        return cls(inputs, out, kernel, stride, act)

    @property
    def macs(self) -> int:
        return self.kernel**2 * self.channels * self.out * self.pixels_out

    @property
    def params(self) -> int:
        return self.kernel**2 * self.channels * self.out + 2 * self.out


@dataclass(frozen=True)
class FusedMBConv(Spatial):
    """kxk convolution to ``middle``, norm, act; 1x1 to ``out``, norm (EfficientNet-EdgeTPU)."""

    middle: int
    residual: bool

    @classmethod
    def resolve(  # type: ignore[override]
        cls,
        inputs: tuple[Tensor, ...],
        *,
        out: int,
        expand: float,
        kernel: int = 3,
        stride: int = 1,
        act: str = "relu",
        residual: bool | None = None,
    ) -> Self:
        channels = inputs[0].shape[0]
        residual = stride == 1 and channels == out if residual is None else residual
        return cls(inputs, out, kernel, stride, act, divisible(channels * expand), residual)

    @property
    def macs(self) -> int:
        return self.middle * (self.kernel**2 * self.channels + self.out) * self.pixels_out

    @property
    def params(self) -> int:
        weights = self.middle * (self.kernel**2 * self.channels + self.out)
        return weights + 2 * (self.middle + self.out)


@dataclass(frozen=True)
class MBConv(Spatial):
    """1x1 to ``middle``, depthwise kxk, optional squeeze-excite, 1x1 to ``out`` (MobileNetV2, V3).

    ``squeeze`` is the width inside squeeze-excite, 0 for none.
    """

    middle: int
    squeeze: int
    residual: bool

    @classmethod
    def resolve(  # type: ignore[override]
        cls,
        inputs: tuple[Tensor, ...],
        *,
        out: int,
        expand: float,
        kernel: int = 3,
        stride: int = 1,
        act: str = "relu",
        se: bool = False,
        residual: bool | None = None,
    ) -> Self:
        channels = inputs[0].shape[0]
        middle = divisible(channels * expand)
        squeeze = divisible(middle // 4) if se else 0
        residual = stride == 1 and channels == out if residual is None else residual
        return cls(inputs, out, kernel, stride, act, middle, squeeze, residual)

    @property
    def macs(self) -> int:
        expansion = self.channels * self.middle * self.pixels_in
        depthwise = self.kernel**2 * self.middle * self.pixels_out
        excite = 2 * self.middle * self.squeeze
        return expansion + depthwise + excite + self.middle * self.out * self.pixels_out

    @property
    def params(self) -> int:
        weights = self.middle * (self.channels + self.kernel**2 + self.out)
        excite = (
            2 * self.middle * self.squeeze + self.squeeze + (self.middle if self.squeeze else 0)
        )
        return weights + excite + 2 * (2 * self.middle + self.out)


@dataclass(frozen=True)
class Classifier(LayerSpec):
    """Global average pooling and a linear layer: [C, H, W] to [classes]."""

    classes: int

    @property
    def output(self) -> Tensor:
        return replace(self.inputs[0], shape=(self.classes,))

    @property
    def macs(self) -> int:
        return self.channels * self.classes

    @property
    def params(self) -> int:
        return self.channels * self.classes + self.classes


def enclosing(specs: tuple[LayerSpec, ...]) -> LayerSpec:
    """The smallest spec whose weights hold those of all ``specs`` as slices.

    All must be of one class and differ only in what can be sliced: channels, middle, kernel,
    squeeze, classes, and the size of the maps.
    """
    first = specs[0]
    for spec in specs[1:]:
        if type(spec) is not type(first):
            raise SpaceError(
                f"{type(spec).__name__} and {type(first).__name__} share one weight key"
            )
    values = {
        field.name: _largest(field.name, [getattr(spec, field.name) for spec in specs])
        for field in fields(first)
    }
    return type(first)(**values)


def _largest(name: str, values: list[Any]) -> Any:
    if name == "inputs":
        shapes = [tuple(tensor.shape for tensor in inputs) for inputs in values]
        largest = [tuple(map(max, zip(*shape, strict=True))) for shape in zip(*shapes, strict=True)]
        return tuple(
            replace(tensor, shape=shape) for tensor, shape in zip(values[0], largest, strict=True)
        )
    if name in SLICED:
        return max(values)
    if len(set(values)) > 1:
        raise SpaceError(f"{name} differs among specs that share one weight key: {set(values)}")
    return values[0]
