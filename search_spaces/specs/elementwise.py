"""Layers that leave every number where it is: norms, activations, sums, products."""

from __future__ import annotations

from dataclasses import dataclass, field

from search_spaces.errors import SpaceError
from search_spaces.specs.base import EPSILON, Tensor, Weightless, known_activation, positive_epsilon


@dataclass(frozen=True)
class Elementwise(Weightless):
    """The shape of the first input, an activation behind it."""

    act: str = field(default="none", kw_only=True)

    def __post_init__(self) -> None:
        known_activation(self.act)

    @property
    def output(self) -> Tensor:
        return self.inputs[0]


@dataclass(frozen=True)
class Activation(Elementwise):
    """An activation that stands alone."""


@dataclass(frozen=True)
class Norm(Elementwise):
    """Batch norm that stands alone, of maps or of features; then the activation."""

    epsilon: float = field(default=EPSILON, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_epsilon(self.epsilon)

    @property
    def params(self) -> int:
        return 2 * self.channels


@dataclass(frozen=True)
class Add(Elementwise):
    """The sum of two tensors of one shape."""

    def __post_init__(self) -> None:
        super().__post_init__()
        left, right = self.inputs
        if left.shape != right.shape:
            raise SpaceError(f"a sum is of equal shapes; got {left.shape} and {right.shape}")


@dataclass(frozen=True)
class Multiply(Elementwise):
    """The product with a tensor of the same shape, or with one number a channel [C, 1, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        left, right = self.inputs
        if right.shape not in (left.shape, (left.shape[0], 1, 1)):
            raise SpaceError(
                f"a product is of equal shapes, or with [C, 1, 1]; got {left.shape} and "
                f"{right.shape}"
            )
