"""The torch modules of the specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.blocks.base import Block
from search_spaces.blocks.layers import (
    BottleneckBlock,
    ClassifierBlock,
    ConvBlock,
    FusedMBConvBlock,
    MaxPoolBlock,
    MBConvBlock,
    SeparableConvBlock,
)
from search_spaces.specs import (
    Bottleneck,
    Classifier,
    Conv,
    FusedMBConv,
    LayerSpec,
    MaxPool,
    MBConv,
    SeparableConv,
)

BLOCKS: Mapping[type[LayerSpec], Any] = {
    Bottleneck: BottleneckBlock,
    Classifier: ClassifierBlock,
    Conv: ConvBlock,
    FusedMBConv: FusedMBConvBlock,
    MBConv: MBConvBlock,
    MaxPool: MaxPoolBlock,
    SeparableConv: SeparableConvBlock,
}

__all__ = ["BLOCKS", "Block"]
