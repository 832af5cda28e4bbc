"""Collecting the nodes and the constants of one ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from search_spaces.errors import SpaceError

# 14 is the first opset with HardSwish. ONNX Runtime 1.31 turns the files of opsets 14 to 23 into
# the same fused operators; 17 is what other runtimes (TensorRT 8.6, OpenVINO, onnxruntime-web)
# have read for years, and IR version 8 belongs to it.
OPSET = 17
IR_VERSION = 8

Array = npt.NDArray[Any]


class Graph:
    """Nodes in order, and named constants; names of values are unique.

    A node is named ``slot/part/Operator`` and its output after itself, so that whoever reads a
    profile or the file sees which layer of the plan it belongs to.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, Array] = {}
        self._names: set[str] = set()

    def node(self, operator: str, part: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add ``part/operator`` on the values ``inputs``; returns the name of its output."""
        name = f"{part}/{operator}"
        if name in self._names:
            raise SpaceError(f"two nodes would be called {name!r}; slots of a plan are unique")
        self._names.add(name)
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def constant(self, name: str, values: Array) -> str:
        """Add a constant once: layers that share weights name the same one."""
        known = self._constants.setdefault(name, values)
        if known.shape != values.shape:
            raise SpaceError(
                f"constant {name!r} has shape {known.shape} in one layer and {values.shape} in "
                "another; layers that share a weights key have equal specs when written"
            )
        return name

    def rename_output(self, value: str, name: str) -> None:
        """Call the value ``value`` ``name`` wherever it stands."""
        for node in self._nodes:
            for field in (node.input, node.output):
                for i, known in enumerate(field):
                    if known == value:
                        field[i] = name

    def model(
        self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        """The model of all that was added."""
        constants = [
            numpy_helper.from_array(np.ascontiguousarray(values), name)
            for name, values in self._constants.items()
        ]
        graph = helper.make_graph(self._nodes, "network", inputs, outputs, constants)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="nas-loop",
        )
