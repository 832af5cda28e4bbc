"""Features instead of maps: flattening, linear layers; and channels put side by side."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from search_spaces.errors import SpaceError
from search_spaces.specs.base import LayerSpec, Tensor, Weightless, known_activation


@dataclass(frozen=True)
class Flatten(Weightless):
    """[C, H, W] to [C * H * W], channel after channel."""

    @property
    def output(self) -> Tensor:
        return replace(self.inputs[0], shape=(self.inputs[0].elements,))


@dataclass(frozen=True)
class Linear(LayerSpec):
    """A linear layer and an activation: [features] to [out]."""

    out: int
    bias: bool = field(default=True, kw_only=True)
    act: str = field(default="none", kw_only=True)

    def __post_init__(self) -> None:
        known_activation(self.act)
        if len(self.inputs[0].shape) != 1:
            raise SpaceError(f"a linear layer takes [features]; got {self.inputs[0].shape}")

    @property
    def output(self) -> Tensor:
        return replace(self.inputs[0], shape=(self.out,))

    @property
    def macs(self) -> int:
        return self.channels * self.out

    @property
    def params(self) -> int:
        return self.out * (self.channels + self.bias)


@dataclass(frozen=True)
class Concat(Weightless):
    """The channels of the first input, then those of the second."""

    def __post_init__(self) -> None:
        left, right = self.inputs
        if left.shape[1:] != right.shape[1:]:
            raise SpaceError(
                f"maps that are put side by side have one size; got {left.shape} and {right.shape}"
            )

    @property
    def output(self) -> Tensor:
        left, right = (tensor.shape for tensor in self.inputs)
        return replace(self.inputs[0], shape=(left[0] + right[0], *left[1:]))
