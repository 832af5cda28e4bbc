"""Weights as NumPy arrays: reading, folding norms into convolutions, and drawing some."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search_spaces.errors import SpaceError
from search_spaces.plan import Plan
from search_spaces.specs import (
    NORM_TENSORS,
    Activation,
    Add,
    Bottleneck,
    Cell,
    Classifier,
    Concat,
    Conv,
    Flatten,
    FusedMBConv,
    GeneralConv,
    GlobalPool,
    LayerSpec,
    Linear,
    MaxPool,
    MBConv,
    Multiply,
    Norm,
    Pool,
    SeparableConv,
)

TINY = float(np.finfo(np.float32).tiny)

Array = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Layer = Mapping[str, npt.NDArray[Any]]
Weights = Mapping[str, Layer]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Reader:
    """The arrays of one layer, by the names of the block's state dict, each checked for shape."""

    key: str
    arrays: Layer

    def get(self, name: str, *shape: int) -> Array:
        """The array; raises ``SpaceError`` if it is missing or of another shape."""
        if name not in self.arrays:
            raise SpaceError(
                f"weights {self.key!r} have no array {name!r}; they hold {sorted(self.arrays)}"
            )
        array = np.asarray(self.arrays[name], dtype=np.float32)
        if array.shape != shape:
            raise SpaceError(
                f"weights {self.key!r}: {name!r} has shape {array.shape}, the plan asks {shape}; "
                "pass the weights of this very network"
            )
        return array

    def part(self, name: str) -> Reader:
        """The arrays of the part ``name`` of the layer."""
        prefix = f"{name}."
        arrays = {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}
        return Reader(f"{self.key}.{name}", arrays)

    def scaled(self, norm: str, epsilon: float, channels: int) -> tuple[Doubles, Doubles]:
        """A norm as a factor and a summand [channels], in double precision."""
        gamma, beta, mean, variance = (
            self.get(f"{norm}.{name}", channels).astype(np.float64) for name in NORM_TENSORS
        )
        scale = gamma / np.sqrt(variance + epsilon)
        return scale, beta - mean * scale

    def folded(
        self, unit: str, epsilon: float, *shape: int, bias: bool = False
    ) -> tuple[Array, Array]:
        """Convolution and norm of a unit as one convolution: weight [shape], bias [out].

        ``epsilon`` is what the norm adds to the variance; ``bias`` whether the convolution has one
        of its own. In double precision, because the
        division by a small deviation amplifies rounding.
        """
        weight = self.get(f"{unit}.conv.weight", *shape).astype(np.float64)
        scale, shift = self.scaled(f"{unit}.norm", epsilon, shape[0])
        if bias:
            shift = shift + scale * self.get(f"{unit}.conv.bias", shape[0])
        return normal(weight * scale[:, None, None, None]), normal(shift)


def normal(values: npt.NDArray[Any]) -> Array:
    """``values`` as float32 without denormals, which become 0.

    ONNX Runtime on a CPU was seen to run 27 times slower on denormal weights, and no result can
    depend on numbers below 1.2e-38.
    """
    single = values.astype(np.float32)
    single[np.abs(single) < TINY] = 0
    return single


def _unit(name: str, *shape: int) -> Shapes:
    norm = {f"{name}.norm.{part}": shape[:1] for part in NORM_TENSORS}
    return {f"{name}.conv.weight": shape, **norm}


def _conv(spec: Conv) -> Shapes:
    return _unit("main", spec.out, spec.channels, spec.kernel, spec.kernel)


def _fused(spec: FusedMBConv) -> Shapes:
    return {
        **_unit("expand", spec.middle, spec.channels, spec.kernel, spec.kernel),
        **_unit("project", spec.out, spec.middle, 1, 1),
    }


def _mbconv(spec: MBConv) -> Shapes:
    middle, squeeze = spec.middle, spec.squeeze
    excite = {
        "squeeze.reduce.weight": (squeeze, middle, 1, 1),
        "squeeze.reduce.bias": (squeeze,),
        "squeeze.expand.weight": (middle, squeeze, 1, 1),
        "squeeze.expand.bias": (middle,),
    }
    return {
        **_unit("expand", middle, spec.channels, 1, 1),
        **_unit("depthwise", middle, 1, spec.kernel, spec.kernel),
        **(excite if squeeze else {}),
        **_unit("project", spec.out, middle, 1, 1),
    }


def _separable(spec: SeparableConv) -> Shapes:
    return {
        **_unit("depthwise", spec.channels, 1, spec.kernel, spec.kernel),
        **_unit("project", spec.out, spec.channels, 1, 1),
    }


def _bottleneck(spec: Bottleneck) -> Shapes:
    return {
        **_unit("reduce", spec.middle, spec.channels, 1, 1),
        **_unit("main", spec.middle, spec.middle, spec.kernel, spec.kernel),
        **_unit("expand", spec.out, spec.middle, 1, 1),
        **(_unit("shortcut", spec.out, spec.channels, 1, 1) if spec.project else {}),
    }


def _classifier(spec: Classifier) -> Shapes:
    return {
        **({"hidden.weight": (spec.hidden, spec.channels)} if spec.hidden else {}),
        "linear.weight": (spec.classes, spec.features),
        "linear.bias": (spec.classes,),
    }


def _general(spec: GeneralConv) -> Shapes:
    shape = (spec.out, spec.group or spec.channels, spec.kernel, spec.kernel)
    plain = {"main.conv.weight": shape}
    bias = {"main.conv.bias": (spec.out,)} if spec.bias else {}
    return {**(_unit("main", *shape) if spec.norm else plain), **bias}


def _norm(spec: Norm) -> Shapes:
    return {f"norm.{part}": (spec.channels,) for part in NORM_TENSORS}


def _linear(spec: Linear) -> Shapes:
    bias = {"linear.bias": (spec.out,)} if spec.bias else {}
    return {"linear.weight": (spec.out, spec.channels), **bias}


def _cell(spec: Cell) -> Shapes:
    return {
        f"{position}.{name}": shape
        for position, part in enumerate(spec.parts)
        for name, shape in SHAPES[type(part.spec)](part.spec).items()
    }


def _none(spec: LayerSpec) -> Shapes:
    return {}


SHAPES: Mapping[type[LayerSpec], Callable[[Any], Shapes]] = {
    Activation: _none,
    Add: _none,
    Bottleneck: _bottleneck,
    Cell: _cell,
    Classifier: _classifier,
    Concat: _none,
    Conv: _conv,
    Flatten: _none,
    FusedMBConv: _fused,
    GeneralConv: _general,
    GlobalPool: _none,
    Linear: _linear,
    MBConv: _mbconv,
    MaxPool: _none,
    Multiply: _none,
    Norm: _norm,
    Pool: _none,
    SeparableConv: _separable,
}


def random_weights(spec: LayerSpec, rng: np.random.Generator) -> dict[str, Array]:
    """Arrays of a normal scale for ``spec``, so that a latency can be measured without training.

    Variance is kept through a layer, and no value is denormal: a latency would be of those.
    """
    if type(spec) not in SHAPES:
        raise SpaceError(
            f"no weights are known for {type(spec).__name__}; add it to {__name__}.SHAPES"
        )
    return {name: _draw(name, shape, rng) for name, shape in SHAPES[type(spec)](spec).items()}


def random_plan_weights(plan: Plan, rng: np.random.Generator) -> dict[str, dict[str, Array]]:
    """Random weights for every layer of a plan, by weights key."""
    return {node.weights: random_weights(node.spec, rng) for node in plan.nodes}


def _draw(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    # Uniform, which is drawn faster than normal numbers are.
    drawn = rng.random(shape, np.float32)
    if name.endswith(("norm.weight", "norm.running_var")):
        drawn += np.float32(0.5)
    else:
        deviation = 0.1 if len(shape) == 1 else math.prod(shape[1:]) ** -0.5
        drawn -= np.float32(0.5)
        drawn *= np.float32(12**0.5 * deviation)
    assert not np.any((drawn != 0) & (np.abs(drawn) < TINY)), "a random weight is denormal"
    return drawn
