"""MACs and parameters of an ONNX graph: one small counter per operator, in a table to extend.

What is counted are the multiplications of convolutions and matrix products, as the papers of this
field do. Operators that have none by nature (activations, pooling, reshaping) are listed as free;
an operator in neither list is not counted as zero but reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import onnx
from onnx import TensorProto

from nas.profiling.model import ImageModel

__all__ = ["COUNTERS", "FREE", "Counts", "count"]

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
Counter = Callable[[onnx.NodeProto, Shapes], int]


@dataclass(frozen=True)
class Counts:
    """``macs`` of one image; ``parameters`` are the elements of all weights, biases included.

    Norms that were folded into convolutions are not parameters any more. ``uncounted`` are the
    operators of which nothing is known, with how often they stand.
    """

    macs: int
    parameters: int
    uncounted: Mapping[str, int]


def _convolution(node: onnx.NodeProto, shapes: Shapes) -> int:
    # Weight [out, in / groups, kernel...]: every output element is a product of that many.
    return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])


def _quantised_convolution(node: onnx.NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[3]][1:])


def _transposed(node: onnx.NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])


def _product(node: onnx.NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _gemm(node: onnx.NodeProto, shapes: Shapes) -> int:
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else -1]


COUNTERS: Mapping[str, Counter] = {
    "Conv": _convolution,
    "ConvInteger": _convolution,
    "ConvTranspose": _transposed,
    "FusedConv": _convolution,
    "Gemm": _gemm,
    "MatMul": _product,
    "MatMulInteger": _product,
    "QGemm": _gemm,
    "QLinearConv": _quantised_convolution,
    "QLinearMatMul": _product,
}
FREE = frozenset(
    """Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Celu Clip Concat Constant
    ConstantOfShape CumSum DepthToSpace DequantizeLinear Div Dropout DynamicQuantizeLinear Elu Equal
    Erf Exp Expand EyeLike Flatten Floor Gather GatherElements GatherND Gelu GlobalAveragePool
    GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity
    InstanceNormalization LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Max
    MaxPool Mean Min Mish Mod Mul Neg Not Or PRelu Pad Pow QLinearAdd QLinearGlobalAveragePool
    QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum Relu Reshape Resize Round Selu Shape Sigmoid Sign Slice Softmax Softplus Softsign
    SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Tile TopK Transpose Unsqueeze Upsample Where
    Xor""".split()  # noqa: SIM905
)


def count(model: ImageModel) -> Counts:
    """The costs of a model by shape inference at the shapes that it is run with."""
    shapes = _shapes(model)
    macs = 0
    uncounted: dict[str, int] = {}
    for node in model.proto.graph.node:
        if node.op_type in FREE:
            continue
        try:
            macs += COUNTERS[node.op_type](node, shapes)
        except (KeyError, IndexError):
            # No counter, or a shape that inference could not find.
            uncounted[node.op_type] = uncounted.get(node.op_type, 0) + 1
    return Counts(macs // model.batch, _parameters(model.proto), uncounted)


def _shapes(model: ImageModel) -> dict[str, Shape]:
    settled = onnx.ModelProto()
    settled.CopyFrom(model.proto)
    graph = settled.graph
    for value in graph.input:
        for dimension, length in zip(
            value.type.tensor_type.shape.dim, model.shapes.get(value.name, ()), strict=False
        ):
            dimension.dim_value = length
    # What the file says of other values holds for open dimensions, which are settled now.
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    # Where inference fails shapes are missing, and what needs them is reported as uncounted.
    with suppress(onnx.shape_inference.InferenceError):
        settled = onnx.shape_inference.infer_shapes(settled, data_prop=True)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in settled.graph.initializer}
    for value in (*settled.graph.input, *settled.graph.value_info, *settled.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(
            d.HasField("dim_value") for d in dimensions
        ):
            shapes[value.name] = tuple(d.dim_value for d in dimensions)
    return shapes


# Integers of 32 and 64 bits are shapes and indices; biases of quantised models are the exception.
_WEIGHTS = frozenset(
    (
        TensorProto.FLOAT,
        TensorProto.FLOAT16,
        TensorProto.BFLOAT16,
        TensorProto.DOUBLE,
        TensorProto.INT8,
        TensorProto.UINT8,
    )
)


def _parameters(proto: onnx.ModelProto) -> int:
    tensors = list(proto.graph.initializer)
    for node in proto.graph.node:
        if node.op_type == "Constant":
            tensors += [a.t for a in node.attribute if a.name == "value"]
    return sum(math.prod(t.dims) for t in tensors if t.data_type in _WEIGHTS)
