"""From a plan to an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import TensorProto, helper

from search_spaces.errors import SpaceError
from search_spaces.onnx.emitters import emit
from search_spaces.onnx.graph import Graph
from search_spaces.onnx.preprocessing import Preprocessing
from search_spaces.onnx.weights import Reader, Weights
from search_spaces.plan import Plan

INPUT = "image"
OUTPUT = "logits"
BATCH = "batch"


def write(
    plan: Plan,
    weights: Weights,
    *,
    batch: int | None = 1,
    preprocessing: Preprocessing | None = None,
    metadata: Mapping[str, str] | None = None,
    pooled: bool = False,
) -> onnx.ModelProto:
    """The network of ``plan`` in evaluation mode, norms folded into convolutions.

    The input is ``image``: [batch, C, H, W] float32, normalised, or what ``preprocessing`` says.
    The output is ``logits`` (``logits.1`` and so on after it, if the plan has several).
    ``weights`` maps a weights key to the arrays of that block's state dict. ``batch`` None leaves
    it free. ``pooled`` puts a global average pooling behind outputs that are feature maps.

    Raises:
        SpaceError: weights are missing or of another shape, or a layer cannot be written.
    """
    if batch is not None and batch < 1:
        raise SpaceError(f"batch is at least 1, or None for a free one; got {batch}")
    channels, height, width = plan.image.shape
    shape = (
        preprocessing.input_shape(channels, height, width)
        if preprocessing
        else (channels, height, width)
    )
    kind = preprocessing.element_type if preprocessing else TensorProto.FLOAT
    rows = BATCH if batch is None else batch
    image = helper.make_tensor_value_info(INPUT, kind, [rows, *shape])
    graph = Graph()
    start = preprocessing.emit(graph, INPUT) if preprocessing else INPUT
    values: list[str] = []
    for node in plan.nodes:
        if node.weights not in weights:
            raise SpaceError(
                f"slot {node.slot!r}: no weights {node.weights!r}; there are {sorted(weights)}"
            )
        inputs = [start if source < 0 else values[source] for source in node.inputs]
        reader = Reader(node.weights, weights[node.weights])
        values.append(emit(graph, node.slot, node.spec, inputs, reader))
    outputs = []
    for position, output in enumerate(plan.outputs):
        tensor = plan.nodes[output].spec.output
        value, result = values[output], tensor.shape
        if pooled and len(result) == 3:
            value = graph.node("GlobalAveragePool", "pool", [value])
            value = graph.node("Flatten", "pool", [value], axis=1)
            result = result[:1]
        name = OUTPUT if position == 0 else f"{OUTPUT}.{position}"
        graph.rename_output(value, name)
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, *result]))
    model = graph.model([image], outputs)
    if metadata:
        helper.set_model_props(model, dict(metadata))
    return model
