"""The bottleneck of residual networks: narrow in the middle, wide at both ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from search_spaces.errors import SpaceError
from search_spaces.specs.base import EPSILON, Spatial, Tensor, divisible


@dataclass(frozen=True)
class Bottleneck(Spatial):
    """1x1 to ``middle``, kxk, 1x1 to ``out``, a shortcut, then the activation (He et al. 2016).

    The shortcut is the input, or with ``project`` an average over stride x stride (windows cut
    off at the border average what is there), a 1x1 convolution and a norm: ResNet-D, He et al.,
    "Bag of Tricks", 2019. Without ``out`` it gives as many channels as it takes.
    """

    middle: int
    project: bool

    @classmethod
    def resolve(  # type: ignore[override]
        cls,
        inputs: tuple[Tensor, ...],
        *,
        out: int | None = None,
        expand: float,
        kernel: int = 3,
        stride: int = 1,
        act: str = "relu",
        project: bool | None = None,
        epsilon: float = EPSILON,
    ) -> Self:
        out = inputs[0].shape[0] if out is None else out
        middle = divisible(round(out * expand))
        project = stride != 1 or inputs[0].shape[0] != out if project is None else project
        return cls(inputs, out, kernel, stride, act, middle, project, epsilon=epsilon)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.project and self.output != self.inputs[0]:
            raise SpaceError(
                f"a shortcut from {self.inputs[0].shape} to {self.output.shape} is projected; "
                "pass project=True"
            )

    @property
    def macs(self) -> int:
        inside = self.middle * (self.kernel**2 * self.middle + self.out) * self.pixels_out
        shortcut = self.channels * self.out * self.pixels_out if self.project else 0
        return self.channels * self.middle * self.pixels_in + inside + shortcut

    @property
    def params(self) -> int:
        weights = self.middle * (self.channels + self.kernel**2 * self.middle + self.out)
        shortcut = self.channels * self.out + 2 * self.out if self.project else 0
        return weights + 2 * (2 * self.middle + self.out) + shortcut

    @property
    def live(self) -> int:
        taken, given = self.inputs[0].elements, self.output.elements
        before, after = self.middle * self.pixels_in, self.middle * self.pixels_out
        inside = max(taken + before + after, taken + after + given)
        if not self.project:
            return inside
        pooled = self.channels * self.pixels_out
        averaged = taken + pooled + given if self.stride > 1 else 0
        return max(inside, averaged, (pooled if self.stride > 1 else taken) + 2 * given)
