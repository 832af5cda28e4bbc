"""The block that a set of specs shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.blocks.base import Block
from search_spaces.blocks.cell import CellBlock
from search_spaces.blocks.general import (
    ActivationBlock,
    AddBlock,
    ConcatBlock,
    FlattenBlock,
    GeneralConvBlock,
    GlobalPoolBlock,
    LinearBlock,
    MultiplyBlock,
    NormBlock,
    PoolBlock,
)
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
    Activation,
    Add,
    Bottleneck,
    Cell,
    Classifier,
    Concat,
    Conv,
    Flatten,
    FusedMBConv,
    GeneralConv,
    GlobalPool,
    LayerSpec,
    Linear,
    MaxPool,
    MBConv,
    Multiply,
    Norm,
    Pool,
    SeparableConv,
    enclosing,
)

BLOCKS: Mapping[type[LayerSpec], Any] = {
    Activation: ActivationBlock,
    Add: AddBlock,
    Bottleneck: BottleneckBlock,
    Classifier: ClassifierBlock,
    Concat: ConcatBlock,
    Conv: ConvBlock,
    Flatten: FlattenBlock,
    FusedMBConv: FusedMBConvBlock,
    GeneralConv: GeneralConvBlock,
    GlobalPool: GlobalPoolBlock,
    Linear: LinearBlock,
    MBConv: MBConvBlock,
    MaxPool: MaxPoolBlock,
    Multiply: MultiplyBlock,
    Norm: NormBlock,
    Pool: PoolBlock,
    SeparableConv: SeparableConvBlock,
}


def lender(specs: Sequence[LayerSpec]) -> Block[Any]:
    """The smallest block that lends its weights to every one of ``specs``; of one, its own block.

    Raises ``SpaceError`` for specs that cannot share weights.
    """
    spec = enclosing(tuple(specs))
    if isinstance(spec, Cell):
        alike = zip(*(one.parts for one in specs if isinstance(one, Cell)), strict=True)
        return CellBlock(spec, [lender([part.spec for part in parts]) for parts in alike])
    kernels = sorted({getattr(one, "kernel", 0) for one in specs} - {0})
    block: Block[Any] = BLOCKS[type(spec)](spec, kernels=tuple(kernels))
    return block
