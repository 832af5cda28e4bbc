"""From specs to nodes: one emitter for each class of spec, and a table of them.

A new operator is one function here and one line in ``EMITTERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from search_spaces.errors import SpaceError
from search_spaces.onnx import general
from search_spaces.onnx.graph import Graph
from search_spaces.onnx.units import activation, convolution, unit
from search_spaces.onnx.weights import Reader
from search_spaces.specs import (
    Bottleneck,
    Cell,
    Classifier,
    Conv,
    FusedMBConv,
    LayerSpec,
    MaxPool,
    MBConv,
    SeparableConv,
)

Emit = Callable[[Graph, str, Any, Sequence[str], Reader], str]


def emit(graph: Graph, slot: str, spec: LayerSpec, inputs: Sequence[str], weights: Reader) -> str:
    """Add the layer ``spec``; returns the name of its output.

    Raises ``SpaceError`` for a spec without an emitter or not in float32.
    """
    if type(spec) not in EMITTERS:
        raise SpaceError(
            f"slot {slot!r}: {type(spec).__name__} cannot be written as ONNX; "
            f"add its emitter to {__name__}.EMITTERS, which has {[e.__name__ for e in EMITTERS]}"
        )
    for tensor in spec.inputs:
        if (tensor.dtype, tensor.bits) != ("float32", 32):
            raise SpaceError(
                f"slot {slot!r}: only float32 is written; got {tensor.dtype} of {tensor.bits} bits"
            )
    return EMITTERS[type(spec)](graph, slot, spec, inputs, weights)


def _conv(graph: Graph, slot: str, spec: Conv, inputs: Sequence[str], weights: Reader) -> str:
    add = partial(unit, graph, slot, weights=weights, epsilon=spec.epsilon)
    shape = (spec.out, spec.channels, spec.kernel)
    value = add("main", inputs[0], shape=shape, stride=spec.stride, act=spec.act)
    return graph.node("Add", slot, [inputs[0], value]) if spec.residual else value


def _separable(
    graph: Graph, slot: str, spec: SeparableConv, inputs: Sequence[str], weights: Reader
) -> str:
    add = partial(unit, graph, slot, weights=weights, epsilon=spec.epsilon)
    shape = (spec.channels, 0, spec.kernel)
    value = add("depthwise", inputs[0], shape=shape, stride=spec.stride, act=spec.act)
    value = add("project", value, shape=(spec.out, spec.channels, 1))
    return graph.node("Add", slot, [inputs[0], value]) if spec.residual else value


def _max_pool(
    graph: Graph, slot: str, spec: MaxPool, inputs: Sequence[str], weights: Reader
) -> str:
    kernel, stride = [spec.kernel] * 2, [spec.stride] * 2
    pads = [spec.kernel // 2] * 4
    return graph.node("MaxPool", slot, inputs, kernel_shape=kernel, strides=stride, pads=pads)


def _fused(
    graph: Graph, slot: str, spec: FusedMBConv, inputs: Sequence[str], weights: Reader
) -> str:
    add = partial(unit, graph, slot, weights=weights, epsilon=spec.epsilon)
    shape = (spec.middle, spec.channels, spec.kernel)
    value = add("expand", inputs[0], shape=shape, stride=spec.stride, act=spec.act)
    value = add("project", value, shape=(spec.out, spec.middle, 1))
    return graph.node("Add", slot, [inputs[0], value]) if spec.residual else value


def _mbconv(graph: Graph, slot: str, spec: MBConv, inputs: Sequence[str], weights: Reader) -> str:
    add = partial(unit, graph, slot, weights=weights, epsilon=spec.epsilon)
    middle = spec.middle
    value = add("expand", inputs[0], shape=(middle, spec.channels, 1), act=spec.act)
    depthwise = (middle, 0, spec.kernel)
    value = add("depthwise", value, shape=depthwise, stride=spec.stride, act=spec.act)
    if spec.squeeze:
        value = _squeeze(graph, slot, spec, value, weights)
    value = add("project", value, shape=(spec.out, middle, 1))
    return graph.node("Add", slot, [inputs[0], value]) if spec.residual else value


def _bottleneck(
    graph: Graph, slot: str, spec: Bottleneck, inputs: Sequence[str], weights: Reader
) -> str:
    add = partial(unit, graph, slot, weights=weights, epsilon=spec.epsilon)
    middle = spec.middle
    value = add("reduce", inputs[0], shape=(middle, spec.channels, 1), act=spec.act)
    shape = (middle, middle, spec.kernel)
    value = add("main", value, shape=shape, stride=spec.stride, act=spec.act)
    value = add("expand", value, shape=(spec.out, middle, 1))
    shortcut = inputs[0]
    if spec.project:
        if spec.stride > 1:
            shortcut = _average(graph, f"{slot}/shortcut", spec, shortcut)
        shortcut = add("shortcut", shortcut, shape=(spec.out, spec.channels, 1))
    return activation(graph, slot, spec.act, graph.node("Add", slot, [shortcut, value]))


def _average(graph: Graph, part: str, spec: Bottleneck, value: str) -> str:
    # Padded at the end instead of rounded up, and the padding not counted: the same numbers, but
    # runtimes have disagreed about ceil_mode.
    _, height, width = spec.inputs[0].shape
    window = [spec.stride, spec.stride]
    pads = [0, 0, -height % spec.stride, -width % spec.stride]
    return graph.node(
        "AveragePool",
        part,
        [value],
        kernel_shape=window,
        strides=window,
        pads=pads,
        count_include_pad=0,
    )


def _squeeze(graph: Graph, slot: str, spec: MBConv, value: str, weights: Reader) -> str:
    part = f"{slot}/squeeze"
    shapes = {"reduce": (spec.squeeze, spec.middle), "expand": (spec.middle, spec.squeeze)}
    gate = graph.node("GlobalAveragePool", part, [value])
    for name, act in (("reduce", "relu"), ("expand", "h_sigmoid")):
        weight = weights.get(f"squeeze.{name}.weight", *shapes[name], 1, 1)
        bias = weights.get(f"squeeze.{name}.bias", shapes[name][0])
        constant = f"{weights.key}.squeeze.{name}"
        gate = convolution(graph, f"{part}.{name}", constant, gate, weight, bias)
        gate = activation(graph, f"{part}.{name}", act, gate)
    return graph.node("Mul", part, [value, gate])


def _classifier(
    graph: Graph, slot: str, spec: Classifier, inputs: Sequence[str], weights: Reader
) -> str:
    value = graph.node("GlobalAveragePool", slot, inputs)
    value = graph.node("Flatten", slot, [value], axis=1)
    if spec.hidden:
        weight = weights.get("hidden.weight", spec.hidden, spec.channels)
        constant = graph.constant(f"{weights.key}.hidden.weight", weight)
        value = graph.node("Gemm", f"{slot}/hidden", [value, constant], transB=1)
        value = activation(graph, f"{slot}/hidden", spec.act, value)
    weight = weights.get("linear.weight", spec.classes, spec.features)
    bias = weights.get("linear.bias", spec.classes)
    constants = [
        graph.constant(f"{weights.key}.linear.weight", weight),
        graph.constant(f"{weights.key}.linear.bias", bias),
    ]
    return graph.node("Gemm", f"{slot}/linear", [value, *constants], transB=1)


def _cell(graph: Graph, slot: str, spec: Cell, inputs: Sequence[str], weights: Reader) -> str:
    values: list[str] = []
    for position, part in enumerate(spec.parts):
        taken = [inputs[0] if source < 0 else values[source] for source in part.sources]
        name = f"{slot}/{position}"
        values.append(emit(graph, name, part.spec, taken, weights.part(str(position))))
    return values[-1]


EMITTERS: Mapping[type[LayerSpec], Emit] = {
    **general.EMITTERS,
    Bottleneck: _bottleneck,
    Cell: _cell,
    Classifier: _classifier,
    Conv: _conv,
    FusedMBConv: _fused,
    MBConv: _mbconv,
    MaxPool: _max_pool,
    SeparableConv: _separable,
}
