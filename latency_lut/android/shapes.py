"""Models whose open dimensions are given their sizes."""

from __future__ import annotations

from collections.abc import Mapping


def fixed(content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """The ONNX model with the inputs' ``shapes`` in place of what it leaves open.

    The tool takes sizes by the names of dimensions, which not every open dimension has. What is no
    model stays as it is: the device says so.
    """
    import onnx

    try:
        model = onnx.load_from_string(content)
    except Exception:  # Protobuf's, which is not our dependency.
        return content
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(dims, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    return model.SerializeToString()
