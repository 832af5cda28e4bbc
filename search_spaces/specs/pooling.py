"""Windows and whole maps that become one number."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from search_spaces.errors import SpaceError
from search_spaces.specs.base import Tensor, Weightless, windowed

POOLS = ("max", "average")


@dataclass(frozen=True)
class Pool(Weightless):
    """The maximum or the average over kxk: [C, H, W] to [C, H', W'].

    With ``ceil`` a window that is cut off at the border counts too (PyTorch's ``ceil_mode``);
    ``count_padding`` says whether an average counts the zeros around the map. ``size`` is what was
    asked for where the window follows from the map, else 0.
    """

    kind: str
    kernel: int
    stride: int
    padding: int
    ceil: bool = field(default=False, kw_only=True)
    count_padding: bool = field(default=False, kw_only=True)
    size: int = field(default=0, kw_only=True)

    @classmethod
    def resolve(  # type: ignore[override]
        cls,
        inputs: tuple[Tensor, ...],
        *,
        kind: str,
        kernel: int = 0,
        stride: int = 1,
        padding: int = 0,
        ceil: bool = False,
        count_padding: bool = False,
        size: int = 0,
    ) -> Self:
        """With ``size`` the window is the one that leaves ``size`` x ``size`` of a map."""
        if size:
            _, height, width = inputs[0].shape
            if height != width or height % size:
                raise SpaceError(
                    f"a map of {height}x{width} has no equal windows for {size}x{size}; take "
                    f"resolutions whose maps here are multiples of {size}"
                )
            kernel = stride = height // size
        return cls(
            inputs,
            kind,
            kernel,
            stride,
            padding,
            ceil=ceil,
            count_padding=count_padding,
            size=size,
        )

    def __post_init__(self) -> None:
        if self.kind not in POOLS:
            raise SpaceError(f"pooling is one of {', '.join(POOLS)}; got {self.kind!r}")
        if self.kind == "average" and self.ceil and self.padding and self.count_padding:
            raise SpaceError(
                "an average over windows that are cut off counts no padding; pass ceil=False or "
                "count_padding=False"
            )
        if 2 * self.padding > self.kernel or min(self.output.shape) < 1:
            raise SpaceError(
                f"windows of {self.kernel} with padding {self.padding} do not fit maps of "
                f"{self.inputs[0].shape[1:]}; take larger images"
            )

    @property
    def output(self) -> Tensor:
        channels, *sizes = self.inputs[0].shape
        pooled = (
            windowed(size, self.kernel, self.stride, self.padding, ceil=self.ceil) for size in sizes
        )
        return replace(self.inputs[0], shape=(channels, *pooled))


@dataclass(frozen=True)
class GlobalPool(Weightless):
    """The mean of each map: [C, H, W] to [C], or to [C, 1, 1] with ``keep``."""

    keep: bool

    @property
    def output(self) -> Tensor:
        shape = (self.channels, 1, 1) if self.keep else (self.channels,)
        return replace(self.inputs[0], shape=shape)
