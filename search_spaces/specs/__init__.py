"""What a layer is once all is decided: frozen, hashable, resolved integers.

Builders, latency tables, cost counters and export read these and nothing else, so a channel
count is rounded in one place only: in a spec's ``resolve``.
"""

from search_spaces.specs.base import (
    ACTIVATIONS,
    EPSILON,
    SKIP,
    Absent,
    LayerSpec,
    Spatial,
    Tensor,
    described,
    divisible,
    strided,
)
from search_spaces.specs.bottleneck import Bottleneck
from search_spaces.specs.classifier import Classifier
from search_spaces.specs.convolution import Conv, MaxPool, SeparableConv
from search_spaces.specs.enclosing import enclosing
from search_spaces.specs.inverted import FusedMBConv, MBConv

__all__ = [
    "ACTIVATIONS",
    "EPSILON",
    "SKIP",
    "Absent",
    "Bottleneck",
    "Classifier",
    "Conv",
    "FusedMBConv",
    "LayerSpec",
    "MBConv",
    "MaxPool",
    "SeparableConv",
    "Spatial",
    "Tensor",
    "described",
    "divisible",
    "enclosing",
    "strided",
]
