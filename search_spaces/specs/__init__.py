"""What a layer is once all is decided: frozen, hashable, resolved integers.

Builders, latency tables, cost counters and export read these and nothing else, so a channel
count is rounded in one place only: in a spec's ``resolve``.
"""

from search_spaces.specs.base import (
    ACTIVATIONS,
    EPSILON,
    NORM_TENSORS,
    SKIP,
    Absent,
    LayerSpec,
    Spatial,
    Tensor,
    described,
    divisible,
    strided,
    windowed,
)
from search_spaces.specs.bottleneck import Bottleneck
from search_spaces.specs.cell import Cell, Part, Template
from search_spaces.specs.classifier import Classifier
from search_spaces.specs.convolution import Conv, MaxPool, SeparableConv
from search_spaces.specs.elementwise import Activation, Add, Multiply, Norm
from search_spaces.specs.enclosing import enclosing
from search_spaces.specs.general_conv import GeneralConv
from search_spaces.specs.inverted import FusedMBConv, MBConv
from search_spaces.specs.linear import Concat, Flatten, Linear
from search_spaces.specs.pooling import GlobalPool, Pool

__all__ = [
    "ACTIVATIONS",
    "EPSILON",
    "NORM_TENSORS",
    "SKIP",
    "Absent",
    "Activation",
    "Add",
    "Bottleneck",
    "Cell",
    "Classifier",
    "Concat",
    "Conv",
    "Flatten",
    "FusedMBConv",
    "GeneralConv",
    "GlobalPool",
    "LayerSpec",
    "Linear",
    "MBConv",
    "MaxPool",
    "Multiply",
    "Norm",
    "Part",
    "Pool",
    "SeparableConv",
    "Spatial",
    "Template",
    "Tensor",
    "described",
    "divisible",
    "enclosing",
    "strided",
    "windowed",
]
