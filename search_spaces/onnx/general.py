"""How the layers of networks from elsewhere are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from search_spaces.onnx.graph import Graph
from search_spaces.onnx.units import activation, convolution
from search_spaces.onnx.weights import Reader, normal
from search_spaces.specs import (
    Activation,
    Add,
    Concat,
    Flatten,
    GeneralConv,
    GlobalPool,
    LayerSpec,
    Linear,
    Multiply,
    Norm,
    Pool,
)


def _conv(
    graph: Graph, slot: str, spec: GeneralConv, inputs: Sequence[str], weights: Reader
) -> str:
    shape = (spec.out, spec.group or spec.channels, spec.kernel, spec.kernel)
    if spec.norm:
        weight, bias = weights.folded("main", spec.epsilon, *shape, bias=spec.bias)
    else:
        weight = normal(weights.get("main.conv.weight", *shape))
        own = weights.get("main.conv.bias", spec.out) if spec.bias else np.zeros(spec.out)
        bias = normal(own)
    value = convolution(
        graph,
        slot,
        f"{weights.key}.main",
        inputs[0],
        weight,
        bias,
        stride=spec.stride,
        groups=spec.groups,
        padding=spec.padding,
        dilation=spec.dilation,
    )
    return activation(graph, slot, spec.act, value)


def _norm(graph: Graph, slot: str, spec: Norm, inputs: Sequence[str], weights: Reader) -> str:
    scale, shift = weights.scaled("norm", spec.epsilon, spec.channels)
    # One factor and one summand: the mean and the variance are no longer told apart.
    tensors = {
        "scale": scale,
        "shift": shift,
        "mean": np.zeros(spec.channels),
        "variance": np.ones(spec.channels),
    }
    constants = [
        graph.constant(f"{weights.key}.norm.{name}", normal(values))
        for name, values in tensors.items()
    ]
    value = graph.node("BatchNormalization", slot, [inputs[0], *constants], epsilon=0.0)
    return activation(graph, slot, spec.act, value)


def _linear(graph: Graph, slot: str, spec: Linear, inputs: Sequence[str], weights: Reader) -> str:
    weight = weights.get("linear.weight", spec.out, spec.channels)
    constants = [graph.constant(f"{weights.key}.linear.weight", normal(weight))]
    if spec.bias:
        bias = weights.get("linear.bias", spec.out)
        constants.append(graph.constant(f"{weights.key}.linear.bias", normal(bias)))
    value = graph.node("Gemm", slot, [inputs[0], *constants], transB=1)
    return activation(graph, slot, spec.act, value)


def _pool(graph: Graph, slot: str, spec: Pool, inputs: Sequence[str], weights: Reader) -> str:
    # Windows that are cut off are padded at the end instead of rounded up: runtimes have disagreed
    # about ceil_mode.
    ends = [
        max(spec.padding, (after - 1) * spec.stride + spec.kernel - before - spec.padding)
        for before, after in zip(spec.inputs[0].shape[1:], spec.output.shape[1:], strict=True)
    ]
    window: dict[str, Any] = {
        "kernel_shape": [spec.kernel] * 2,
        "strides": [spec.stride] * 2,
        "pads": [spec.padding] * 2 + (ends if spec.ceil else [spec.padding] * 2),
    }
    if spec.kind == "max":
        return graph.node("MaxPool", slot, inputs, **window)
    counted = int(spec.count_padding and not spec.ceil)
    return graph.node("AveragePool", slot, inputs, count_include_pad=counted, **window)


def _global_pool(
    graph: Graph, slot: str, spec: GlobalPool, inputs: Sequence[str], weights: Reader
) -> str:
    value = graph.node("GlobalAveragePool", slot, inputs)
    return value if spec.keep else graph.node("Flatten", slot, [value], axis=1)


def _flatten(graph: Graph, slot: str, spec: Flatten, inputs: Sequence[str], weights: Reader) -> str:
    return graph.node("Flatten", slot, inputs, axis=1)


def _activation(
    graph: Graph, slot: str, spec: Activation, inputs: Sequence[str], weights: Reader
) -> str:
    return activation(graph, slot, spec.act, inputs[0])


def _add(graph: Graph, slot: str, spec: Add, inputs: Sequence[str], weights: Reader) -> str:
    return activation(graph, slot, spec.act, graph.node("Add", slot, inputs))


def _multiply(
    graph: Graph, slot: str, spec: Multiply, inputs: Sequence[str], weights: Reader
) -> str:
    return activation(graph, slot, spec.act, graph.node("Mul", slot, inputs))


def _concat(graph: Graph, slot: str, spec: Concat, inputs: Sequence[str], weights: Reader) -> str:
    return graph.node("Concat", slot, inputs, axis=1)


EMITTERS: Mapping[type[LayerSpec], Callable[[Graph, str, Any, Sequence[str], Reader], str]] = {
    Activation: _activation,
    Add: _add,
    Concat: _concat,
    Flatten: _flatten,
    GeneralConv: _conv,
    GlobalPool: _global_pool,
    Linear: _linear,
    Multiply: _multiply,
    Norm: _norm,
    Pool: _pool,
}
