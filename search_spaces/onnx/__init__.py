"""The one writer of ONNX: what is measured and what is exported come out of here."""

from search_spaces.onnx.context import at_image, chains, in_context
from search_spaces.onnx.emitters import EMITTERS
from search_spaces.onnx.graph import IR_VERSION, OPSET
from search_spaces.onnx.preprocessing import Preprocessing
from search_spaces.onnx.weights import Weights, random_plan_weights, random_weights
from search_spaces.onnx.writer import INPUT, OUTPUT, write

__all__ = [
    "EMITTERS",
    "INPUT",
    "IR_VERSION",
    "OPSET",
    "OUTPUT",
    "Preprocessing",
    "Weights",
    "at_image",
    "chains",
    "in_context",
    "random_plan_weights",
    "random_weights",
    "write",
]
