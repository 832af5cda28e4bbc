"""The block of a cell: a block for each of its parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from search_spaces.blocks.base import Block
from search_spaces.blocks.slicing import joined
from search_spaces.specs import Cell


class CellBlock(Block[Cell]):
    """Runs the parts in order; their blocks are called by position."""

    def __init__(self, spec: Cell, blocks: Sequence[nn.Module]) -> None:
        super().__init__(spec)
        for position, block in enumerate(blocks):
            self.add_module(str(position), block)

    def weights(self, spec: Cell) -> dict[str, Tensor]:
        parts: Mapping[str, Mapping[str, Tensor]] = {
            str(position): self.get_submodule(str(position)).weights(part.spec)  # type: ignore[operator]
            for position, part in enumerate(spec.parts)
        }
        return joined(parts)

    def forward(self, x: Tensor, spec: Cell | None = None) -> Tensor:
        values: list[Tensor] = []
        for (_, block), part in zip(self.named_children(), (spec or self.spec).parts, strict=True):
            inputs: Iterable[Tensor] = (x if s < 0 else values[s] for s in part.sources)
            values.append(block(*inputs, spec=part.spec))
        return values[-1]
