"""What layers are written with: convolutions with their norms folded in, activations."""

from __future__ import annotations

import numpy as np

from search_spaces.onnx.graph import Graph
from search_spaces.onnx.weights import Array, Reader


def activation(graph: Graph, part: str, act: str, value: str) -> str:
    """``value`` after the activation, as the one operator that runtimes fuse."""
    if act == "none":
        return value
    if act == "relu":
        return graph.node("Relu", part, [value])
    if act == "relu6":
        zero = graph.constant("zero", np.array(0, np.float32))
        six = graph.constant("six", np.array(6, np.float32))
        return graph.node("Clip", part, [value, zero, six])
    if act == "h_swish":
        return graph.node("HardSwish", part, [value])
    if act in ("sigmoid", "swish"):
        gate = graph.node("Sigmoid", part, [value])
        return graph.node("Mul", f"{part}/swish", [value, gate]) if act == "swish" else gate
    # ONNX's default slope is 0.2, PyTorch's and MobileNetV3's is 1/6.
    return graph.node("HardSigmoid", part, [value], alpha=1 / 6, beta=0.5)


def convolution(
    graph: Graph,
    part: str,
    constant: str,
    value: str,
    weight: Array,
    bias: Array,
    *,
    stride: int = 1,
    groups: int = 1,
    padding: int | None = None,
    dilation: int = 1,
) -> str:
    """A convolution, padded by half its kernel unless told otherwise.

    Its constants are named after ``constant``.
    """
    kernel = weight.shape[-1]
    padding = kernel // 2 if padding is None else padding
    inputs = [
        value,
        graph.constant(f"{constant}.weight", weight),
        graph.constant(f"{constant}.bias", bias),
    ]
    return graph.node(
        "Conv",
        part,
        inputs,
        kernel_shape=[kernel, kernel],
        strides=[stride, stride],
        pads=[padding] * 4,
        group=groups,
        **({"dilations": [dilation] * 2} if dilation > 1 else {}),
    )


def unit(
    graph: Graph,
    slot: str,
    name: str,
    value: str,
    *,
    weights: Reader,
    shape: tuple[int, int, int],
    epsilon: float,
    stride: int = 1,
    act: str = "none",
) -> str:
    """Convolution with its norm folded in, then the activation.

    ``shape`` is (out, in, kernel); ``in`` 0 means depthwise.
    """
    out, inner, kernel = shape
    weight, bias = weights.folded(name, epsilon, out, inner or 1, kernel, kernel)
    part = f"{slot}/{name}"
    groups = 1 if inner else out
    constant = f"{weights.key}.{name}"
    value = convolution(graph, part, constant, value, weight, bias, stride=stride, groups=groups)
    return activation(graph, part, act, value)
