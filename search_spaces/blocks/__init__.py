"""The torch modules of the specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.blocks.base import Block
from search_spaces.blocks.layers import ClassifierBlock, ConvBlock, FusedMBConvBlock, MBConvBlock
from search_spaces.specs import Classifier, Conv, FusedMBConv, LayerSpec, MBConv

BLOCKS: Mapping[type[LayerSpec], Any] = {
    Classifier: ClassifierBlock,
    Conv: ConvBlock,
    FusedMBConv: FusedMBConvBlock,
    MBConv: MBConvBlock,
}

__all__ = ["BLOCKS", "Block"]
