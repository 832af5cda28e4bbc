"""Plain layers on maps: one convolution, a separable one, a maximum."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from search_spaces.errors import SpaceError
from search_spaces.specs.base import EPSILON, Spatial, Tensor, Weightless, strided


@dataclass(frozen=True)
class Conv(Spatial):
    """Convolution, norm, activation; with ``residual`` the input is added to what comes out.

    Without ``out`` it gives as many channels as it takes.
    """

    residual: bool = field(default=False, kw_only=True)

    @classmethod
    def resolve(  # type: ignore[override]
        cls,
        inputs: tuple[Tensor, ...],
        *,
        out: int | None = None,
        kernel: int = 3,
        stride: int = 1,
        act: str = "relu",
        residual: bool = False,
        epsilon: float = EPSILON,
    ) -> Self:
        out = inputs[0].shape[0] if out is None else out
        return cls(inputs, out, kernel, stride, act, residual=residual, epsilon=epsilon)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.residual and self.output != self.inputs[0]:
            raise SpaceError(
                f"a residual convolution keeps the shape; got {self.inputs[0].shape} to "
                f"{self.output.shape}"
            )

    @property
    def macs(self) -> int:
        return self.kernel**2 * self.channels * self.out * self.pixels_out

    @property
    def params(self) -> int:
        return self.kernel**2 * self.channels * self.out + 2 * self.out


@dataclass(frozen=True)
class SeparableConv(Spatial):
    """Depthwise kxk, norm, activation; 1x1 to ``out``, norm (MobileNet, Howard et al. 2017).

    An inverted bottleneck of expansion 1, as OFA's and MobileNetV2's networks begin with.
    """

    residual: bool

    @classmethod
    def resolve(  # type: ignore[override]
        cls,
        inputs: tuple[Tensor, ...],
        *,
        out: int,
        kernel: int = 3,
        stride: int = 1,
        act: str = "relu",
        residual: bool | None = None,
        epsilon: float = EPSILON,
    ) -> Self:
        residual = stride == 1 and inputs[0].shape[0] == out if residual is None else residual
        return cls(inputs, out, kernel, stride, act, residual, epsilon=epsilon)

    @property
    def macs(self) -> int:
        return self.channels * (self.kernel**2 + self.out) * self.pixels_out

    @property
    def params(self) -> int:
        return self.channels * (self.kernel**2 + self.out) + 2 * (self.channels + self.out)

    @property
    def live(self) -> int:
        taken, given = self.inputs[0].elements, self.output.elements
        between = self.channels * self.pixels_out
        return max(taken + between, between + given + (taken if self.residual else 0))


@dataclass(frozen=True)
class MaxPool(Weightless):
    """The maximum over kxk, padded by half the kernel: [C, H, W] to [C, H', W']."""

    kernel: int
    stride: int

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise SpaceError(f"kernel {self.kernel} is even; kernels are odd, padded by half")

    @property
    def output(self) -> Tensor:
        channels, height, width = self.inputs[0].shape
        shape = (channels, strided(height, self.stride), strided(width, self.stride))
        return replace(self.inputs[0], shape=shape)
