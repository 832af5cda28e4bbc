"""The convolution of any network: groups, dilation, padding and bias as they come."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from search_spaces.errors import SpaceError
from search_spaces.specs.base import (
    EPSILON,
    LayerSpec,
    Tensor,
    known_activation,
    positive_epsilon,
    windowed,
)


@dataclass(frozen=True)
class GeneralConv(LayerSpec):
    """Square convolution, norm where there is one, activation: [C, H, W] to [out, H', W'].

    ``group`` is the number of input channels that a group has: 1 is depthwise, 0 takes all
    channels as one. With elastic width groups keep their size, and there are fewer of them.
    Without ``out`` it gives as many channels as it takes; without ``padding`` it keeps the size of
    maps (stride aside), whatever the kernel.
    """

    out: int
    kernel: int
    stride: int
    padding: int
    dilation: int = field(default=1, kw_only=True)
    group: int = field(default=0, kw_only=True)
    bias: bool = field(default=False, kw_only=True)
    norm: bool = field(default=True, kw_only=True)
    act: str = field(default="none", kw_only=True)
    epsilon: float = field(default=EPSILON, kw_only=True)

    @classmethod
    def resolve(  # type: ignore[override]
        cls,
        inputs: tuple[Tensor, ...],
        *,
        out: int | None = None,
        kernel: int = 3,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        group: int = 0,
        bias: bool = False,
        norm: bool = True,
        act: str = "none",
        epsilon: float = EPSILON,
    ) -> Self:
        return cls(
            inputs,
            inputs[0].shape[0] if out is None else out,
            kernel,
            stride,
            dilation * (kernel - 1) // 2 if padding is None else padding,
            dilation=dilation,
            group=group,
            bias=bias,
            norm=norm,
            act=act,
            epsilon=epsilon,
        )

    def __post_init__(self) -> None:
        known_activation(self.act)
        positive_epsilon(self.epsilon)
        if self.group and (self.channels % self.group or self.out % self.groups):
            raise SpaceError(
                f"groups of {self.group} channels divide what comes in and what goes out; got "
                f"{self.channels} to {self.out}"
            )
        if min(self.output.shape) < 1:
            raise SpaceError(
                f"a kernel of {self.kernel} leaves nothing of maps of {self.inputs[0].shape[1:]}; "
                "take larger images"
            )

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return self.channels // self.group if self.group else 1

    @property
    def output(self) -> Tensor:
        _, height, width = self.inputs[0].shape
        rows, columns = (
            windowed(size, self.kernel, self.stride, self.padding, self.dilation)
            for size in (height, width)
        )
        return replace(self.inputs[0], shape=(self.out, rows, columns))

    @property
    def weights(self) -> int:
        """The convolution's own, without its bias."""
        return self.kernel**2 * (self.group or self.channels) * self.out

    @property
    def macs(self) -> int:
        _, height, width = self.output.shape
        return self.weights * height * width

    @property
    def params(self) -> int:
        return self.weights + self.out * (self.bias + 2 * self.norm)
