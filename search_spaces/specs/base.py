"""What all specs share: tensors, rounding, and the interface of a layer."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Self

from search_spaces.errors import SpaceError

ACTIVATIONS = ("none", "relu", "relu6", "h_swish", "h_sigmoid", "swish", "sigmoid")
EPSILON = 1e-5
"""PyTorch's default, added to a norm's variance."""
NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")
"""What a batch norm is made of, all [channels]."""


@dataclass(frozen=True)
class Tensor:
    """What flows between layers, one image of it: ``shape`` is [C, H, W] or [features]."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    bits: int = 32
    layout: str = ""

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def divisible(channels: float, divisor: int = 8) -> int:
    """The multiple of ``divisor`` nearest to ``channels``, never more than 10% below it.

    The rule of MobileNet's and OFA's code (``make_divisible``).
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def known_activation(act: str) -> None:
    """Raise ``SpaceError`` for an activation that no block computes."""
    if act not in ACTIVATIONS:
        raise SpaceError(f"activation {act!r} is not one of {', '.join(ACTIVATIONS)}")


def positive_epsilon(epsilon: float) -> None:
    """Raise ``SpaceError`` for what a norm cannot add to a variance."""
    if not epsilon > 0:
        raise SpaceError(f"a norm's epsilon is above 0; got {epsilon}")


def strided(size: int, stride: int) -> int:
    """Output size of an odd kernel with padding ``kernel // 2``."""
    return (size - 1) // stride + 1


def windowed(
    size: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil: bool = False
) -> int:
    """Output size of any window, as PyTorch counts it.

    With ``ceil`` a window may be cut off at the end, but none begins in the padding there.
    """
    over = size + 2 * padding - dilation * (kernel - 1) - 1
    windows = (-(-over // stride) if ceil else over // stride) + 1
    return windows - 1 if ceil and (windows - 1) * stride >= size + padding else windows


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

    @property
    def live(self) -> int:
        """The most elements of maps that exist at once while the layer runs, for one image."""
        return sum(tensor.elements for tensor in (*self.inputs, self.output))


def described(spec: LayerSpec) -> str:
    """The spec as text, the same in every version that knows its attributes.

    Digests and identities are made of it. Attributes at their default are left out, so that a
    new one, which old specs have at its default, leaves the names of old networks as they are.
    """
    values = [
        f"{attribute.name}={getattr(spec, attribute.name)!r}"
        for attribute in fields(spec)
        if attribute.default is MISSING or getattr(spec, attribute.name) != attribute.default
    ]
    return f"{type(spec).__name__}({', '.join(values)})"


@dataclass(frozen=True)
class Weightless(LayerSpec):
    """A layer that multiplies nothing by weights; it has parameters only where it says so."""

    @property
    def macs(self) -> int:
        return 0

    @property
    def params(self) -> int:
        return 0


@dataclass(frozen=True)
class Absent(Weightless):
    """No layer. ``SKIP``: consumers get its input."""

    kind: str

    @property
    def live(self) -> int:
        return 0


SKIP = Absent((), "skip")


@dataclass(frozen=True)
class Spatial(LayerSpec):
    """A layer on maps with a kernel, a stride, an activation: [C, H, W] to [out, H', W'].

    ``epsilon`` is what its norms add to the variance.
    """

    out: int
    kernel: int
    stride: int
    act: str
    epsilon: float = field(default=EPSILON, kw_only=True)

    def __post_init__(self) -> None:
        known_activation(self.act)
        if self.kernel % 2 == 0:
            raise SpaceError(f"kernel {self.kernel} is even; kernels are odd, padded by half")
        positive_epsilon(self.epsilon)

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
