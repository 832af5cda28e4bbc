"""Inverted bottlenecks: wide in the middle, narrow at both ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from search_spaces.specs.base import EPSILON, Spatial, Tensor, divisible


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
        epsilon: float = EPSILON,
    ) -> Self:
        channels = inputs[0].shape[0]
        middle = divisible(round(channels * expand))
        residual = stride == 1 and channels == out if residual is None else residual
        return cls(inputs, out, kernel, stride, act, middle, residual, epsilon=epsilon)

    @property
    def macs(self) -> int:
        return self.middle * (self.kernel**2 * self.channels + self.out) * self.pixels_out

    @property
    def params(self) -> int:
        weights = self.middle * (self.kernel**2 * self.channels + self.out)
        return weights + 2 * (self.middle + self.out)

    @property
    def live(self) -> int:
        taken, given = self.inputs[0].elements, self.output.elements
        wide = self.middle * self.pixels_out
        return max(taken + wide, wide + given + (taken if self.residual else 0))


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
        epsilon: float = EPSILON,
    ) -> Self:
        channels = inputs[0].shape[0]
        middle = divisible(round(channels * expand))
        squeeze = divisible(middle // 4) if se else 0
        residual = stride == 1 and channels == out if residual is None else residual
        return cls(inputs, out, kernel, stride, act, middle, squeeze, residual, epsilon=epsilon)

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

    @property
    def live(self) -> int:
        taken, given = self.inputs[0].elements, self.output.elements
        before, after = self.middle * self.pixels_in, self.middle * self.pixels_out
        kept = taken if self.residual else 0
        return max(taken + before, before + after + kept, after + given + kept)
